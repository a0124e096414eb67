package journal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// gatherTest is one shard of a store of which a frame takes 10 ms, and what happened
// there, with the time since bulk was appended the last time.
type gatherTest struct {
	t        *testing.T
	store    *persistencetest.Faulty
	j        *journal.Journal
	s        *journal.Shard
	begin    time.Time
	mu       sync.Mutex
	log      []string
	draining []func()
}

const frameTakes = 10 * time.Millisecond

// newGatherTest is of a store that is crowded, or takes as long as ever.
func newGatherTest(t *testing.T, crowded, drains bool, check time.Duration) *gatherTest {
	store := newStore(t, true)
	g := &gatherTest{t: t, store: store}
	takes := frameTakes
	if crowded {
		takes = time.Millisecond
	}
	store.Hook(persistencetest.Hooks{Append: func(_ context.Context, f persistence.Frame) error {
		if !g.begin.IsZero() {
			g.happens("a frame of %d goes", f.Count)
		}
		time.Sleep(takes) //nolint:forbidigo // of a bubble
		return nil
	}, Check: func(context.Context) error {
		time.Sleep(check) //nolint:forbidigo // of a bubble
		return nil
	}})
	cfg := journal.DefaultConfig()
	if drains {
		cfg.Drain = func(_ persistence.Shard, done func()) {
			if g.begin.IsZero() {
				done()
				return
			}
			g.happens("drain")
			g.draining = append(g.draining, done)
		}
	}
	g.j = openJournalWith(t, store, "n1", cfg)
	g.s, _ = openShard(t, g.j, 0)
	for range 100 { // until this is usual
		g.settled(g.s.Append)
		takes = frameTakes
	}
	time.Sleep(time.Second) //nolint:forbidigo // of a bubble
	g.settled(g.s.AppendBulk)
	g.begin = time.Now()
	return g
}

// settled writes an event, and waits until it is acknowledged.
func (g *gatherTest) settled(put appending) {
	g.t.Helper()
	acked := newWait()
	g.s.Wait(g.put(put, "usual", 1), acked)
	if err := acked.outcome(g.t); err != nil {
		g.t.Fatal(err)
	}
}

// appending is Append or AppendBulk.
type appending func(*journal.Writer, []journal.Record) (persistence.Position, error)

func (g *gatherTest) put(put appending, id string, events int) persistence.Position {
	g.t.Helper()
	end, err := put(journal.NewWriter("test", id), slices.Repeat([]journal.Record{{Type: noted, Payload: []byte("x")}}, events))
	if err != nil {
		g.t.Fatal(err)
	}
	return end
}

func (g *gatherTest) happens(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log = append(g.log, fmt.Sprintf("%3d ms: ", time.Since(g.begin).Round(time.Millisecond).Milliseconds())+fmt.Sprintf(format, args...))
}

// bulk appends as much, and append what is in a hurry; either says when it is acknowledged.
func (g *gatherTest) bulk(events int)   { g.write("bulk", g.s.AppendBulk, events) }
func (g *gatherTest) append(events int) { g.write("no bulk", g.s.Append, events) }

func (g *gatherTest) write(what string, put appending, events int) {
	g.t.Helper()
	g.s.Wait(g.put(put, what, events), told(func(err error) { g.happens("%s is acknowledged: %v", what, err) }))
}

// before says whether it has to wait for the next frame, and when that comes.
func (g *gatherTest) before(then func()) {
	if !g.s.BeforeFrame(func() { g.happens("told"); then() }) {
		g.happens("need not wait")
	}
}

// at goes on to a time.
func (g *gatherTest) at(ms int) {
	time.Sleep(time.Until(g.begin.Add(time.Duration(ms) * time.Millisecond))) //nolint:forbidigo // of a bubble
	synctest.Wait()
}

func nothing() {}

// At a store that has much to do a shard rests between two frames with bulk, four times
// as long as a frame takes there, and no longer than it may. Mutations seen to fail: rest
// never, always, or longer than it may; nobody told of its end; BeforeFrame false during
// it; who drains not asked, or waited for for ever; wants with no look at the rest, at
// frames that are in a hurry, or at what makes them so; one in a hurry that begins the
// rest anew; who was held told never when no frame goes, by hurry or by acknowledge; a
// rest that Close or HandOver waits for.
func TestBulkGathers(t *testing.T) {
	for name, test := range map[string]struct {
		quiet, drains bool
		check         time.Duration // takes a check
		do            func(g *gatherTest)
		want          string
	}{
		"rests": {
			do: func(g *gatherTest) {
				g.bulk(1) // nothing is under way
				g.at(5)
				g.before(func() { g.bulk(3) })
				g.at(15) // stored at 10, and resting
				g.before(nothing)
				g.bulk(2) // by somebody who was not asked to wait
				g.at(100)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				40: told
				40: told
				40: a frame of 5 goes
				50: bulk is acknowledged: <nil>
				50: bulk is acknowledged: <nil>`,
		},
		"a store that is only far away": {
			quiet: true,
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(5)
				g.before(func() { g.bulk(3) })
				g.at(100)
			},
			want: `0: a frame of 1 goes
				10: told
				10: bulk is acknowledged: <nil>
				10: a frame of 3 goes
				20: bulk is acknowledged: <nil>`,
		},
		"drains": {
			drains: true,
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(5)
				g.before(func() { g.bulk(2) })
				g.at(45)
				g.bulk(3) // of another who was told
				g.before(nothing)
				g.at(47)
				g.draining[0]()
				g.at(100)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				40: told
				40: drain
				47: a frame of 5 goes
				57: bulk is acknowledged: <nil>
				57: bulk is acknowledged: <nil>
				80: told
				80: drain`,
		},
		"nobody says so": {
			drains: true,
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(15)
				g.bulk(1)
				g.at(100)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				40: drain
				80: a frame of 1 goes
				90: bulk is acknowledged: <nil>`,
		},
		"nothing comes of it": {
			drains: true,
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(5)
				g.before(nothing)
				g.at(45)
				g.before(nothing) // held, and nothing will go
				g.draining[0]()
				g.at(46)
				g.before(nothing)
				g.bulk(1)
				g.at(70)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				40: told
				40: drain
				45: told
				46: need not wait
				46: a frame of 1 goes
				56: bulk is acknowledged: <nil>`,
		},
		"a hurry": {
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(5)
				g.append(1) // while a frame is under way
				g.before(func() { g.bulk(1) })
				g.at(25)
				g.append(1) // while it rests
				g.at(60)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				10: a frame of 1 goes
				20: no bulk is acknowledged: <nil>
				25: a frame of 1 goes
				35: no bulk is acknowledged: <nil>
				40: told
				40: a frame of 1 goes
				50: bulk is acknowledged: <nil>`,
		},
		"a hurry, and drains": {
			drains: true,
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(25)
				g.append(1)
				g.at(60)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				25: a frame of 1 goes
				35: no bulk is acknowledged: <nil>
				40: drain`,
		},
		"drained while a frame is checked": {
			drains: true, check: 5 * time.Millisecond,
			do: func(g *gatherTest) {
				g.bulk(1) // 5 ms after the bulk before it was stored
				g.at(22)
				g.append(1) // stored at 32
				g.at(36)
				g.before(nothing)
				g.draining[0]()
				g.at(60)
			},
			want: `0: a frame of 1 goes
				15: bulk is acknowledged: <nil>
				22: a frame of 1 goes
				35: drain
				37: no bulk is acknowledged: <nil>
				37: told`,
		},
		"closed": {
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(15)
				g.bulk(1)
				closeJournal(g.t, g.j)
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				15: a frame of 1 goes
				25: bulk is acknowledged: <nil>`,
		},
		"handed over": {
			do: func(g *gatherTest) {
				g.bulk(1)
				g.at(15)
				g.bulk(1)
				if _, err := g.s.HandOver(g.t.Context(), persistence.NodeRow{ID: "n2", Incarnation: 1}); err != nil {
					g.t.Error(err)
				}
			},
			want: `0: a frame of 1 goes
				10: bulk is acknowledged: <nil>
				15: a frame of 1 goes
				25: bulk is acknowledged: <nil>`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGatherTest(t, !test.quiet, test.drains, test.check)
				test.do(g)
				g.mu.Lock()
				got := slices.Sorted(slices.Values(g.log)) // in the same millisecond all comes at once
				g.mu.Unlock()
				if name != "closed" {
					closeJournal(t, g.j)
				}
				var want []string
				for line := range strings.Lines(test.want) {
					at, what, _ := strings.Cut(strings.TrimSpace(line), ":")
					want = append(want, fmt.Sprintf("%3s ms:%s", at, what))
				}
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("it went\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}

// However little of a time it may rest, a shard that has much waiting does not. Mutation
// seen to fail: hurries without a look at the bytes.
func TestMuchBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatherTest(t, true, false, 0)
		defer func() { closeJournal(t, g.j) }()
		g.bulk(1)
		g.at(15)
		part := strings.Repeat("x", 256<<10)
		for range 5 { // 4 MiB may wait
			if _, err := g.s.AppendBulk(journal.NewWriter("test", "much"), []journal.Record{{Type: noted, Payload: []byte(part)}}); err != nil {
				t.Fatal(err)
			}
		}
		g.at(16)
		g.mu.Lock()
		defer g.mu.Unlock()
		if last := g.log[len(g.log)-1]; !strings.HasPrefix(last, " 15 ms: a frame of") {
			t.Errorf("at 16 ms the last was %q", last)
		}
	})
}

// At a store that has much to do one check is made at a time, of all frames that became
// durable during the one before; but one that takes long holds up nobody. Where there is
// not much to do each check begins at once. Mutations seen to fail: acker.rest never
// waiting, or not for at most that long, or at any store.
func TestFewChecks(t *testing.T) {
	const takes = 15 * time.Millisecond
	for name, test := range map[string]struct {
		quiet bool
		first time.Duration // takes the first check
		want  []int         // ms at which checks begin
	}{
		"much to do":             {first: takes, want: []int{0, 15}},
		"much to do, and a slow": {first: 10 * time.Second, want: []int{0, 40, 55}},
		"not much":               {quiet: true, first: takes, want: []int{0, 2, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGatherTest(t, !test.quiet, false, 0)
				defer func() { closeJournal(t, g.j) }()
				var mu sync.Mutex
				var began []int
				g.store.Hook(persistencetest.Hooks{Check: func(context.Context) error {
					mu.Lock()
					began = append(began, int(time.Since(g.begin).Round(time.Millisecond).Milliseconds()))
					first := len(began) == 1
					mu.Unlock()
					if first {
						time.Sleep(test.first) //nolint:forbidigo // of a bubble
					} else {
						time.Sleep(takes) //nolint:forbidigo // of a bubble
					}
					return nil
				}})
				for _, at := range []int{0, 2, 4, 45} {
					if at == 45 && test.first == takes {
						break
					}
					g.at(at)
					g.s.Confirm(g.s.Acked(), told(func(err error) {
						if err != nil {
							t.Error(err)
						}
					}))
					synctest.Wait()
				}
				g.at(11_000)
				mu.Lock()
				defer mu.Unlock()
				if !slices.Equal(began, test.want) {
					t.Errorf("checks began at %d ms, want %d", began, test.want)
				}
			})
		})
	}
}
