package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// folder has all files of a server. Its lock is held as long as this process
// uses it.
type folder struct {
	path      string
	temporary bool
	unlock    func()
}

// temporaryPrefix is that of the folders which are removed with their server.
const temporaryPrefix = "mesonet-servers-"

// openFolder makes the folder dir, or a temporary one when dir is empty.
func openFolder(ctx context.Context, dir string) (folder, error) {
	if dir == "" {
		return temporaryFolder(ctx)
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return folder{}, fmt.Errorf("servers: %w", err)
	}
	unlock, err := tryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return folder{}, err
	}
	return folder{path: dir, unlock: unlock}, nil
}

// temporaryFolder makes a folder, and removes those whose processes were killed
// before they could. Of all processes only one does so at a time: a folder is
// not locked when it is made, only a moment later.
func temporaryFolder(ctx context.Context) (f folder, err error) {
	// A lock for each user, since one cannot open another's.
	unlock, err := lock(ctx, filepath.Join(os.TempDir(), temporaryPrefix+strconv.Itoa(os.Getuid())+".lock"))
	if err != nil {
		return folder{}, err
	}
	defer unlock()
	if err := removeAbandoned(); err != nil {
		return folder{}, err
	}
	dir, err := os.MkdirTemp("", temporaryPrefix)
	if err != nil {
		return folder{}, fmt.Errorf("servers: %w", err)
	}
	release, err := tryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return folder{}, err
	}
	return folder{path: dir, temporary: true, unlock: release}, nil
}

func removeAbandoned() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*", "lock"))
	if err != nil {
		return fmt.Errorf("servers: %w", err)
	}
	for _, name := range dirs {
		unlock, err := tryLock(name)
		if errors.Is(err, errLocked) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			continue // in use, another user's, or just removed by its process
		}
		if err != nil {
			return err
		}
		err = os.RemoveAll(filepath.Dir(name))
		unlock()
		if err != nil {
			return fmt.Errorf("servers: remove what a killed process left: %w", err)
		}
	}
	return nil
}

// close removes a temporary folder. Nothing may run in it any more.
func (f folder) close() error {
	defer f.unlock()
	if !f.temporary {
		return nil
	}
	if err := os.RemoveAll(f.path); err != nil {
		return fmt.Errorf("servers: %w", err)
	}
	return nil
}
