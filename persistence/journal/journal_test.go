package journal_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noted = &persistence.EventType{Kind: "test", Name: "noted", Version: 1}

// wait is a Waiter that can be asked.
type wait struct {
	mu   sync.Mutex
	done bool
	err  error
	c    chan struct{}
}

func newWait() *wait { return &wait{c: make(chan struct{})} }

func (w *wait) Settled(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		panic("settled twice")
	}
	w.done, w.err = true, err
	close(w.c)
}

func (w *wait) settled() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done, w.err
}

func (w *wait) outcome(t testing.TB) error {
	t.Helper()
	select {
	case <-w.c:
	case <-t.Context().Done():
		t.Fatal("never settled")
	}
	return w.err
}

func newStore(t testing.TB, remote bool) *persistencetest.Faulty {
	t.Helper()
	return newStoreOf(t, 4, remote)
}

func newStoreOf(t testing.TB, shards uint32, remote bool) *persistencetest.Faulty {
	t.Helper()
	m, err := memory.New(shards)
	if err != nil {
		t.Fatal(err)
	}
	return &persistencetest.Faulty{Store: m, Remote: remote}
}

func openJournal(t testing.TB, store persistence.Store, node persistence.NodeID) *journal.Journal {
	t.Helper()
	return openJournalWith(t, store, node, journal.DefaultConfig())
}

func openJournalWith(t testing.TB, store persistence.Store, node persistence.NodeID, cfg journal.Config) *journal.Journal {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	j, err := journal.Open(t.Context(), store, node, "addr", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func closeJournal(t testing.TB, j *journal.Journal) {
	t.Helper()
	if err := j.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func openShard(t testing.TB, j *journal.Journal, n persistence.Shard) (*journal.Shard, *journal.Tail) {
	t.Helper()
	s, tail, err := j.OpenShard(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return s, tail
}

func appendText(t testing.TB, s *journal.Shard, w *journal.Writer, texts ...string) persistence.Position {
	t.Helper()
	records := make([]journal.Record, len(texts))
	for i, text := range texts {
		records[i] = journal.Record{Type: noted, Payload: []byte(text)}
	}
	end, err := s.Append(w, records)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func texts(records []persistence.Record) []string {
	var got []string
	for _, r := range records {
		got = append(got, string(r.Payload))
	}
	return got
}

func TestAppendedIsRecovered(t *testing.T) {
	store := newStore(t, false)
	var want []string
	var last persistence.Position
	for round := range 4 { // each opening is a new epoch; one of them stays empty
		j := openJournal(t, store, "n")
		s, tail := openShard(t, j, 2)
		if got := texts(tail.Take("test", "a")); !cmp.Equal(got, want) {
			t.Fatalf("round %d recovered %q, want %q", round, got, want)
		}
		if got := s.Epoch(); got != persistence.FirstEpoch+persistence.Epoch(round) {
			t.Errorf("round %d is epoch %d", round, got)
		}
		if round != 1 {
			a, b := journal.NewWriter("test", "a"), journal.NewWriter("test", "b")
			w := newWait()
			for i := range 5 {
				text := fmt.Sprintf("%d/%d", round, i)
				last = appendText(t, s, a, text, text+"'")
				appendText(t, s, b, "other")
				want = append(want, text, text+"'")
			}
			s.Wait(last, w)
			if err := w.outcome(t); err != nil {
				t.Fatal(err)
			}
			if s.Acked() < last {
				t.Errorf("acked is %s after a wait for %s", s.Acked(), last)
			}
			got, err := s.ReadEntity(t.Context(), "test", "a", last)
			if err != nil || !cmp.Equal(texts(got), want) {
				t.Errorf("read back %q, %v; want %q", texts(got), err, want)
			}
			got, err = s.ReadEntity(t.Context(), "test", "a", last-1)
			if err != nil || !cmp.Equal(texts(got), want[:len(want)-1]) {
				t.Errorf("read back %q to before the last, %v; want %q", texts(got), err, want[:len(want)-1])
			}
		}
		closeJournal(t, j)
	}
}

// What comes in while a frame is under way goes into one frame together.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, false)
		j := openJournal(t, store, "n")
		defer closeJournal(t, j)
		s, _ := openShard(t, j, 0)
		var frames []uint32
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(_ context.Context, f persistence.Frame) error {
			frames = append(frames, f.Count)
			<-release
			return nil
		}})
		w := newWait()
		appendText(t, s, journal.NewWriter("test", "a"), "1")
		synctest.Wait()
		for i := range 9 {
			s.Wait(appendText(t, s, journal.NewWriter("test", fmt.Sprint(i)), "x"), ignore{})
		}
		s.Wait(persistence.At(s.Epoch(), 10), w)
		if done, _ := w.settled(); done {
			t.Error("settled before anything was durable")
		}
		close(release)
		synctest.Wait()
		if done, err := w.settled(); !done || err != nil {
			t.Errorf("settled: %t, %v", done, err)
		}
		if want := []uint32{1, 9}; !cmp.Equal(frames, want) {
			t.Errorf("frames of %d events, want %d", frames, want)
		}
	})
}

type ignore struct{}

func (ignore) Settled(error) {}

// I5: an acknowledgement implies an ownership check. Mutation seen to fail: check
// returning nil for ErrFenced.
func TestNoAckAfterFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, true)
		j := openJournal(t, store, "n")
		defer closeJournal(t, j)
		_, inc := j.Node()
		s, _ := openShard(t, j, 0)
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Check: func(context.Context) error { <-release; return nil }})
		w := newWait()
		s.Wait(appendText(t, s, journal.NewWriter("test", "a"), "x"), w)
		synctest.Wait() // durable, and the check is held
		if _, err := store.Store.Ownership().Fence(t.Context(), "n", inc); err != nil {
			t.Fatal(err)
		}
		close(release)
		synctest.Wait()
		if done, err := w.settled(); !done || !errors.Is(err, journal.ErrShardLost) || !errors.Is(err, persistence.ErrFenced) {
			t.Errorf("settled: %t, %v; want a lost shard", done, err)
		}
		if _, err := s.Append(journal.NewWriter("test", "a"), nil); !errors.Is(err, journal.ErrShardLost) {
			t.Errorf("append after the fence: %v", err)
		}
	})
}

// I5: the check must have begun after the frame was durable; one that is under
// way counts for nothing that comes in meanwhile. Mutation seen to fail: settle
// taking what has come in once more after its check.
func TestCheckBeginsAfterDurability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, true)
		cfg := journal.DefaultConfig()
		cfg.Checks = 1
		j := openJournalWith(t, store, "n", cfg)
		defer closeJournal(t, j)
		_, inc := j.Node()
		first, _ := openShard(t, j, 0)
		second, _ := openShard(t, j, 1)
		checks, release := 0, make(chan struct{})
		store.Hook(persistencetest.Hooks{AfterCheck: func(context.Context) error {
			if checks++; checks == 1 {
				<-release // this check has read the register
			}
			return nil
		}})
		before, after := newWait(), newWait()
		first.Wait(appendText(t, first, journal.NewWriter("test", "a"), "before"), before)
		synctest.Wait()
		second.Wait(appendText(t, second, journal.NewWriter("test", "b"), "after"), after)
		synctest.Wait() // durable, while the first check is under way
		if _, err := store.Store.Ownership().Fence(t.Context(), "n", inc); err != nil {
			t.Fatal(err)
		}
		close(release)
		synctest.Wait()
		if done, err := before.settled(); !done || err != nil {
			t.Errorf("durable before the check: %t, %v", done, err)
		}
		if done, err := after.settled(); !done || !errors.Is(err, persistence.ErrFenced) {
			t.Errorf("durable during the check: %t, %v; want ErrFenced", done, err)
		}
	})
}

// I5, the other half: an answer that writes nothing waits for a check begun
// after its question came. Mutation seen to fail: Confirm calling Wait alone.
func TestConfirmNeedsALaterCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, true)
		cfg := journal.DefaultConfig()
		cfg.Checks = 1
		j := openJournalWith(t, store, "n", cfg)
		defer closeJournal(t, j)
		_, inc := j.Node()
		s, _ := openShard(t, j, 0)
		began, release := 0, make(chan struct{})
		store.Hook(persistencetest.Hooks{AfterCheck: func(context.Context) error {
			began++
			if began == 1 {
				<-release // this check has read the register already
			}
			return nil
		}})
		acked, confirmed := newWait(), newWait()
		end := appendText(t, s, journal.NewWriter("test", "a"), "x")
		s.Wait(end, acked)
		synctest.Wait()
		if _, err := store.Store.Ownership().Fence(t.Context(), "n", inc); err != nil {
			t.Fatal(err)
		}
		s.Confirm(end, confirmed) // the question comes after the fence
		close(release)
		synctest.Wait()
		if done, err := acked.settled(); !done || err != nil {
			t.Errorf("the command that came before the fence: %t, %v", done, err)
		}
		if done, err := confirmed.settled(); !done || !errors.Is(err, persistence.ErrFenced) {
			t.Errorf("the question that came after it: %t, %v; want ErrFenced", done, err)
		}
	})
}

// A check without an answer is made again; nobody is told anything meanwhile.
func TestChecksAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, true)
		j := openJournal(t, store, "n")
		defer closeJournal(t, j)
		s, _ := openShard(t, j, 0)
		fails := 5
		store.Hook(persistencetest.Hooks{Check: func(context.Context) error {
			if fails--; fails >= 0 {
				return errors.New("no quorum")
			}
			return nil
		}})
		w := newWait()
		s.Wait(appendText(t, s, journal.NewWriter("test", "a"), "x"), w)
		synctest.Wait()
		if done, _ := w.settled(); done {
			t.Error("settled without a check")
		}
		if err := w.outcome(t); err != nil {
			t.Error(err)
		}
	})
}

// I15: after an append with an unknown outcome the shard takes nothing more,
// and opening it again is a new epoch with a seal behind whatever was stored.
// Mutation seen to fail: settle acknowledging a failed frame.
func TestUnknownAppend(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%t", stored), func(t *testing.T) {
			store := newStore(t, true)
			j := openJournal(t, store, "n")
			defer closeJournal(t, j)
			s, _ := openShard(t, j, 1)
			a := journal.NewWriter("test", "a")
			first := newWait()
			s.Wait(appendText(t, s, a, "first"), first)
			if err := first.outcome(t); err != nil {
				t.Fatal(err)
			}
			broken := func(context.Context, persistence.Frame) error { return errors.New("timed out") }
			if stored {
				store.Hook(persistencetest.Hooks{AfterAppend: broken})
			} else {
				store.Hook(persistencetest.Hooks{Append: broken})
			}
			unknown := newWait()
			s.Wait(appendText(t, s, a, "unknown"), unknown)
			if err := unknown.outcome(t); !errors.Is(err, journal.ErrShardLost) {
				t.Fatalf("an append that timed out: %v", err)
			}
			if err := s.Err(); !errors.Is(err, journal.ErrShardLost) {
				t.Fatalf("the shard after it: %v", err)
			}
			store.Hook(persistencetest.Hooks{})
			again, tail := openShard(t, j, 1)
			if again.Epoch() != s.Epoch()+1 {
				t.Errorf("epoch %d after %d", again.Epoch(), s.Epoch())
			}
			want := []string{"first"}
			if stored {
				want = append(want, "unknown")
			}
			if got := texts(tail.Take("test", "a")); !cmp.Equal(got, want) {
				t.Errorf("recovered %q, want %q", got, want)
			}
		})
	}
}

// I7: nothing at or above a seal is ever seen. Mutation seen to fail: replayEpoch
// without the case f.Position >= to.
func TestLateWritesStayHidden(t *testing.T) {
	store := newStore(t, true)
	j := openJournal(t, store, "n")
	s, _ := openShard(t, j, 0)
	w := newWait()
	s.Wait(appendText(t, s, journal.NewWriter("test", "one"), "seen"), w)
	if err := w.outcome(t); err != nil {
		t.Fatal(err)
	}
	epoch := s.Epoch()
	openShard(t, j, 0) // seals it
	late := persistencetest.Frame(t, 0, persistence.At(epoch, 1), 1, "late")
	if err := persistencetest.Append(t.Context(), store.Log(), late); err != nil {
		t.Fatal(err)
	}
	_, tail := openShard(t, j, 0)
	if got := texts(tail.Take("test", "one")); !cmp.Equal(got, []string{"seen"}) {
		t.Errorf("recovered %q", got)
	}
	closeJournal(t, j)
}

// What lies behind a gap was never acknowledged on a store that others write
// to; on one's own folder a gap is damage.
func TestGap(t *testing.T) {
	for _, remote := range []bool{true, false} {
		t.Run(fmt.Sprintf("remote=%t", remote), func(t *testing.T) {
			store := newStore(t, remote)
			j := openJournal(t, store, "n")
			defer closeJournal(t, j)
			s, _ := openShard(t, j, 0)
			for _, seq := range []uint64{0, 2} {
				f := persistencetest.Frame(t, 0, persistence.At(s.Epoch(), seq), 1, "x")
				if err := persistencetest.Append(t.Context(), store.Log(), f); err != nil {
					t.Fatal(err)
				}
			}
			_, tail, err := j.OpenShard(t.Context(), 0)
			if !remote {
				if !errors.Is(err, persistence.ErrCorrupt) {
					t.Fatalf("opening a log with a hole: %v", err)
				}
				return
			}
			if err != nil || tail.End() != persistence.At(s.Epoch(), 1) {
				t.Errorf("the tail ends at %s, %v", tail.End(), err)
			}
		})
	}
}

// A frame that goes missing or changes below a seal is never passed over.
func TestDamageIsFound(t *testing.T) {
	store := newStore(t, false)
	j := openJournal(t, store, "n")
	defer closeJournal(t, j)
	s, _ := openShard(t, j, 0)
	w := newWait()
	s.Wait(appendText(t, s, journal.NewWriter("test", "a"), "x"), w)
	if err := w.outcome(t); err != nil {
		t.Fatal(err)
	}
	openShard(t, j, 0)
	if err := store.Log().Delete(t.Context(), 0, persistence.At(s.Epoch(), 1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.OpenShard(t.Context(), 0); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("a frame below a seal is gone: %v", err)
	}
	bad := persistencetest.Frame(t, 0, persistence.At(s.Epoch(), 0), 1, "x")
	bad.Data[len(bad.Data)-1] ^= 1
	if err := persistencetest.Append(t.Context(), store.Log(), bad); err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.OpenShard(t.Context(), 0); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("a frame has changed: %v", err)
	}
}

// I4: a shard is only taken from a node that was fenced. Mutation seen to
// fail: mayClaim returning nil.
func TestClaimNeedsAFence(t *testing.T) {
	store := newStore(t, true)
	a, b := openJournal(t, store, "a"), openJournal(t, store, "b")
	defer closeJournal(t, a)
	defer closeJournal(t, b)
	s, _ := openShard(t, a, 3)
	if _, _, err := b.OpenShard(t.Context(), 3); !errors.Is(err, persistence.ErrOwned) {
		t.Fatalf("taking a shard from a live node: %v", err)
	}
	w := newWait()
	s.Wait(appendText(t, s, journal.NewWriter("test", "x"), "mine"), w)
	if err := w.outcome(t); err != nil {
		t.Fatalf("the owner after the attempt: %v", err)
	}
	_, inc := a.Node()
	if _, err := store.Ownership().Fence(t.Context(), "a", inc); err != nil {
		t.Fatal(err)
	}
	_, tail := openShard(t, b, 3)
	if got := texts(tail.Take("test", "x")); !cmp.Equal(got, []string{"mine"}) {
		t.Errorf("taken over %q", got)
	}
	lost := newWait()
	if end, err := s.Append(journal.NewWriter("test", "x"), []journal.Record{{Type: noted, Payload: []byte("zombie")}}); err == nil {
		s.Wait(end, lost)
		if err := lost.outcome(t); !errors.Is(err, persistence.ErrFenced) {
			t.Errorf("the fenced owner was told %v", err)
		}
	}
}

// I14: a claim whose tail was read while the checkpoint moved starts over.
// Mutation seen to fail: claim without the second read of the checkpoint.
func TestCheckpointMovesDuringClaim(t *testing.T) {
	store := newStore(t, true)
	j := openJournal(t, store, "n")
	defer closeJournal(t, j)
	s, _ := openShard(t, j, 0)
	var last persistence.Position
	for _, text := range []string{"1", "2", "3"} {
		w := newWait()
		last = appendText(t, s, journal.NewWriter("test", "a"), text)
		s.Wait(last, w)
		if err := w.outcome(t); err != nil {
			t.Fatal(err)
		}
	}
	// While the tail is read, the owner before flushes everything and deletes
	// the log below.
	once := sync.OnceFunc(func() {
		checkpoint := persistence.Page{Key: persistence.CheckpointKey(0), Position: last}
		if err := store.Store.Pages().Write(t.Context(), []persistence.Page{checkpoint}); err != nil {
			t.Error(err)
		}
		if err := store.Store.Log().Delete(t.Context(), 0, last); err != nil {
			t.Error(err)
		}
	})
	reading := &readHook{Faulty: store, hook: once}
	j2 := openJournal(t, reading, "n")
	defer closeJournal(t, j2)
	_, tail := openShard(t, j2, 0)
	if tail.End() != last {
		t.Errorf("sealed at %s, below the checkpoint %s", tail.End(), last)
	}
}

// readHook runs a hook before the log is read.
type readHook struct {
	*persistencetest.Faulty
	hook func()
}

func (r *readHook) Log() persistence.Log { return hookedLog{r.Faulty.Log(), r.hook} }

type hookedLog struct {
	persistence.Log
	hook func()
}

func (l hookedLog) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	l.hook()
	return l.Log.Read(ctx, shard, from)
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, false)
		cfg := journal.DefaultConfig()
		cfg.AppendBytes, cfg.ShardBytes = 1000, 3000
		j, err := journal.Open(t.Context(), store, "n", "", cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer closeJournal(t, j)
		s, _ := openShard(t, j, 0)
		if _, err := s.Append(journal.NewWriter("test", "a"), []journal.Record{{Type: noted, Payload: make([]byte, 1001)}}); !errors.Is(err, journal.ErrTooLarge) {
			t.Errorf("a large append: %v", err)
		}
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error { <-release; return nil }})
		appended := 0
		for ; appended < 100 && s.Full() == nil; appended++ {
			appendText(t, s, journal.NewWriter("test", "a"), string(make([]byte, 900)))
			synctest.Wait()
		}
		if appended != 5 { // one under way, four to pass 3000 bytes
			t.Errorf("%d appends went in", appended)
		}
		if err := s.Full(); !errors.Is(err, journal.ErrOverloaded) {
			t.Errorf("full: %v", err)
		}
		ahead := newWait()
		s.Wait(persistence.At(s.Epoch(), 1000), ahead)
		if done, err := ahead.settled(); !done || !errors.Is(err, journal.ErrAhead) {
			t.Errorf("a wait for what was never appended: %t, %v", done, err)
		}
		close(release)
		synctest.Wait()
		if err := s.Full(); err != nil {
			t.Errorf("after it was written: %v", err)
		}
	})
}

// Close writes what was appended before it returns.
func TestCloseDrains(t *testing.T) {
	store := newStore(t, false)
	j := openJournal(t, store, "n")
	s, _ := openShard(t, j, 0)
	var waits []*wait
	for i := range 100 {
		w := newWait()
		s.Wait(appendText(t, s, journal.NewWriter("test", fmt.Sprint(i%7)), "x"), w)
		waits = append(waits, w)
	}
	closeJournal(t, j)
	for _, w := range waits {
		if err := w.outcome(t); err != nil {
			t.Fatal(err)
		}
	}
	late := newWait()
	s.Confirm(0, late)
	if err := late.outcome(t); !errors.Is(err, journal.ErrShardLost) {
		t.Errorf("a question after the end: %v", err)
	}
}

// Histories of appends, failures and re-openings against a dumb twin: what was
// acknowledged is recovered, in order, and what is recovered is a prefix of
// what was appended.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t, rapid.Bool().Draw(rt, "remote"))
		j := openJournal(t, store, "n")
		defer func() { closeJournal(t, j) }()
		s, _ := openShard(t, j, 0)
		known := map[string][]string{}                   // what a recovery must begin with
		appended := map[string][]string{}                // and what it may go on with
		writers := map[string]*journal.Writer{}          // of this opening
		pending := map[*wait]struct{ id, text string }{} // not yet known
		order := []*wait{}                               // of pending
		settle := func() {
			for _, w := range order {
				if w.outcome(t) == nil {
					p := pending[w]
					known[p.id] = append(known[p.id], p.text)
				}
			}
			clear(pending)
			order = nil
		}
		reopen := func() {
			settle()
			var tail *journal.Tail
			s, tail = openShard(t, j, 0)
			clear(writers)
			for _, id := range []string{"a", "b"} {
				got := texts(tail.Take("test", id))
				if len(got) < len(known[id]) || len(got) > len(appended[id]) || !cmp.Equal(got, appended[id][:len(got)]) && len(got) > 0 {
					rt.Fatalf("%s recovered %q; acknowledged %q, appended %q", id, got, known[id], appended[id])
				}
				known[id], appended[id] = got, append([]string(nil), got...)
			}
		}
		n := 0
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				id := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "id")
				if writers[id] == nil {
					writers[id] = journal.NewWriter("test", id)
				}
				n++
				text := fmt.Sprint(n)
				end, err := s.Append(writers[id], []journal.Record{{Type: noted, Payload: []byte(text)}})
				if err != nil {
					return
				}
				appended[id] = append(appended[id], text)
				w := newWait()
				pending[w] = struct{ id, text string }{id, text}
				order = append(order, w)
				s.Wait(end, w)
			},
			"fail": func(rt *rapid.T) {
				fail := func(context.Context, persistence.Frame) error { return errors.New("timed out") }
				h := persistencetest.Hooks{Append: fail}
				if rapid.Bool().Draw(rt, "stored") {
					h = persistencetest.Hooks{AfterAppend: fail}
				}
				store.Hook(h)
			},
			"heal":   func(*rapid.T) { store.Hook(persistencetest.Hooks{}) },
			"settle": func(*rapid.T) { settle() },
			"reopen": func(*rapid.T) { reopen() },
			"restart": func(*rapid.T) {
				settle()
				closeJournal(t, j)
				j = openJournal(t, store, "n")
				reopen()
			},
		})
		store.Hook(persistencetest.Hooks{})
		reopen()
	})
}

// Whoever would append more is told when the frame under way is stored, before it is
// checked, or when the shard is lost; and that there is none, where there is none.
// Mutations seen to fail: gathered not called by lose, or not when a frame is stored;
// BeforeFrame keeping who comes when nothing is under way.
func TestBeforeFrame(t *testing.T) {
	for name, lose := range map[string]bool{"stored": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t, true)
				j := openJournal(t, store, "n1")
				defer closeJournal(t, j)
				s, _ := openShard(t, j, 0)
				told, begin := 0, s.Acked()
				tell := func() { told++ }
				if s.BeforeFrame(tell) {
					t.Error("a frame is said to be under way before anything was appended")
				}
				stored, checked := make(chan struct{}), make(chan struct{})
				store.Hook(persistencetest.Hooks{
					Append: func(context.Context, persistence.Frame) error { <-stored; return nil },
					Check:  func(context.Context) error { <-checked; return nil },
				})
				appendText(t, s, journal.NewWriter("station", "a"), "one")
				synctest.Wait()
				if !s.BeforeFrame(tell) || told != 0 {
					t.Errorf("while a frame is under way: told %d times", told)
				}
				if lose {
					s.GiveUp(errors.New("another has it"))
				} else {
					close(stored)
				}
				synctest.Wait()
				if told != 1 || s.BeforeFrame(tell) {
					t.Errorf("in the end: told %d times", told)
				}
				if s.Acked() != begin {
					t.Error("it is acknowledged without a check")
				}
				if lose {
					close(stored)
				}
				close(checked)
				synctest.Wait()
				if told != 1 {
					t.Errorf("told %d times", told)
				}
			})
		})
	}
}
