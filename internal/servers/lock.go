package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// pollInterval is how often what other processes do is looked at: a lock that
// they hold, a log that they write.
const pollInterval = 20 * time.Millisecond

// lock waits for the lock on the file name, which it creates, and returns what
// gives it back. The kernel gives it back for a process that dies, and no
// process that is started inherits it.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		unlock, err := tryLock(name)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("servers: wait for the process that has %s locked: %w", name, context.Cause(ctx))
		}
	}
}

var errLocked = errors.New("locked by another process")

func tryLock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("servers: lock: %w", err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, fmt.Errorf("servers: lock %s: %w", name, err)
	}
	return func() { _ = file.Close() }, nil
}
