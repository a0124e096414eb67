package memory

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/mesonet/mesonet/persistence"
)

// As returns the store as a program of another release has it open, which knows other
// levels of formats; everything else is shared.
func (s *Store) As(known persistence.Levels) (persistence.Store, error) {
	if err := known.Validate(); err != nil {
		return nil, err
	}
	r := s.as(known)
	if err := known.Check(r.Seen()); err != nil {
		return nil, fmt.Errorf("memory: the store can't be opened: %w", err)
	}
	return &release{s, r}, nil
}

func (s *Store) as(known persistence.Levels) *register {
	r := &register{s: s, known: known}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.seen.Store(uint32(s.level))
	return r
}

// release is the store of one release.
type release struct {
	*Store
	register *register
}

// Level says in which formats.
func (r *release) Level() persistence.LevelRegister { return r.register }

// register is the level as one program sees it.
type register struct {
	s     *Store
	known persistence.Levels
	seen  atomic.Uint32
}

func (r *register) Known() persistence.Levels { return r.known }
func (r *register) Seen() persistence.Level   { return persistence.Level(r.seen.Load()) }

func (r *register) Read(ctx context.Context) (persistence.Level, error) {
	if err := r.s.lock(ctx); err != nil {
		return 0, err
	}
	defer r.s.mu.Unlock()
	if err := r.known.Check(r.s.level); err != nil {
		return r.s.level, err
	}
	r.seen.Store(uint32(r.s.level))
	return r.s.level, nil
}

func (r *register) Raise(ctx context.Context, from, to persistence.Level) error {
	if err := r.known.CheckRaise(from, to); err != nil {
		return err
	}
	if err := r.s.lock(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	if r.s.level != from {
		return persistence.LostRaise(from, r.s.level)
	}
	r.s.level = to
	r.seen.Store(uint32(to))
	return nil
}
