package servers

import (
	"context"
	_ "embed" // the poms
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// The releases that are run. The poms repeat the versions.
const (
	CassandraVersion = "5.0.5"
	KafkaVersion     = "4.3.1"
)

//go:embed cassandra.pom.xml
var cassandraPom []byte

//go:embed kafka.pom.xml
var kafkaPom []byte

// release is a server as Maven Central has it.
type release struct {
	name string // of its folder below Root
	pom  []byte
}

var (
	cassandraRelease = release{name: "cassandra-" + CassandraVersion, pom: cassandraPom}
	kafkaRelease     = release{name: "kafka-" + KafkaVersion, pom: kafkaPom}
)

// Root is the folder that has the jars, a folder for each release: that of the
// environment variable MESONET_SERVERS, or mesonet/servers in the user's cache.
func Root() (string, error) {
	if root := os.Getenv("MESONET_SERVERS"); root != "" {
		return filepath.Abs(root)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("servers: no folder for the jars: %w; name one by MESONET_SERVERS", err)
	}
	return filepath.Join(cache, "mesonet", "servers"), nil
}

// jars returns the folder with the release's jars, and installs them first
// where they are missing. One process does, while others wait for it. The
// folder appears under its name only when it is whole.
func (r release) jars(ctx context.Context) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, r.name)
	if ok, err := r.installed(root); ok || err != nil {
		return dir, err
	}
	if err := os.MkdirAll(root, 0o755); err != nil { //nolint:gosec // nothing in it is a secret
		return "", fmt.Errorf("servers: folder for the jars: %w; name another by MESONET_SERVERS", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if ok, err := r.installed(root); ok || err != nil {
		return dir, err // another process was first
	}
	return dir, r.install(ctx, dir)
}

// install has Maven copy the jars to a folder beside dir, and renames that.
// Maven verifies checksums, and with --strict-checksums heeds them too.
func (r release) install(ctx context.Context, dir string) error {
	maven, err := findMaven()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "."+r.name+"-")
	if err != nil {
		return fmt.Errorf("servers: install %s: %w", r.name, err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // what is left has a name of its own and harms nobody
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), r.pom, 0o600); err != nil {
		return fmt.Errorf("servers: install %s: %w", r.name, err)
	}
	lib := filepath.Join(work, "lib")
	cmd := exec.CommandContext(ctx, maven, "--quiet", "--batch-mode", "--strict-checksums",
		"dependency:copy-dependencies", "-DoutputDirectory="+lib)
	cmd.Dir = work
	if output, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("servers: install %s: %s: %w; Maven Central must be reachable, directly or through a mirror of ~/.m2/settings.xml; Maven says:\n%s",
			r.name, cmd, err, lastLines(string(output)))
	}
	if err := os.Rename(lib, dir); err != nil {
		return fmt.Errorf("servers: install %s: %w", r.name, err)
	}
	return nil
}

// installed reports whether root has the jars.
func (r release) installed(root string) (bool, error) {
	path := filepath.Join(root, r.name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("servers: %w", err)
	}
	if !info.IsDir() {
		return false, fmt.Errorf("servers: %s is in the way: it is no folder; remove it", path)
	}
	return true, nil
}
