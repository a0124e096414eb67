package persistencetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

type faultyLevel struct {
	persistence.LevelRegister
	f *Faulty
}

func (l faultyLevel) Read(ctx context.Context) (persistence.Level, error) {
	return do(ctx, l.f, Op{Kind: OpLevel}, func(met) (persistence.Level, error) { return l.LevelRegister.Read(ctx) })
}

func (l faultyLevel) Raise(ctx context.Context, from, to persistence.Level) error {
	_, err := do(ctx, l.f, Op{Kind: OpRaiseLevel, Level: to}, func(met) (struct{}, error) {
		return struct{}{}, l.LevelRegister.Raise(ctx, from, to)
	})
	return err
}

// opened opens the store as a release that knows these levels, which has to do.
func (s Subject) opened(t *testing.T, least, most persistence.Level) persistence.Store {
	t.Helper()
	store, err := s.As(t, persistence.Levels{Least: least, Most: most})
	must(t, err)
	return store
}

// A new store is at this release's level, and one that was raised is kept from who
// doesn't know its level: by the first releases, and by the last.
//
// Mutations seen to fail: the store's own check of the level left out as it is opened
// (memory, a folder); Raise that doesn't look at from (each store).
func checkLevel(t *testing.T, s Subject) {
	ctx, now := t.Context(), persistence.KnownLevels().Most
	level, err := s.Store.Level().Read(ctx)
	must(t, err)
	equal(t, level, now)
	equal(t, s.Store.Level().Seen(), now)
	equal(t, s.Store.Level().Known(), persistence.KnownLevels())
	if err := s.Store.Level().Raise(ctx, now, now+1); err == nil {
		t.Error("raised to a level that this release does not know")
	}

	next := s.opened(t, now, now+2).Level()
	equal(t, next.Seen(), now)
	for name, raise := range map[string][2]persistence.Level{
		"to itself": {now, now}, "to a level that nobody knows": {now, now + 3}, "down": {now + 1, now},
	} {
		if err := next.Raise(ctx, raise[0], raise[1]); err == nil {
			t.Errorf("raised %s", name)
		}
	}
	if err := next.Raise(ctx, now+1, now+2); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("raised from a level that it does not have: %v, want ErrLost", err)
	}
	must(t, next.Raise(ctx, now, now+1))
	equal(t, next.Seen(), now+1)
	level, err = next.Read(ctx)
	must(t, err)
	equal(t, level, now+1)
	if err := next.Raise(ctx, now, now+1); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("raised twice: %v, want ErrLost", err)
	}

	for says, known := range map[string]persistence.Levels{
		"run a release that knows level 2":                 {Least: now, Most: now},
		"upgrade through a release that knows levels 2 to": {Least: now + 2, Most: now + 3},
	} {
		if _, err := s.As(t, known); !errors.Is(err, persistence.ErrLevel) || !strings.Contains(err.Error(), says) {
			t.Errorf("opened by a release that knows %s: %v, want ErrLevel that says %q", known, err, says)
		}
	}
	again := s.opened(t, now+1, now+1).Level()
	equal(t, again.Seen(), now+1)
}

// Of those who raise a level at the same time to two others, those to one of them do,
// and a store that is open elsewhere hears of it: what it knows it takes for seen, what it doesn't never.
//
// Mutation seen to fail: Read takes an unknown level for seen (memory, Cassandra).
func checkLevelStorm(t *testing.T, s Subject) {
	ctx, now := t.Context(), persistence.KnownLevels().Most
	next := s.opened(t, now, now+2)
	var mu sync.Mutex
	won := make(map[persistence.Level]bool)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			to := now + 1 + persistence.Level(i%2)
			err := next.Level().Raise(ctx, now, to)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won[to] = true
			} else if !errors.Is(err, persistence.ErrLost) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	level, err := next.Level().Read(ctx)
	must(t, err)
	if len(won) != 1 || !won[level] || level <= now {
		t.Errorf("the store is at level %d, and was raised to %v", level, won)
	}
	if !s.Many {
		return
	}
	if found, err := s.Store.Level().Read(ctx); !errors.Is(err, persistence.ErrLevel) || found != level {
		t.Errorf("the release before reads level %d, %v; want %d and ErrLevel", found, err, level)
	}
	equal(t, s.Store.Level().Seen(), now)
}
