package hosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// ip runs the program of that name on lines of commands, in a namespace if one is
// named, and stops at the first that fails.
func ip(ctx context.Context, namespace string, commands ...string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		where := ""
		if namespace != "" {
			where = " in " + namespace
		}
		return fmt.Errorf("hosts: ip%s, %s: %w: %s; the kernel may lack veth or policy routing",
			where, strings.Join(commands, "; "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// names are those of the namespaces that this package makes: after the process, its
// network, and the host.
var names = regexp.MustCompile(`(?m)^mesonet-(\d+)-\S+`)

func prefix(number int64) string { return fmt.Sprintf("mesonet-%d-%d-", os.Getpid(), number) }

// removeAbandoned removes what processes have left that were killed. Another process
// that does so at the same time is no hindrance.
func removeAbandoned(ctx context.Context) error {
	list, err := exec.CommandContext(ctx, "ip", "netns", "list").Output()
	if err != nil {
		return fmt.Errorf("hosts: ip netns list: %w", err)
	}
	var errs []error
	for _, found := range names.FindAllStringSubmatch(string(list), -1) {
		pid, err := strconv.Atoi(found[1])
		if err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		errs = append(errs, remove(ctx, found[0]))
	}
	return errors.Join(errs...)
}

// remove ends what runs in a namespace, by the ids of the processes, and removes it. One
// that is not there is no error.
func remove(ctx context.Context, namespace string) error {
	pids, err := exec.CommandContext(ctx, "ip", "netns", "pids", namespace).Output()
	if err == nil {
		for _, field := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
		err = ip(ctx, "", "netns del "+namespace)
	}
	if _, gone := os.Stat("/run/netns/" + namespace); errors.Is(gone, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hosts: namespace %s stays: %w; remove it by: ip netns del %s", namespace, err, namespace)
	}
	return nil
}
