package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

func (s *Store) failed() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail marks the store failed before it returns.
func (s *Store) fail(cause error) {
	s.failOnce.Do(func() {
		advice := "see to the disk, then start again: what was acknowledged is there"
		if errors.Is(cause, persistence.ErrCorrupt) {
			advice = "restore the folder from a backup"
		}
		err := fmt.Errorf("%w: %w (folder %s); %s", persistence.ErrFailed, cause, s.cfg.Dir, advice)
		s.failure.Store(&err)
		close(s.broken)
		s.cfg.Logger.Error("store has failed; nothing is acknowledged any more", "folder", s.cfg.Dir, "error", cause)
		if s.cfg.OnFailure != nil {
			s.cfg.OnFailure(err)
		}
	})
}

// undertake closes the engine of a store that has failed: left open, Pebble
// would try to merge tables that were never written, again and again.
func (s *Store) undertake() {
	defer close(s.buried)
	select {
	case <-s.closing:
		return
	case <-s.broken:
	}
	s.mu.Lock()   // who entered before is counted, who comes later is refused
	s.mu.Unlock() //nolint:staticcheck // an empty section is what it takes
	s.calls.Wait()
	s.closeErr = s.closeData()
	s.db = nil
}

// unread is how a read ends that met err. Also a read that met none has to ask
// whether the store has failed meanwhile: what it was shown may then be a table
// that was never written.
func (s *Store) unread(err error) error {
	if failed := s.failed(); failed != nil {
		return failed
	}
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: the records in %s: %w; restore the folder from a backup", persistence.ErrCorrupt, s.path(dataFolder), err)
	}
	return fmt.Errorf("pebble: the records in %s can't be read: %w; see to the disk", s.path(dataFolder), err)
}
