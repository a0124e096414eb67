package servers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeMaven puts a mvn of its own before all others in PATH.
func fakeMaven(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "mvn"), []byte("#!/bin/sh\n"+script), 0o700))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

var fakeRelease = release{name: "fake-1", pom: []byte("<project/>")}

// Many want the jars at a time, and one installs them. Mutation: without the
// lock Maven runs more than once.
func TestJarsAreInstalledOnce(t *testing.T) {
	root := t.TempDir()
	t.Setenv("MESONET_SERVERS", root)
	fakeMaven(t, `
echo run >> "$MESONET_SERVERS/runs"
for arg; do case $arg in -DoutputDirectory=*) mkdir "${arg#*=}"; cp pom.xml "${arg#*=}/a.jar";; esac; done
`)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := fakeRelease.jars(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "a.jar")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	runs, err := os.ReadFile(filepath.Join(root, "runs"))
	must(t, err)
	if n := strings.Count(string(runs), "run"); n != 1 {
		t.Errorf("Maven ran %d times", n)
	}
	if names := left(t, root); len(names) != 1 {
		t.Errorf("in the folder of the jars: %q; want one folder", names)
	}
}

// Half of the jars are none. Mutation: copying to the folder itself.
func TestInstallationThatFails(t *testing.T) {
	root := t.TempDir()
	t.Setenv("MESONET_SERVERS", root)
	fakeMaven(t, `
for arg; do case $arg in -DoutputDirectory=*) mkdir "${arg#*=}"; esac; done
echo "no route to host"; exit 1
`)
	_, err := fakeRelease.jars(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no route to host") {
		t.Errorf("got %v; want what Maven says", err)
	}
	if names := left(t, root); len(names) > 0 {
		t.Errorf("left after the failure: %q", names)
	}
}

func TestMissing(t *testing.T) {
	before := javas
	javas = nil
	t.Cleanup(func() { javas = before })
	t.Setenv("MESONET_SERVERS", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	err := Check(t.Context())
	if !errors.Is(err, ErrMissing) {
		t.Fatalf("without a PATH: %v; want ErrMissing", err)
	}
	for _, want := range []string{"java 17", "mvn", "apt-get install", "dnf install", "brew install"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}

	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, "bin"), 0o700))
	java := filepath.Join(home, "bin", "java")
	t.Setenv("JAVA_HOME", home)
	for version, fits := range map[string]bool{"11.0.2": false, "17.0.1": true, "23": true, "24": false} {
		must(t, os.WriteFile(java, []byte("#!/bin/sh\necho 'openjdk version \""+version+"\"' >&2\n"), 0o700))
		found, err := findJava(t.Context())
		if fits && (err != nil || found != java) {
			t.Errorf("with java %s: %q, %v; want %s", version, found, err, java)
		}
		major, _, _ := strings.Cut(version, ".")
		if !fits && (!errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "is version "+major)) {
			t.Errorf("with java %s: %q, %v; want ErrMissing and the version", version, found, err)
		}
	}
}

func TestParseJavaVersion(t *testing.T) {
	for output, want := range map[string]int{
		"openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment": 17,
		"openjdk version \"21\" 2023-09-19":                                   21,
		"Picked up JAVA_TOOL_OPTIONS: -Xmx1g\njava version \"1.8.0_402\"":     8,
		"The operation couldn't be completed. Unable to locate a Java":        0,
	} {
		if got, ok := parseJavaVersion(output); got != want || ok != (want > 0) {
			t.Errorf("parseJavaVersion(%q) = %d, %t; want %d", output, got, ok, want)
		}
	}
}
