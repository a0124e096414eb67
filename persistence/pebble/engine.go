package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/mesonet/mesonet/persistence"
)

// purpose is what the records are opened for.
type purpose int

const (
	toUse purpose = iota
	toLook
	toCreate
)

// levels gives tables filters: most pages that are asked for were never written,
// as those of an entity that is new, and 10 bits a key save the reading of 99 in
// 100 blocks for them.
func levels() (l [7]pebble.LevelOptions) {
	for i := range l {
		l[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return l
}

func (s *Store) openData(p purpose) error {
	cache := pebble.NewCache(s.cfg.Cache)
	defer cache.Unref() // the database has it for as long as it is open
	db, err := pebble.Open(s.path(dataFolder), &pebble.Options{
		Cache:                       cache,
		FS:                          s.guard,
		Logger:                      logger{s},
		EventListener:               s.listener(),
		ReadOnly:                    p == toLook,
		ErrorIfExists:               p == toCreate,
		ErrorIfNotExists:            p != toCreate,
		FormatMajorVersion:          engineFormat,
		MemTableSize:                s.cfg.MemTable,
		MemTableStopWritesThreshold: 4,
		Levels:                      levels(),
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
	case p == toCreate:
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

// look opens the records for reading and looks for what should be there.
func (s *Store) look(ctx context.Context, content []byte) error {
	if err := s.openData(toLook); err != nil {
		return err
	}
	if err := s.check(ctx, content); err != nil {
		return errors.Join(err, s.closeData())
	}
	return nil
}

// check looks whether what is open is the store of that description, and all of
// it.
func (s *Store) check(ctx context.Context, content []byte) error {
	stored, closer, err := s.db.Get(metaKey)
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return s.unread(err)
	}
	if err != nil {
		return fmt.Errorf("%w: the records in %s don't say which store they are of (%w); restore the folder from a backup",
			persistence.ErrCorrupt, s.path(dataFolder), err)
	}
	same := bytes.Equal(stored, content)
	if err := closer.Close(); err != nil {
		return s.unread(err)
	}
	if !same {
		return fmt.Errorf("%w: %s and the records in %s are of two different stores; restore both from one backup",
			persistence.ErrCorrupt, s.path(storeFile), s.path(dataFolder))
	}
	if err := s.count(ctx); err != nil {
		return err
	}
	if err := s.hear(ctx); err != nil {
		return err
	}
	return s.readLevel()
}

// lost is the error of records that are not all there.
func (s *Store) lost(what string, args ...any) error {
	return fmt.Errorf("%w: the records in %s have lost something that was durable: %s; restore the folder from a backup",
		persistence.ErrCorrupt, s.path(dataFolder), fmt.Sprintf(what, args...))
}

// listener hears of what Pebble meets in the background. A table that can't be
// read while it is merged is for good: Pebble would try again at once, and for
// ever.
func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.fail,
		WALCreated:      func(pebble.WALCreateInfo) { s.tally.turned.Store(true) },
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
