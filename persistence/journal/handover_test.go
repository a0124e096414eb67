package journal_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// two are two nodes of one store, of which a has a shard with an event in it.
type two struct {
	t     *testing.T
	store *persistencetest.Faulty
	a, b  *journal.Journal
	shard *journal.Shard // as a has it
	next  persistence.NodeRow
}

func newTwo(t *testing.T) *two {
	w := &two{t: t, store: newStore(t, true)}
	w.a, w.b = openJournal(t, w.store, "a"), openJournal(t, w.store, "b")
	w.shard, _ = openShard(t, w.a, 0)
	appended(t, w.shard, "1")
	w.next = w.node("b")
	return w
}

func (w *two) close() {
	closeJournal(w.t, w.a)
	closeJournal(w.t, w.b)
}

func (w *two) node(id persistence.NodeID) persistence.NodeRow {
	w.t.Helper()
	row, err := w.store.Store.Ownership().Node(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

// opens has a node open the shard, with the events that there are.
func (w *two) opens(j *journal.Journal, want ...string) *journal.Shard {
	w.t.Helper()
	s, tail := openShard(w.t, j, 0)
	if got := texts(tail.Peek("test", "a")); !cmp.Equal(got, want) {
		w.t.Errorf("epoch %d begins with %q, want %q", s.Epoch(), got, want)
	}
	appended(w.t, s, "after")
	return s
}

// owned: the shard is another's.
func (w *two) owned(j *journal.Journal) {
	w.t.Helper()
	if _, _, err := j.OpenShard(w.t.Context(), 0); !errors.Is(err, persistence.ErrOwned) {
		node, _ := j.Node()
		w.t.Errorf("node %q opens it: %v", node, err)
	}
}

// A shard that is handed over is the next owner's, who needs no fence for it, with
// all that was appended before; what is appended is acknowledged first. It takes
// nothing more from the one before, who gets it back the same way.
//
// Mutations seen to fail: silence not waiting for what was appended; the claim in
// one's own name; silence not setting lost.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwo(t)
		defer w.close()
		held, gate := persistencetest.Hold(persistencetest.OpAppend)
		w.store.Inject(held)
		var waits []*wait
		for _, text := range []string{"2", "3"} { // one is under way, the other waits for its turn
			acked := newWait()
			waits = append(waits, acked)
			w.shard.Wait(appendText(t, w.shard, journal.NewWriter("test", "a"), text), acked)
			synctest.Wait()
		}
		done := make(chan error, 1)
		go func() {
			_, err := w.shard.HandOver(t.Context(), w.next)
			done <- err
		}()
		synctest.Wait()
		w.owned(w.b) // nothing has happened yet
		gate.Open()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for i, acked := range waits {
			if is, err := acked.settled(); !is || err != nil {
				t.Errorf("append %d, before it was handed over: settled %t, %v", i, is, err)
			}
		}
		if _, err := w.shard.Append(journal.NewWriter("test", "a"), nil); !errors.Is(err, journal.ErrHandedOver) || !errors.Is(err, journal.ErrShardLost) {
			t.Errorf("an append after it was handed over: %v", err)
		}
		w.owned(w.a)
		epoch := w.shard.Epoch()
		s := w.opens(w.b, "1", "2", "3")
		if s.Epoch() != epoch+2 {
			t.Errorf("the next owner has epoch %d, and epoch %d was handed over", s.Epoch(), epoch)
		}
		if row, err := s.HandOver(t.Context(), w.node("a")); err != nil || row.Owner != "a" {
			t.Fatalf("handed back: %+v, %v", row, err)
		}
		w.opens(w.a, "1", "2", "3", "after")
		w.owned(w.b)
	})
}

// M2, P3: whoever waits for a check gets no answer once the shard is being given
// away, though the incarnation never changes, however long the change takes.
//
// Mutation seen to fail: silence not setting gone.
func TestNoAnswerDuringHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwo(t)
		defer w.close()
		claim, gate := persistencetest.HoldReply(persistencetest.OpClaim)
		check, checked := persistencetest.HoldReply(persistencetest.OpCheck)
		w.store.Inject(claim.Nth(1))
		w.store.Inject(check.Nth(1))
		asked, late, recalled := newWait(), newWait(), newWait()
		w.shard.Confirm(w.shard.Acked(), asked)
		checked.Await(1)
		done := make(chan error, 1)
		go func() {
			_, err := w.shard.HandOver(t.Context(), w.next)
			done <- err
		}()
		gate.Await(1) // it has been given away, and nobody has heard of it
		w.opens(w.b, "1")
		checked.Open()
		w.shard.Confirm(w.shard.Acked(), late)
		w.shard.Recall(w.shard.Acked(), recalled)
		synctest.Wait()
		for what, wait := range map[string]*wait{"before": asked, "after": late, "from memory": recalled} {
			if is, err := wait.settled(); !is || !errors.Is(err, journal.ErrHandedOver) {
				t.Errorf("asked %s: settled %t, %v", what, is, err)
			}
		}
		gate.Open()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Whatever fails, the shard goes on as it was, as long as nothing has been asked
// for; and after that it is the one's or the other's, by whatever the row says.
// Each of both can do with it what the case expects, and both never can.
//
// Mutations seen to fail: an error of the first read being taken for the end of
// the shard; given not reading the row, or giving up with the first error, or
// taking the row as it was for success.
func TestHandOverFails(t *testing.T) {
	const (
		goesOn = iota // as if nothing had been
		ours          // lost, and this node's again as soon as it asks
		theirs
	)
	away := func(kinds ...persistencetest.OpKind) func(w *two) {
		return func(w *two) { w.store.Inject(persistencetest.Fail(kinds...).Times(1)) }
	}
	for _, test := range []struct {
		name   string
		begin  func(w *two)
		whose  int
		failed bool
	}{
		{"nothing fails", func(*two) {}, theirs, false},
		{"the row can't be read", away(persistencetest.OpShard), goesOn, true},
		{"the change does not come through", away(persistencetest.OpClaim), ours, true},
		{"the reply of the change is lost", func(w *two) {
			w.store.Inject(persistencetest.LoseReply(persistencetest.OpClaim).Times(1))
		}, theirs, false},
		{"so it is, and the row can't be read for a while", func(w *two) {
			n := 0
			w.store.Inject(persistencetest.LoseReply(persistencetest.OpClaim).Times(1),
				persistencetest.Fail(persistencetest.OpShard).Only(func(persistencetest.Op) bool { n++; return n > 1 && n < 5 }))
		}, theirs, false},
		{"its low mark has moved, by a change of which nobody had heard", func(w *two) {
			n := 0
			w.store.Inject(&persistencetest.Fault{Name: "low moves", Before: func(ctx context.Context, op persistencetest.Op) error {
				if op.Kind != persistencetest.OpClaim {
					return nil
				}
				if n++; n > 1 {
					return nil
				}
				own := w.store.Store.Ownership()
				row, err := own.Shard(ctx, 0)
				if err == nil {
					_, err = own.RaiseLow(ctx, row, persistence.At(row.Epoch, 0))
				}
				return errors.Join(err, w.store.Store.Pages().Write(ctx, []persistence.Page{{Key: persistence.CheckpointKey(0), Position: persistence.At(row.Epoch, 0)}}))
			}})
		}, ours, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTwo(t)
				defer w.close()
				test.begin(w)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := w.shard.HandOver(ctx, w.next)
				if (err != nil) != test.failed {
					t.Errorf("it ends with %v", err)
				}
				w.store.Heal()
				switch test.whose {
				case goesOn:
					if err := w.shard.Err(); err != nil {
						t.Fatalf("it is lost: %v", err)
					}
					w.owned(w.b)
					appended(t, w.shard, "2")
					if _, err := w.shard.HandOver(t.Context(), w.next); err != nil {
						t.Errorf("the second time: %v", err)
					}
					w.opens(w.b, "1", "2")
				case ours:
					if w.shard.Err() == nil {
						t.Error("it is not lost")
					}
					w.owned(w.b)
					w.opens(w.a, "1")
					w.owned(w.b)
				case theirs:
					w.owned(w.a)
					w.opens(w.b, "1")
					w.owned(w.a)
				}
			})
		})
	}
}

// A hand-over that is given up while frames are under way leaves the shard as it
// was; and one whose change is under way is not, and nobody opens the shard then.
//
// Mutations seen to fail: handOver without its turn (the owner opens the shard under
// the change that is under way); the context of the caller used for the claim.
func TestHandOverLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwo(t)
		defer w.close()
		append1, appends := persistencetest.Hold(persistencetest.OpAppend)
		w.store.Inject(append1)
		acked := newWait()
		w.shard.Wait(appendText(t, w.shard, journal.NewWriter("test", "a"), "2"), acked)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.shard.HandOver(ctx, w.next); !errors.Is(err, context.DeadlineExceeded) || w.shard.Err() != nil {
			t.Errorf("given up, it ends with %v, and the shard with %v", err, w.shard.Err())
		}
		appends.Open()
		if err := acked.outcome(t); err != nil {
			t.Error(err)
		}

		// The caller leaves, and the change goes on.
		w.store.Heal()
		claim, gate := persistencetest.Hold(persistencetest.OpClaim)
		w.store.Inject(claim.Nth(1))
		ctx, cancel = context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := w.shard.HandOver(ctx, w.next)
			done <- err
		}()
		gate.Await(1)
		cancel()
		opened := make(chan error, 1)
		go func() {
			_, _, err := w.a.OpenShard(t.Context(), 0)
			opened <- err
		}()
		synctest.Wait()
		if len(opened)+len(done) > 0 {
			t.Error("still ours, or nobody's, while the change is under way")
		}
		gate.Open()
		if err := <-done; err != nil {
			t.Errorf("the change went on, and ends with %v", err)
		}
		if err := <-opened; !errors.Is(err, persistence.ErrOwned) {
			t.Errorf("who opened it meanwhile gets %v", err)
		}
		w.opens(w.b, "1", "2")
	})
}

// The change comes when the owner has long taken its shard back: it is refused, as
// its epoch is over.
func TestLateHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwo(t)
		defer w.close()
		var late *persistence.Claim
		held := heldClaim{w.store, func(c persistence.Claim) { late = &c }}
		j := openJournal(t, held, "c")
		defer closeJournal(t, j)
		if _, err := w.shard.HandOver(t.Context(), w.node("c")); err != nil {
			t.Fatal(err)
		}
		s, _ := openShard(t, j, 0)
		if _, err := s.HandOver(t.Context(), w.next); err == nil || s.Err() == nil || late == nil {
			t.Fatalf("a change that is under way: %v, and the shard %v", err, s.Err())
		}
		again := w.opens(j, "1")
		if row, err := w.store.Ownership().Claim(t.Context(), *late); !errors.Is(err, persistence.ErrLost) {
			t.Errorf("it comes late, and gives %+v, %v", row, err)
		}
		appended(t, again, "more")
		w.owned(w.b)
	})
}

// heldClaim is a store whose claims in the name of another are under way.
type heldClaim struct {
	*persistencetest.Faulty
	take func(persistence.Claim)
}

func (s heldClaim) Ownership() persistence.Ownership {
	return claimHeld{s.Faulty.Ownership(), s.take}
}

type claimHeld struct {
	persistence.Ownership
	take func(persistence.Claim)
}

func (o claimHeld) Claim(ctx context.Context, c persistence.Claim) (persistence.ShardRow, error) {
	if c.Owner != c.Seen.Owner && c.Seen.Owner == "c" {
		o.take(c)
		return c.Seen, errors.New("no answer")
	}
	return o.Ownership.Claim(ctx, c)
}

// A shard that was taken is nobody's to hand over, nor one that has been handed
// over, nor is it given to oneself. One that is given to an incarnation that is no
// more is free.
//
// Mutation seen to fail: handOver not comparing epochs (the next owner is said to
// have been given what it had taken).
func TestHandOverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwo(t)
		defer w.close()
		if _, err := w.shard.HandOver(t.Context(), w.node("a")); err == nil || w.shard.Err() != nil {
			t.Errorf("to itself: %v, and the shard %v", err, w.shard.Err())
		}
		before := w.next
		w.b = func() *journal.Journal { closeJournal(t, w.b); return openJournal(t, w.store, "b") }() // starts again
		if _, err := w.shard.HandOver(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		if _, err := w.shard.HandOver(t.Context(), w.node("b")); !errors.Is(err, journal.ErrHandedOver) {
			t.Errorf("twice: %v", err)
		}
		w.shard = w.opens(w.a, "1") // whoever asks first

		_, inc := w.a.Node()
		if _, err := w.store.Ownership().Fence(t.Context(), "a", inc); err != nil {
			t.Fatal(err)
		}
		w.opens(w.b, "1", "after")
		_, err := w.shard.HandOver(t.Context(), w.node("b"))
		if !errors.Is(err, journal.ErrShardLost) || !errors.Is(w.shard.Err(), journal.ErrShardLost) {
			t.Errorf("one that was taken: %v, and the shard %v", err, w.shard.Err())
		}
	})
}

// History is dropped before a shard is handed over or not at all: low, in the
// condition of the change, stands still.
//
// Mutation seen to fail: handOver without lowering.
func TestHandOverWhileHistoryGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwo(t)
		defer w.close()
		end := appended(t, w.shard, "2")
		if _, err := w.shard.Checkpoint(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		raise, gate := persistencetest.Hold(persistencetest.OpRaiseLow)
		w.store.Inject(raise)
		dropped, handed := make(chan error, 1), make(chan error, 1)
		go func() { dropped <- w.shard.DropHistory(t.Context()) }()
		gate.Await(1)
		go func() {
			_, err := w.shard.HandOver(t.Context(), w.next)
			handed <- err
		}()
		synctest.Wait()
		gate.Open()
		if err := errors.Join(<-dropped, <-handed); err != nil {
			t.Error(err)
		}
		s := w.opens(w.b)
		row, err := w.store.Ownership().Shard(t.Context(), 0)
		if err != nil || row.Low != end || s.Err() != nil {
			t.Errorf("low is %s, want %s; %v, %v", row.Low, end, err, s.Err())
		}
	})
}
