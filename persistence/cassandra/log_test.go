package cassandra

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/cqlproxy"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// An append is sent again until it has an answer, and is the same each time.
//
// Seen to fail when it is tried once, and with another timestamp each time.
func TestAppendRepeats(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	cfg.Timeout = time.Second
	proxy, a := proxied(t, cfg)
	s := opened(t, a)
	p := persistence.At(e, 0)
	for name, inject := range map[string]func(cqlproxy.Match){
		"request lost":  func(m cqlproxy.Match) { proxy.Drop(m) },
		"reply lost":    func(m cqlproxy.Match) { m.At = cqlproxy.OnReply; proxy.Drop(m) },
		"cut":           func(m cqlproxy.Match) { proxy.Cut(m) },
		"timeout":       func(m cqlproxy.Match) { proxy.Fail(m, cqlproxy.WriteTimeout(cqlproxy.WriteSimple, 1, 2)) },
		"write failure": func(m cqlproxy.Match) { proxy.Fail(m, cqlproxy.WriteFailure(cqlproxy.WriteSimple, 1, 2, 1)) },
		"overloaded":    func(m cqlproxy.Match) { proxy.Fail(m, cqlproxy.Overloaded()) },
		"unavailable":   func(m cqlproxy.Match) { proxy.Fail(m, cqlproxy.Unavailable(2, 1)) },
		"server error":  func(m cqlproxy.Match) { proxy.Fail(m, cqlproxy.ServerError("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var sent [][][]byte
			watch := proxy.Watch(cqlproxy.Match{Table: "log", Plain: true, Where: func(r *cqlproxy.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, r.Statements[0].Values)
				return true
			}})
			defer watch.Remove()
			inject(cqlproxy.Match{Table: "log", Plain: true, Times: 1})
			f := persistencetest.Frame(t, 1, p, 2, name)
			must(t, persistencetest.Append(t.Context(), s.Log(), f))
			frames, err := persistencetest.ReadAll(t.Context(), s.Log(), 1, p)
			must(t, err)
			equal(t, frames, []persistence.Frame{f})
			p = f.End()
			if len(sent) != 2 {
				t.Fatalf("it was sent %d times, want 2", len(sent))
			}
			equal(t, sent[1], sent[0])
		})
	}
}

// An append without an answer ends with an error after WriteTimeout, or when its
// context or the store ends; the frame may come later.
//
// Seen to fail with ErrClosed for an append that was sent.
func TestAppendGivesUp(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	cfg.Timeout, cfg.WriteTimeout = 200*time.Millisecond, time.Second
	proxy, a := proxied(t, cfg)
	s := opened(t, a)
	late := proxy.FailAndHold(cqlproxy.Match{Table: "log", Plain: true}, cqlproxy.WriteTimeout(cqlproxy.WriteSimple, 0, 1))
	f := persistencetest.Frame(t, 1, persistence.At(e, 0), 1, "late")
	if err := persistencetest.Append(t.Context(), s.Log(), f); err == nil || errors.Is(err, persistence.ErrClosed) {
		t.Errorf("an append that nothing answers: %v", err)
	}

	a.WriteTimeout = time.Hour
	patient := opened(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	first := persistencetest.Frame(t, 2, persistence.At(e, 0), 1, "cancelled")
	watch := proxy.Watch(cqlproxy.Match{Table: "log", Plain: true})
	answers := make(chan error, 2)
	patient.Log().Append(ctx, first, func(err error) { answers <- err })
	must(t, watch.Wait(t.Context()))
	cancel()
	if err := <-answers; err == nil || errors.Is(err, persistence.ErrClosed) {
		t.Errorf("an append whose context ended: %v", err)
	}
	watch = proxy.Watch(cqlproxy.Match{Table: "log", Plain: true})
	patient.Log().Append(t.Context(), persistencetest.Frame(t, 3, persistence.At(e, 0), 1, "closed"), func(err error) { answers <- err })
	must(t, watch.Wait(t.Context()))
	must(t, patient.Close())
	select {
	case err := <-answers:
		if err == nil || errors.Is(err, persistence.ErrClosed) {
			t.Errorf("an append that was sent before the store was closed: %v", err)
		}
	default:
		t.Error("Close did not wait for an append")
	}

	late.Release()
	must(t, late.Done(t.Context()))
	frames, err := persistencetest.ReadAll(t.Context(), opened(t, cfg).Log(), 1, f.Position)
	must(t, err)
	equal(t, frames, []persistence.Frame{f})
}

// A frame that comes after the part of the log that it belongs to was deleted
// stays away; one above stays.
//
// Seen to fail with the first position of what is deleted as the timestamp, of
// either deletion.
func TestLateFrameOfADeletedPart(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	cfg.Timeout, cfg.WriteTimeout = time.Second, time.Second
	proxy, a := proxied(t, cfg)
	s, other := opened(t, a), opened(t, cfg)
	const width = 1 << chunkBits
	late := proxy.FailAndHold(cqlproxy.Match{Client: "a", Table: "log", Plain: true}, cqlproxy.WriteTimeout(cqlproxy.WriteSimple, 0, 1))
	for _, seq := range []uint64{width - 2, 2*width + 7, 2*width + 11} { // in a chunk that goes; below and above in one that stays
		if err := persistencetest.Append(t.Context(), s.Log(), persistencetest.Frame(t, 1, persistence.At(e, seq), 1, "late")); err == nil {
			t.Fatal("an append that is held has succeeded")
		}
	}
	kept := persistencetest.Frame(t, 1, persistence.At(e, 2*width+10), 1, "kept")
	must(t, persistencetest.Append(t.Context(), other.Log(), kept))
	must(t, other.Log().Delete(t.Context(), 1, kept.Position))
	late.Release()
	must(t, late.Done(t.Context()))
	var got []uint64
	for chunk := range int64(4) {
		frames, _, err := other.readFrames(t.Context(), 1, e, chunk, chunk<<chunkBits, 100)
		must(t, err)
		for _, f := range frames {
			got = append(got, f.at.Seq())
		}
	}
	equal(t, got, []uint64{2*width + 10, 2*width + 11})
}

// Who reads from before what was deleted finds what is left of the epoch, however
// many chunks are gone.
//
// Seen to fail without the look at the low mark, and with its chunk as the place to
// go on: a frame may reach over it.
func TestReadOverADeletedPart(t *testing.T) {
	t.Parallel()
	s := opened(t, newStore(t, 1))
	row, err := s.Ownership().Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "a", Incarnation: 1})
	must(t, err)
	const width = 1 << chunkBits
	var frames []persistence.Frame
	for at, end := persistence.At(e, 0), persistence.At(e, 5*width-100); at < end; at = frames[len(frames)-1].End() {
		f := bigFrame(t, 1, at, width-10)
		must(t, persistencetest.Append(t.Context(), s.Log(), f))
		frames = append(frames, f)
	}
	left := len(frames) - 2
	below := frames[left].End() - 5 // in another chunk than it begins in
	_, err = s.Ownership().RaiseLow(t.Context(), row, below)
	must(t, err)
	must(t, s.Log().Delete(t.Context(), 1, below))
	for _, from := range []persistence.Position{persistence.At(e, 0), frames[1].Position, frames[left].Position} {
		got, err := persistencetest.ReadAll(t.Context(), s.Log(), 1, from)
		must(t, err)
		if len(got) != 2 || got[0].Position != frames[left].Position {
			t.Errorf("%d frames from %s on, want the last two of %d", len(got), from, len(frames))
		}
	}
}

// Reading and deleting do what the store in memory does, over many chunks and
// epochs. The memory store is the slow and obvious twin.
//
// Seen to fail with the chunk of a seal left out.
func TestLogTwin(t *testing.T) {
	t.Parallel()
	s := opened(t, newStore(t, 1))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for shard := range persistence.Shard(4) {
		twin, err := memory.New(32)
		must(t, err)
		both := []persistence.Store{s, twin}
		var row persistence.ShardRow
		var ends []persistence.Position
		for epoch := range 3 {
			claim := persistence.Claim{Shard: shard, Owner: "a", Incarnation: 1, Seen: row}
			if epoch > 0 {
				claim.Seal = ends[len(ends)-1]
			}
			for _, b := range both {
				row, err = b.Ownership().Claim(t.Context(), claim)
				must(t, err)
			}
			at := persistence.At(row.Epoch, 0)
			ends = append(ends, at)
			for range rng.IntN(10) {
				f := bigFrame(t, shard, at, 1+rng.IntN(1<<(16*rng.IntN(2))))
				for _, b := range both {
					must(t, persistencetest.Append(t.Context(), b.Log(), f))
				}
				at = f.End()
				ends = append(ends, at)
			}
		}
		slices.Sort(ends)
		for range 3 {
			below := ends[rng.IntN(len(ends))]
			if below > row.Low {
				for _, b := range both {
					raised, err := b.Ownership().RaiseLow(t.Context(), row, below)
					must(t, err)
					if b == twin {
						row = raised
					}
				}
			}
			for _, b := range both {
				must(t, b.Log().Delete(t.Context(), shard, below-persistence.Position(rng.IntN(2))*min(persistence.Position(below.Seq()), 3)))
			}
			must(t, s.Log().Delete(t.Context(), shard, below))
			must(t, twin.Log().Delete(t.Context(), shard, below))
			for _, from := range []persistence.Position{persistence.At(e, 0), persistence.At(e+1, 0), persistence.At(e+2, 0), below} {
				want, err := persistencetest.ReadAll(t.Context(), twin.Log(), shard, from)
				must(t, err)
				got, err := persistencetest.ReadAll(t.Context(), s.Log(), shard, from)
				must(t, err)
				if len(got) != len(want) {
					t.Fatalf("seed %d, shard %d: %d frames from %s on after deleting below %s, want %d", seed, shard, len(got), from, below, len(want))
				}
				for i := range got {
					equal(t, got[i].Position, want[i].Position)
				}
			}
		}
	}
}

// bigFrame returns a frame of many events that take no room.
func bigFrame(t testing.TB, shard persistence.Shard, at persistence.Position, count int) persistence.Frame {
	t.Helper()
	var b persistence.FrameBuilder
	kind := b.Kind("test")
	typ, entity := b.Type(kind, "noted", 1), b.Entity(kind, "one")
	for range count {
		b.Add(entity, typ, nil)
	}
	f, err := b.Build(shard, at)
	must(t, err)
	return f
}

// The largest frames that there are can be written, several at once, and read.
//
// Seen to fail with one variable for the data of all rows.
func TestLargestFrames(t *testing.T) {
	t.Parallel()
	s := opened(t, newStore(t, 1))
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, persistence.MaxFrameSize-1000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var want []persistence.Frame
	for i := range uint64(5) {
		var b persistence.FrameBuilder
		kind := b.Kind("test")
		b.Add(b.Entity(kind, "one"), b.Type(kind, "noise", 1), noise)
		f, err := b.Build(1, persistence.At(e, i))
		must(t, err)
		want = append(want, f)
		must(t, persistencetest.Append(t.Context(), s.Log(), f))
	}
	got, err := persistencetest.ReadAll(t.Context(), s.Log(), 1, persistence.At(e, 0))
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].Data, want[i].Data) { // each has memory of its own
			t.Errorf("frame %d is not what was written", i)
		}
	}
	large := want[0]
	large.Data = make([]byte, maxRow+1)
	if err := persistencetest.Append(t.Context(), s.Log(), large); err == nil {
		t.Error("a row that Cassandra would not take was sent")
	}
}
