package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// TestMain lets scripts run this program as "mesonet", and looks for goroutines
// that tests left behind.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{serverstest.Main(m)}, map[string]func(){"mesonet": main})
}

type leakChecked struct{ m serverstest.Runner }

func (l leakChecked) Run() int {
	set := func(name, value string) {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	for _, line := range os.Environ() { // what the machine has set is not for tests
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "MESONET_") {
			set(name, "")
		}
	}
	// The race detector keeps a program that ends for a second, in case others
	// of its goroutines still race. Ours have been waited for.
	set("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	code := l.m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left behind:", err)
		return 1
	}
	return code
}

// result is what a run left.
type result struct {
	code           int
	stdout, stderr string
}

// runIn runs the program in this process.
func runIn(ctx context.Context, stdin io.Reader, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, stdin, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func runArgs(t *testing.T, args ...string) result {
	t.Helper()
	return runIn(t.Context(), strings.NewReader(""), args...)
}
