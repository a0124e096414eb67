package pebble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/mesonet/mesonet/persistence"
)

// register is the level of the formats, a number in JSON. Nobody else can change it
// while the folder is open, so that it is read once.
type register Store

// createLevel writes the level of a new store.
func (s *Store) createLevel() error {
	level := s.cfg.Levels.OrKnown().Most
	value, err := json.Marshal(level)
	if err != nil {
		return fmt.Errorf("pebble: %w", err)
	}
	s.level.Store(uint32(level))
	return s.db.Set(levelKey, value, pebble.Sync)
}

// readLevel reads the level of a store that is being opened, and refuses one that this
// program doesn't know.
func (s *Store) readLevel() error {
	level := persistence.Level1 // of a folder from before there was a record
	value, closer, err := s.db.Get(levelKey)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return s.unread(err)
	default:
		bad := json.Unmarshal(value, &level) != nil || level < persistence.Level1
		if err := closer.Close(); err != nil {
			return s.unread(err)
		}
		if bad {
			return &persistence.CorruptError{Record: "level", Key: "of the formats", Reason: "it is no number"}
		}
	}
	if err := s.cfg.Levels.OrKnown().Check(level); err != nil {
		return fmt.Errorf("pebble: folder %s can't be opened: %w", s.cfg.Dir, err)
	}
	s.level.Store(uint32(level))
	return nil
}

// Known are the levels that this program knows.
func (r *register) Known() persistence.Levels { return r.cfg.Levels.OrKnown() }

// Seen is the level.
func (r *register) Seen() persistence.Level { return persistence.Level(r.level.Load()) }

// Read returns the level.
func (r *register) Read(ctx context.Context) (persistence.Level, error) {
	s := (*Store)(r)
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	return r.Seen(), nil
}

// Raise raises the level, if it is the one that is named.
func (r *register) Raise(ctx context.Context, from, to persistence.Level) error {
	if err := r.Known().CheckRaise(from, to); err != nil {
		return err
	}
	r.rmw.Lock()
	defer r.rmw.Unlock()
	if now := r.Seen(); now != from {
		return persistence.LostRaise(from, now)
	}
	if err := (*ownership)(r).put(ctx, record{levelKey, to}); err != nil {
		return fmt.Errorf("raising the level of the formats: %w", err)
	}
	r.level.Store(uint32(to))
	return nil
}
