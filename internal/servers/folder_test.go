package servers

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Folders of killed processes are removed, and those of others are not.
// Mutation: a locked folder is not passed over.
func TestAbandonedFoldersAreRemoved(t *testing.T) {
	tmp := isolate(t)
	abandoned := filepath.Join(tmp, temporaryPrefix+"1")
	must(t, os.Mkdir(abandoned, 0o700))
	must(t, os.WriteFile(filepath.Join(abandoned, "lock"), nil, 0o600))
	first, err := openFolder(t.Context(), "")
	must(t, err)
	second, err := openFolder(t.Context(), "")
	must(t, err)
	for path, want := range map[string]bool{abandoned: false, first.path: true, second.path: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v; want that it is there: %t", path, err, want)
		}
	}
	must(t, first.close())
	must(t, second.close())
	if names := left(t, tmp); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

func TestFolderThatIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	f, err := openFolder(t.Context(), dir)
	must(t, err)
	if _, err := openFolder(t.Context(), dir); !errors.Is(err, errLocked) {
		t.Errorf("opened twice: %v", err)
	}
	must(t, f.close())
	f, err = openFolder(t.Context(), dir)
	must(t, err)
	must(t, f.close())
}
