package pebble

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

func (s *Store) openData(create bool) error {
	db, err := pebble.Open(s.path(dataFolder), &pebble.Options{
		FS:                          s.guard,
		Logger:                      logger{s},
		EventListener:               s.listener(),
		ErrorIfExists:               create,
		ErrorIfNotExists:            !create,
		FormatMajorVersion:          engineFormat,
		MemTableSize:                s.cfg.MemTable,
		MemTableStopWritesThreshold: 4,
		// Pebble lets writes wait for tables to be merged, inside of its
		// locks: when they can't be merged, nothing would end the wait, nor
		// that of Close. As many as this are tens of gigabytes behind.
		L0StopWritesThreshold: 1000,
	})
	if err != nil {
		s.guard.release()
	}
	if failed := s.failed(); failed != nil {
		if err == nil {
			s.db = db
			err = s.closeData()
		}
		return errors.Join(failed, err)
	}
	unread := s.guard.unread.Load()
	switch {
	case err == nil:
		s.db = db
		return nil
	case create:
		return fmt.Errorf("pebble: the records in %s can't be created: %w", s.path(dataFolder), err)
	case unread != nil:
		return fmt.Errorf("%w: the records in %s can't be read: %w; see to the disk, then start again", persistence.ErrFailed, s.path(dataFolder), *unread)
	default:
		return fmt.Errorf("%w: the records in %s can't be opened: %w; restore the folder from a backup",
			persistence.ErrCorrupt, s.path(dataFolder), err)
	}
}

func (s *Store) closeData() error {
	defer s.guard.release()
	return s.db.Close()
}

// listener hears of what Pebble meets in the background. A table that can't be
// read while it is merged is for good: Pebble would try again at once, and for
// ever.
func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.fail,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.fail(fmt.Errorf("%w: %s: %w", persistence.ErrCorrupt, info.Path, info.Details))
		},
	}
}

// logger hands Pebble's messages on. Fatalf returns, and Pebble goes on as if
// the operation had succeeded: marking the failure first is what keeps that from
// becoming an acknowledgement.
type logger struct{ s *Store }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.s.cfg.Logger.Error("pebble: "+fmt.Sprintf(format, args...), "folder", l.s.cfg.Dir)
}

func (l logger) Fatalf(format string, args ...any) { l.s.fail(fmt.Errorf(format, args...)) }
