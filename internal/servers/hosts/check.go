package hosts

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// Errors of Check: what is missing, and who can do something about it.
var (
	// ErrMissing: something is to be installed.
	ErrMissing = errors.New("hosts: something is missing to make network namespaces")
	// ErrForbidden: this user, or this container, may not make namespaces.
	ErrForbidden = errors.New("hosts: network namespaces can't be made here")
)

// Check returns nil where networks can be made. Otherwise the error says what to do,
// and wraps [ErrMissing] or [ErrForbidden].
func Check() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: they are Linux's, and this is %s", ErrForbidden, runtime.GOOS)
	}
	has, err := capabilities()
	if err != nil {
		return err
	}
	if has&needed != needed {
		return fmt.Errorf("%w: that takes CAP_NET_ADMIN and CAP_SYS_ADMIN; run the tests as root, in a container with --privileged", ErrForbidden)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("%w: the program ip is not in PATH; install iproute2 (apt-get install iproute2, dnf install iproute)", ErrMissing)
	}
	return nil
}

// needed are CAP_NET_ADMIN and CAP_SYS_ADMIN.
const needed = 1<<12 | 1<<21

// capabilities are those that this process has in effect.
func capabilities() (set uint64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("hosts: what this process may: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), "CapEff:"); found {
			if set, err = strconv.ParseUint(strings.TrimSpace(text), 16, 64); err != nil {
				return 0, fmt.Errorf("hosts: what this process may: %w", err)
			}
			return set, nil
		}
	}
	return 0, errors.New("hosts: what this process may: /proc/self/status has no line CapEff")
}
