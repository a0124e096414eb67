package persistencetest

import (
	"sync"
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

const e = persistence.FirstEpoch

func checkLogOrder(t *testing.T, s Subject) {
	ctx, log := t.Context(), s.Store.Log()
	a := Frame(t, 1, persistence.At(e, 0), 3, "a")
	b := Frame(t, 1, persistence.At(e, 3), 1, "b")
	c := Frame(t, 1, persistence.At(e, 4), 2, "c")
	for _, f := range []persistence.Frame{b, c, a} { // they may become durable in any order
		must(t, Append(ctx, log, f))
	}
	frames, err := ReadAll(ctx, log, 1, persistence.At(e, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{a, b, c})
	frames, err = ReadAll(ctx, log, 1, persistence.At(e, 3))
	must(t, err)
	equal(t, frames, []persistence.Frame{b, c})
	frames, err = ReadAll(ctx, log, 1, persistence.At(e, 6))
	must(t, err)
	equal(t, len(frames), 0)
	for f, err := range log.Read(ctx, 1, persistence.At(e, 0)) { // a reader may stop early
		must(t, err)
		equal(t, f, a)
		break
	}
}

func checkLogGaps(t *testing.T, s Subject) {
	ctx, log := t.Context(), s.Store.Log()
	a := Frame(t, 0, persistence.At(e, 0), 1, "a")
	c := Frame(t, 0, persistence.At(e, 5), 1, "c")
	must(t, Append(ctx, log, a))
	must(t, Append(ctx, log, c))
	frames, err := ReadAll(ctx, log, 0, persistence.At(e, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{a, c})
}

func checkLogApart(t *testing.T, s Subject) {
	ctx, log := t.Context(), s.Store.Log()
	mine := Frame(t, 1, persistence.At(e, 0), 1, "mine")
	must(t, Append(ctx, log, mine))
	must(t, Append(ctx, log, Frame(t, 2, persistence.At(e, 0), 1, "another shard's")))
	must(t, Append(ctx, log, Frame(t, 1, persistence.At(e+1, 0), 1, "another epoch's")))
	frames, err := ReadAll(ctx, log, 1, persistence.At(e, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{mine})
}

func checkLogAgain(t *testing.T, s Subject) {
	ctx, log := t.Context(), s.Store.Log()
	f := Frame(t, 1, persistence.At(e, 0), 1, "once")
	must(t, Append(ctx, log, f))
	must(t, Append(ctx, log, f))
	frames, err := ReadAll(ctx, log, 1, persistence.At(e, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{f})
}

func checkLogDelete(t *testing.T, s Subject) {
	ctx, log := t.Context(), s.Store.Log()
	a := Frame(t, 1, persistence.At(e, 0), 3, "a")
	b := Frame(t, 1, persistence.At(e, 3), 3, "b")
	c := Frame(t, 1, persistence.At(e+1, 0), 1, "c")
	other := Frame(t, 0, persistence.At(e, 0), 1, "other")
	for _, f := range []persistence.Frame{a, b, c, other} {
		must(t, Append(ctx, log, f))
	}
	must(t, log.Delete(ctx, 1, persistence.At(e, 5))) // in the middle of b, which stays
	frames, err := ReadAll(ctx, log, 1, persistence.At(e, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{b})
	must(t, log.Delete(ctx, 1, persistence.At(e+1, 0)))
	must(t, log.Delete(ctx, 1, persistence.At(e+1, 0)))
	frames, err = ReadAll(ctx, log, 1, persistence.At(e, 0))
	must(t, err)
	equal(t, len(frames), 0)
	frames, err = ReadAll(ctx, log, 1, persistence.At(e+1, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{c})
	frames, err = ReadAll(ctx, log, 0, persistence.At(e, 0))
	must(t, err)
	equal(t, frames, []persistence.Frame{other})
}

func checkLogConcurrent(t *testing.T, s Subject) {
	ctx, log := t.Context(), s.Store.Log()
	const shards, frames = 4, 50
	var wg sync.WaitGroup
	for shard := range persistence.Shard(shards) {
		wg.Go(func() {
			for i := range uint64(frames) {
				if err := Append(ctx, log, Frame(t, shard, persistence.At(e, i), 1, "x")); err != nil {
					t.Errorf("shard %d, frame %d: %v", shard, i, err)
				}
			}
		})
	}
	wg.Wait()
	for shard := range persistence.Shard(shards) {
		got, err := ReadAll(ctx, log, shard, persistence.At(e, 0))
		must(t, err)
		for i, f := range got {
			equal(t, f, Frame(t, shard, persistence.At(e, uint64(i)), 1, "x"))
		}
		equal(t, len(got), frames)
	}
}
