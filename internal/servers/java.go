package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// ErrMissing is what the errors wrap that say which program the machine lacks.
// Tests may be skipped for it on a developer's machine.
var ErrMissing = errors.New("missing on this machine")

// Releases of Java that will do: Cassandra is made for 17, and 24 has no
// security manager any more, which it asks for at the start.
const (
	oldestJava = 17
	newestJava = 23
)

// howToInstall is the end of each error of something missing.
const howToInstall = "; install it:\n" +
	"  Debian, Ubuntu: apt-get install openjdk-17-jdk-headless maven (or openjdk-21-jdk-headless)\n" +
	"  Fedora:         dnf install java-17-openjdk-headless maven (or java-21-openjdk-headless)\n" +
	"  macOS:          brew install openjdk@17 maven\n" +
	"or name it by JAVA_HOME and PATH"

// javas are the places of a JDK that is not the default of its machine.
var javas = []string{
	"/usr/lib/jvm/*17*/bin/java",
	"/usr/lib/jvm/*21*/bin/java",
	"/opt/homebrew/opt/openjdk@17/bin/java",
	"/usr/local/opt/openjdk@17/bin/java",
}

// findJava returns the java to run servers with: that of JAVA_HOME, of PATH, or
// of a usual place, the first that will do.
func findJava(ctx context.Context) (string, error) {
	var candidates []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	if java, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, java)
	}
	for _, pattern := range javas {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("servers: %w", err)
		}
		candidates = append(candidates, found...)
	}
	var unfit []string
	for _, java := range candidates {
		version, err := javaVersion(ctx, java)
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("servers: look for java: %w", context.Cause(ctx))
		case err != nil:
			unfit = append(unfit, err.Error())
		case version < oldestJava || version > newestJava:
			unfit = append(unfit, fmt.Sprintf("%s is version %d", java, version))
		default:
			return java, nil
		}
	}
	if len(unfit) > 0 {
		return "", fmt.Errorf("servers: java %d to %d is %w (%s)%s", oldestJava, newestJava, ErrMissing, strings.Join(unfit, ", "), howToInstall)
	}
	return "", fmt.Errorf("servers: java %d to %d is %w%s", oldestJava, newestJava, ErrMissing, howToInstall)
}

func findMaven() (string, error) {
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("servers: mvn is %w%s", ErrMissing, howToInstall)
	}
	return maven, nil
}

// javaVersion asks java itself. It runs, so a stub such as that of macOS, which
// only tells where to get one, is no java.
func javaVersion(ctx context.Context, java string) (int, error) {
	output, err := exec.CommandContext(ctx, java, "-version").CombinedOutput() //nolint:gosec // JAVA_HOME is there to name it
	if err != nil {
		return 0, fmt.Errorf("%s does not run: %w", java, err)
	}
	version, ok := parseJavaVersion(string(output))
	if !ok {
		return 0, fmt.Errorf("%s -version says %q", java, output)
	}
	return version, nil
}

var javaVersionLine = regexp.MustCompile(`version "(1\.)?(\d+)`)

// parseJavaVersion returns the feature release of what java -version says:
// 17 for "17.0.15", and 8 for "1.8.0_402".
func parseJavaVersion(output string) (version int, ok bool) {
	match := javaVersionLine.FindStringSubmatch(output)
	if match == nil {
		return 0, false
	}
	version, err := strconv.Atoi(match[2])
	return version, err == nil
}
