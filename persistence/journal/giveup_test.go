package journal_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// Who gives up keeps nobody waiting for a store that does not answer: neither those
// whose frames are under way, nor those who wait for a check that is being made, or
// for the next one. What comes of the store afterwards changes nothing, and the shard
// can be opened again.
//
// Mutations seen to fail: giveUp not settling what waits for a check that is under
// way, or for the next one; GiveUp losing no shards.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, true)
		cfg := journal.DefaultConfig()
		cfg.Checks = 1
		j := openJournalWith(t, store, "n", cfg)
		defer closeJournal(t, j)
		s, _ := openShard(t, j, 0)
		fault, gate := persistencetest.Hold(persistencetest.OpAppend, persistencetest.OpCheck)
		store.Inject(fault)
		var waits []*wait
		confirm := func() {
			w := newWait()
			s.Confirm(s.Acked(), w)
			waits = append(waits, w)
			synctest.Wait()
		}
		confirm() // its check is under way
		confirm() // waits for the next one
		w := newWait()
		s.Wait(appendText(t, s, journal.NewWriter("test", "a"), "1"), w)
		waits = append(waits, w)
		synctest.Wait()
		why := errors.New("it has lost touch")
		j.GiveUp(why)
		synctest.Wait()
		for i, w := range waits {
			if done, err := w.settled(); !done || !errors.Is(err, journal.ErrShardLost) {
				t.Errorf("wait %d: ended %t with %v", i, done, err)
			}
		}
		gate.Open()
		synctest.Wait()
		store.Heal()
		again, tail := openShard(t, j, 0)
		if tail.Events() != 1 { // it has become durable after all
			t.Errorf("%d events, not 1", tail.Events())
		}
		w = newWait()
		again.Wait(appendText(t, again, journal.NewWriter("test", "a"), "2"), w)
		if err := w.outcome(t); err != nil {
			t.Error(err)
		}
	})
}
