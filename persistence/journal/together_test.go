package journal_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// I6: two openings of a shard by one journal at once: what is acknowledged by
// whichever of the two is there afterwards. Mutation seen to fail: OpenShard not
// waiting for its turn.
func TestOpenedTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, false)
		j := openJournal(t, store, "n")
		defer closeJournal(t, j)
		back, gate := persistencetest.HoldReply(persistencetest.OpClaim)
		store.Inject(back.Nth(1))
		opened := make(chan *journal.Shard, 2)
		for range 2 {
			go func() {
				s, _, err := j.OpenShard(t.Context(), 0)
				if err != nil {
					t.Error(err)
				}
				opened <- s
			}()
			synctest.Wait() // the first has claimed, and does not know yet
		}
		gate.Open()
		shards := []*journal.Shard{<-opened, <-opened}
		var want []string
		for i, text := range []string{"one", "two"} {
			s, w := shards[i], newWait()
			end, err := s.Append(journal.NewWriter("test", "a"), []journal.Record{{Type: noted, Payload: []byte(text)}})
			if err != nil {
				continue
			}
			s.Wait(end, w)
			if w.outcome(t) == nil {
				want = append(want, text)
			}
		}
		_, tail := openShard(t, j, 0)
		if got := texts(tail.Take("test", "a")); !cmp.Equal(got, want) || len(want) != 1 {
			t.Errorf("recovered %q, acknowledged were %q", got, want)
		}
	})
}

// A shard that is claimed while the journal closes is not opened: nobody would
// write what is appended, or tell those who wait. Mutation seen to fail: open not
// asking whether the journal closes.
func TestOpenedWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, false)
		j := openJournal(t, store, "n")
		hold, gate := persistencetest.Hold(persistencetest.OpClaim)
		store.Inject(hold)
		outcome := make(chan error, 1)
		go func() {
			_, _, err := j.OpenShard(t.Context(), 0)
			outcome <- err
		}()
		gate.Await(1)
		closeJournal(t, j)
		gate.Open()
		if err := <-outcome; !errors.Is(err, journal.ErrShardLost) {
			t.Errorf("opening a shard of a journal that is closed: %v", err)
		}
	})
}

// Two checkpoints at once take each frame off the tail once. Mutation seen to
// fail: Checkpoint taking off as many frames as it counted before it wrote.
func TestCheckpointsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, false)
		j := openJournal(t, store, "n")
		defer closeJournal(t, j)
		s, _ := openShard(t, j, 0)
		for _, text := range []string{"1", "2", "3"} {
			appendText(t, s, journal.NewWriter("test", "a"), text)
			synctest.Wait()
		}
		hold, gate := persistencetest.Hold(persistencetest.OpWritePages)
		store.Inject(hold)
		outcome := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := s.Checkpoint(t.Context(), s.Acked())
				outcome <- err
			}()
		}
		gate.Await(2)
		gate.Open()
		for range 2 {
			if err := <-outcome; err != nil {
				t.Error(err)
			}
		}
		if n := s.TailBytes(); n != 0 {
			t.Errorf("a tail of %d bytes, all of it below the checkpoint", n)
		}
	})
}
