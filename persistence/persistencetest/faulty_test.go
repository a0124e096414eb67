package persistencetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/pebble"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stores are what can be behind a Faulty.
var stores = map[string]func(t *testing.T) Subject{
	"memory": func(t *testing.T) Subject {
		s := newMemory(t)
		return Subject{Store: s, Many: true, As: func(_ *testing.T, known persistence.Levels) (persistence.Store, error) { return s.As(known) }}
	},
	"pebble": func(t *testing.T) Subject {
		dir := t.TempDir()
		var last *pebble.Store
		as := func(t *testing.T, known persistence.Levels) (persistence.Store, error) {
			if last != nil {
				if err := last.Close(); err != nil {
					t.Fatal(err)
				}
			}
			cfg := pebble.DefaultConfig(dir)
			cfg.MemTable, cfg.Levels = 1<<20, known
			var err error
			last, err = pebble.Open(t.Context(), cfg)
			return last, err
		}
		reopen := func(t *testing.T) persistence.Store {
			s, err := as(t, persistence.KnownLevels())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		t.Cleanup(func() {
			if last != nil {
				_ = last.Close()
			}
		})
		return Subject{Store: reopen(t), Reopen: reopen, As: as}
	},
}

func newMemory(t *testing.T) *memory.Store {
	t.Helper()
	m, err := memory.New(32)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Without faults it is the store behind; with delays, it keeps every promise.
func TestFaultyKeepsThePromises(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for name, behind := range stores {
		for _, c := range []struct {
			name   string
			remote bool
			faults func() []*Fault
		}{
			{"no faults", false, func() []*Fault { return nil }},
			{"remote", true, func() []*Fault { return nil }},
			{"delays", false, func() []*Fault { return []*Fault{Delay(seed)} }},
			{"delays now and then", true, func() []*Fault { return []*Fault{Random(seed, 0.3, Delay(seed))} }},
			{"nothing happens", false, func() []*Fault { return []*Fault{Random(seed, 1), {Name: "none"}} }},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				Run(t, func(t *testing.T) Subject {
					s := behind(t)
					wrap := func(store persistence.Store) *Faulty {
						f := &Faulty{Store: store, Remote: c.remote}
						f.Inject(c.faults()...)
						return f
					}
					faulty := Subject{Store: wrap(s.Store), Many: s.Many}
					faulty.As = func(t *testing.T, known persistence.Levels) (persistence.Store, error) {
						store, err := s.As(t, known)
						if err != nil {
							return nil, err
						}
						return wrap(store), nil
					}
					if s.Reopen != nil {
						faulty.Reopen = func(t *testing.T) persistence.Store { return wrap(s.Reopen(t)) }
					}
					return faulty
				})
			})
		}
	}
}

// Each fault does what it says, and nothing else.
func TestFaults(t *testing.T) {
	first, second := Frame(t, 1, persistence.At(e, 0), 1, "a"), Frame(t, 1, persistence.At(e, 1), 1, "b")
	page := persistence.Page{Key: persistence.PageKey{Shard: 1, Kind: "k", ID: "i", Page: "p"}, Position: 3, Version: 1, Data: []byte("data")}
	claim := persistence.Claim{Shard: 1, Owner: "n", Incarnation: 1}
	for _, c := range []struct {
		name   string
		fault  *Fault
		append error // of the first frame; the second one is appended without the fault
		write  error
		claim  error
		epoch  persistence.Epoch // what the store has then
		frames []persistence.Frame
		pages  int
	}{
		{"append fails", Fail(OpAppend), ErrInjected, nil, nil, e, []persistence.Frame{second}, 1},
		{"reply of an append lost", LoseReply(OpAppend), ErrInjected, nil, nil, e, []persistence.Frame{first, second}, 1},
		{"late append", Late(), ErrInjected, nil, nil, e, []persistence.Frame{second}, 1},
		{"write of pages fails", Fail(OpWritePages), nil, ErrInjected, nil, e, []persistence.Frame{first, second}, 0},
		{"its reply lost", LoseReply(OpWritePages), nil, ErrInjected, nil, e, []persistence.Frame{first, second}, 1},
		{"claim fails", Fail(OpClaim), nil, nil, ErrInjected, 0, []persistence.Frame{first, second}, 1},
		{"reply of a claim lost", LoseReply(OpClaim), nil, nil, ErrInjected, e, []persistence.Frame{first, second}, 1},
		{"another shard", Fail().Of(2), nil, nil, nil, e, []persistence.Frame{first, second}, 1},
		{"second operation", Fail().Nth(2), nil, ErrInjected, nil, e, []persistence.Frame{first, second}, 0},
		{"two operations", Fail().Times(2), ErrInjected, ErrInjected, nil, e, []persistence.Frame{second}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			f := &Faulty{Store: newMemory(t), Remote: true}
			f.Inject(c.fault)
			expect(t, "append", Append(ctx, f.Log(), first), c.append)
			expect(t, "write", f.Pages().Write(ctx, []persistence.Page{page}), c.write)
			_, err := f.Ownership().Claim(ctx, claim)
			expect(t, "claim", err, c.claim)
			f.Heal()
			expect(t, "append after healing", Append(ctx, f.Log(), second), nil)
			frames, err := ReadAll(ctx, f.Log(), 1, first.Position)
			if diff := cmp.Diff(c.frames, frames); err != nil || diff != "" {
				t.Errorf("the log has (-want +got)\n%s%v", diff, err)
			}
			row, err := f.Ownership().Shard(ctx, 1)
			if err != nil || row.Epoch != c.epoch {
				t.Errorf("shard is %+v, %v; want epoch %d", row, err, c.epoch)
			}
			pages := 0
			for _, err := range f.Pages().Scan(ctx, 1, persistence.PageKey{}, false) {
				expect(t, "scan", err, nil)
				pages++
			}
			if pages != c.pages {
				t.Errorf("%d pages, want %d", pages, c.pages)
			}
		})
	}
}

// Reads fail, at their beginning and in their middle, and yield what is damaged.
func TestFaultyReads(t *testing.T) {
	ctx := t.Context()
	f := &Faulty{Store: newMemory(t)}
	for i := range uint64(3) {
		expect(t, "append", Append(ctx, f.Log(), Frame(t, 1, persistence.At(e, i), 1, "x")), nil)
	}
	page := persistence.Page{Key: persistence.PageKey{Shard: 1, Kind: "k", ID: "i", Page: "p"}, Position: 3, Version: 1}
	expect(t, "write", f.Pages().Write(ctx, []persistence.Page{page}), nil)
	inc, err := f.Ownership().Boot(ctx, "n", "")
	expect(t, "boot", err, nil)
	reads := map[OpKind]func() error{
		OpReadLog:  func() error { _, err := ReadAll(ctx, f.Log(), 1, persistence.At(e, 0)); return err },
		OpReadPage: func() error { _, err := f.Pages().Read(ctx, page.Key); return err },
		OpScan: func() error {
			for _, err := range f.Pages().Scan(ctx, 1, persistence.PageKey{}, false) {
				return err
			}
			return nil
		},
		OpNode:  func() error { _, err := f.Ownership().Node(ctx, "n"); return err },
		OpShard: func() error { _, err := f.Ownership().Shard(ctx, 1); return err },
		OpCheck: func() error { return f.Ownership().Check(ctx, "n", inc) },
	}
	for kind := range reads {
		f.Inject(Fail(kind))
		for other, read := range reads {
			want := map[bool]error{true: ErrInjected}[kind == other]
			expect(t, fmt.Sprintf("%s while each %s fails", other, kind), read(), want)
		}
		f.Heal()
	}
	f.Inject(BreakRead(2))
	frames, err := ReadAll(ctx, f.Log(), 1, persistence.At(e, 0))
	if len(frames) != 2 || !errors.Is(err, ErrInjected) {
		t.Errorf("a read that breaks off after 2 frames: %d, %v", len(frames), err)
	}
	f.Heal()
	for _, at := range []float64{0, 0.3, 1} {
		f.Inject(CorruptReads(at))
		frames, err = ReadAll(ctx, f.Log(), 1, persistence.At(e, 0))
		for _, frame := range frames {
			_, err := persistence.DecodeFrame(1, frame.Position, frame.Data)
			expect(t, fmt.Sprintf("a frame damaged at %v", at), err, persistence.ErrCorrupt)
		}
		if len(frames) != 3 || err != nil {
			t.Errorf("%d frames, %v", len(frames), err)
		}
		f.Heal()
	}
	f.Inject(CorruptPages())
	expect(t, "a damaged page", reads[OpReadPage](), persistence.ErrCorrupt)
	expect(t, "a scan over it", reads[OpScan](), persistence.ErrCorrupt)
	f.Heal()
	for kind, read := range reads {
		expect(t, kind.String(), read(), nil)
	}
	f.Inject(CorruptFrames(0.5))
	bad := Frame(t, 1, persistence.At(e, 3), 1, "x")
	expect(t, "append of a frame that is stored damaged", Append(ctx, f.Log(), bad), nil)
	f.Heal()
	frames, err = ReadAll(ctx, f.Log(), 1, bad.Position)
	expect(t, "read", err, nil)
	_, err = persistence.DecodeFrame(1, bad.Position, frames[0].Data)
	expect(t, "the frame that was stored damaged", err, persistence.ErrCorrupt)
}

// What is held waits for its gate and nothing else; a frame that is late comes
// when it is delivered, behind those that were appended after it.
func TestHeldAndLate(t *testing.T) {
	ctx := t.Context()
	f := &Faulty{Store: newMemory(t), Remote: true}
	hold, gate := Hold(OpAppend)
	f.Inject(hold.Nth(1))
	outcome := make(chan error, 1)
	f.Log().Append(ctx, Frame(t, 1, persistence.At(e, 0), 1, "held"), func(err error) { outcome <- err })
	gate.Await(1)
	expect(t, "a second append", Append(ctx, f.Log(), Frame(t, 1, persistence.At(e, 1), 1, "second")), nil)
	count(t, f, 1)
	gate.Open()
	expect(t, "what was held", <-outcome, nil)
	count(t, f, 2)

	hold, _ = Hold(OpReadPage)
	f.Inject(hold)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := f.Pages().Read(canceled, persistence.CheckpointKey(1))
	expect(t, "what is held and given up", err, context.Canceled)
	f.Heal()

	back, gate := HoldReply(OpClaim)
	f.Inject(back)
	go func() {
		_, err := f.Ownership().Claim(ctx, persistence.Claim{Shard: 1, Owner: "n", Incarnation: 1})
		outcome <- err
	}()
	gate.Await(1)
	row, err := f.Ownership().Shard(ctx, 1)
	if err != nil || row.Epoch != e {
		t.Errorf("a claim whose reply is held back: %+v, %v", row, err)
	}
	gate.Open()
	expect(t, "the claim", <-outcome, nil)

	f.Inject(Late().Times(2))
	for i := range uint64(3) {
		want := map[bool]error{true: ErrInjected}[i < 2]
		expect(t, "append", Append(ctx, f.Log(), Frame(t, 1, persistence.At(e, 2+i), 1, "late")), want)
	}
	count(t, f, 3)
	if n, err := f.Deliver(ctx); n != 2 || err != nil {
		t.Errorf("delivered %d, %v; want 2", n, err)
	}
	count(t, f, 5)
	expect(t, "close", f.Close(), nil)
}

// A schedule can be repeated, meets every fault that it has, and can be switched
// off.
func TestRandom(t *testing.T) {
	run := func(seed uint64) (names []string) {
		schedule := Random(seed, 0.5, Ordinary(seed, true)...)
		for i := range 200 {
			name := "-"
			if f := schedule.Pick(Op{Kind: OpKind(i % 13)}); f != nil {
				name = f.Name
			}
			names = append(names, name)
		}
		return names
	}
	once, again, other := run(1), run(1), run(2)
	if !cmp.Equal(once, again) || cmp.Equal(once, other) {
		t.Error("a seed doesn't decide the schedule")
	}
	met := map[string]int{}
	for _, name := range once {
		met[name]++
	}
	if len(met) != 6 || met["-"] < 60 || met["-"] > 140 { // two of Ordinary have one name
		t.Errorf("met %v", met)
	}
	ctx := t.Context()
	f := &Faulty{Store: newMemory(t)}
	f.Inject(Random(1, 1, Fail()))
	expect(t, "boot", func() error { _, err := f.Ownership().Boot(ctx, "n", ""); return err }(), ErrInjected)
	f.Heal()
	expect(t, "boot", func() error { _, err := f.Ownership().Boot(ctx, "n", ""); return err }(), nil)
}

func expect(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func count(t *testing.T, f *Faulty, want int) {
	t.Helper()
	frames, err := ReadAll(t.Context(), f.Log(), 1, persistence.At(e, 0))
	if err != nil || len(frames) != want {
		t.Errorf("%d frames, %v; want %d", len(frames), err, want)
	}
}
