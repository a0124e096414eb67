package servers

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// orphanEnv makes the test binary start a child and wait to be killed.
const orphanEnv = "MESONET_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		if _, err := launch(exec.Command("sleep", "1000"), os.Stdout, false, 0); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("started")
		select {}
	}
	goleak.VerifyTestMain(m)
}

// require skips what starts a real server where that is not possible; package
// serverstest, which others use, cannot be used from within.
func require(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real server, which -short leaves out")
	}
	if err := Check(t.Context()); err != nil {
		if os.Getenv("CI") == "" && os.Getenv("MESONET_REQUIRE_SERVERS") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
}

// isolate gives the test a folder for all temporary ones, to see what is left.
func isolate(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

// left returns the server folders in dir.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

func start(t *testing.T, config CassandraConfig) *Cassandra {
	t.Helper()
	c, err := StartCassandra(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
