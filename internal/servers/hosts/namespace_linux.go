package hosts

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// within calls f in a namespace: sockets that f makes, and processes that it starts,
// belong there from then on, whoever uses them. f must not leave that to another
// goroutine.
//
// A namespace is a thread's. The runtime makes no thread from one that is locked, so no
// other goroutine comes there; and a thread that finds no way back ends with its
// goroutine, so none comes later.
func within(namespace string, f func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		back, err := enter("/run/netns/" + namespace)
		if err != nil {
			runtime.UnlockOSThread()
			failed <- fmt.Errorf("hosts: namespace %s: %w", namespace, err)
			return
		}
		err = f()
		if back() == nil {
			runtime.UnlockOSThread()
		}
		failed <- err
	}()
	return <-failed
}

// enter brings the thread into a namespace. On an error it is where it was.
func enter(path string) (back func() error, err error) {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	there, err := os.Open(path)
	if err == nil {
		err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET)
		_ = there.Close() // nothing was written
	}
	if err != nil {
		_ = home.Close() // likewise
		return nil, err
	}
	return func() error {
		defer home.Close() //nolint:errcheck // likewise
		return unix.Setns(int(home.Fd()), unix.CLONE_NEWNET)
	}, nil
}
