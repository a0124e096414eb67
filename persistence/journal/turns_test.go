package journal_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// Who would append more before a shard's turn is told when it comes soon, and when that
// is now, that it is; on a store of this process alone it is always now. Mutations seen
// to fail: queue not saying which shards wait long; turn telling nobody; soon counted
// from the shard that has its turn; far asked of a local store.
func TestTurnsComeSoon(t *testing.T) {
	for name, remote := range map[string]bool{"of others, too": true, "of this process": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const shards = 8
				store := newStoreOf(t, shards, remote)
				cfg := journal.DefaultConfig()
				cfg.InFlight, cfg.CrowdedInFlight = 1, 1
				j := openJournalWith(t, store, "n1", cfg)
				defer closeJournal(t, j)
				turns := make(chan struct{})
				store.Hook(persistencetest.Hooks{
					Append: func(context.Context, persistence.Frame) error { <-turns; return nil },
				})
				var told []int
				var waits []int
				for n := range shards {
					s, _ := openShard(t, j, persistence.Shard(n))
					appendText(t, s, journal.NewWriter("station", "a"), "one")
					synctest.Wait()
					if n > 0 && s.BeforeFrame(func() { told = append(told, n) }) {
						waits = append(waits, n)
					}
				}
				expect := func(after int, wantTold []int) {
					t.Helper()
					synctest.Wait()
					if !slices.Equal(told, wantTold) {
						t.Errorf("after %d frames %v were told, want %v", after, told, wantTold)
					}
				}
				// The first is under way, the next four come soon.
				if want := []int{5, 6, 7}; remote && !slices.Equal(waits, want) || !remote && len(waits) > 0 {
					t.Errorf("shards %v wait", waits)
				}
				expect(0, nil)
				for n := range shards {
					turns <- struct{}{}
					if remote {
						expect(n+1, []int{5, 6, 7}[:min(n+1, 3)])
					}
				}
			})
		})
	}
}

// A node has few frames under way at a store that takes longer the more it has to do,
// and as many as it may where each takes long whatever there is to do, and as soon as
// the store is fast again. Mutations seen to fail: crowded always, and never; CrowdedInFlight
// kept for ever.
func TestCrowded(t *testing.T) {
	const shards, few = 16, 4
	const far, near = 50 * time.Millisecond, time.Millisecond
	crowded := func(under int64) time.Duration { return near * time.Duration(under) }
	for name, test := range map[string]struct {
		takes func(under int64, at time.Duration) time.Duration
		want  int64 // frames under way in the end
	}{
		"far":     {func(int64, time.Duration) time.Duration { return far }, shards},
		"crowded": {func(under int64, _ time.Duration) time.Duration { return crowded(under) }, few},
		"crowded, then fast": {func(under int64, at time.Duration) time.Duration {
			if at < 5*time.Second {
				return crowded(under)
			}
			return near
		}, shards},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStoreOf(t, shards, true)
				cfg := journal.DefaultConfig()
				cfg.InFlight, cfg.CrowdedInFlight = shards, few
				j := openJournalWith(t, store, "n1", cfg)
				defer closeJournal(t, j)
				begin := time.Now()
				var under, most atomic.Int64
				store.Hook(persistencetest.Hooks{
					Append: func(context.Context, persistence.Frame) error {
						n := under.Add(1)
						most.Store(max(most.Load(), n))
						time.Sleep(test.takes(n, time.Since(begin))) //nolint:forbidigo // of a bubble
						under.Add(-1)
						return nil
					},
				})
				ctx, cancel := context.WithCancel(t.Context())
				var writers sync.WaitGroup
				for n := range shards {
					s, _ := openShard(t, j, persistence.Shard(n))
					writers.Go(func() {
						w := journal.NewWriter("station", "a")
						for ctx.Err() == nil {
							acked := newWait()
							s.Wait(appendText(t, s, w, "one"), acked)
							if acked.outcome(t) != nil {
								return
							}
						}
					})
				}
				time.Sleep(10 * time.Second) //nolint:forbidigo // of a bubble
				most.Store(0)
				time.Sleep(time.Second) //nolint:forbidigo // of a bubble
				if got := most.Load(); got != test.want {
					t.Errorf("%d frames were under way, want %d", got, test.want)
				}
				cancel()
				writers.Wait()
			})
		})
	}
}

// Shards whose frames the store can't take do not use up the turns of others, though it
// has much to do. Mutation seen to fail: frames never late.
func TestStuckFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards, stuck, few = 16, 8, 4
		store := newStoreOf(t, shards, true)
		cfg := journal.DefaultConfig()
		cfg.InFlight, cfg.CrowdedInFlight = shards, few
		j := openJournalWith(t, store, "n1", cfg)
		defer closeJournal(t, j)
		var under atomic.Int64
		var broken atomic.Bool
		mended := make(chan struct{})
		store.Hook(persistencetest.Hooks{
			Append: func(_ context.Context, f persistence.Frame) error {
				if f.Shard < stuck && broken.Load() {
					<-mended
					return nil
				}
				time.Sleep(time.Millisecond * time.Duration(under.Add(1))) //nolint:forbidigo // of a bubble
				under.Add(-1)
				return nil
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		var acked [shards]atomic.Int64
		for n := range shards {
			s, _ := openShard(t, j, persistence.Shard(n))
			writers.Go(func() {
				w := journal.NewWriter("station", "a")
				for ctx.Err() == nil {
					end := newWait()
					s.Wait(appendText(t, s, w, "one"), end)
					if end.outcome(t) == nil {
						acked[n].Add(1)
					}
				}
			})
		}
		time.Sleep(5 * time.Second) //nolint:forbidigo // of a bubble
		broken.Store(true)
		time.Sleep(5 * time.Second) //nolint:forbidigo // of a bubble
		var before [shards]int64
		for n := range shards {
			before[n] = acked[n].Load()
		}
		time.Sleep(5 * time.Second) //nolint:forbidigo // of a bubble
		for n := range shards {
			if got := acked[n].Load() - before[n]; (got > 0) != (n >= stuck) {
				t.Errorf("shard %d acknowledged %d frames in five seconds", n, got)
			}
		}
		cancel()
		close(mended)
		writers.Wait()
	})
}

// A store that has moved away is crowded until the time when it was near is forgotten.
// Mutations seen to fail: a window that does not end; one that forgets the one before
// it as well; an average that is the last.
func TestPace(t *testing.T) {
	const near, far, window = 2 * time.Millisecond, 50 * time.Millisecond, 10 * time.Minute
	var p journal.Pace
	now := time.Unix(0, 0)
	frames := func(takes, during time.Duration) {
		for end := now.Add(during); now.Before(end); now = now.Add(100 * time.Millisecond) {
			p.Add(now, takes)
		}
	}
	expect := func(when string, want bool) {
		t.Helper()
		if p.Crowded() != want {
			t.Errorf("%s: crowded is %t", when, !want)
		}
	}
	frames(near, window/2)
	expect("near", false)
	p.Add(now, 10*near)
	expect("one that was slow", false)
	frames(far, window)
	expect("far, and near in the window before", true)
	frames(far, window)
	expect("far for long", false)
	frames(near, window)
	expect("near again", false)
}
