package model

import "testing"

// A page in steady use: whenever a frame is validated, the next command has been
// decided already. A copy that waits until it is validated lets the checkpoint
// follow all the same. Waiting for a moment without unvalidated events, as the
// design first had it, would wait for ever.
func TestHotPage(t *testing.T) {
	const rounds = 100
	for bug, follows := range map[mutation]bool{none: true, waitForQuiet: false} {
		s := hotPage(newWorld(1, bug, nil), rounds)
		if behind := s.validated - s.checkpoint.durable; (behind < 5) != follows {
			t.Errorf("mutation %q: after %d frames the checkpoint is %d events behind", bug, rounds, behind)
		}
	}
}

func hotPage(w *world, rounds int) *shard {
	w.readTail()
	w.claim()
	s := w.shard
	s.wake(0)
	s.load(0, 0)
	w.takePage()
	for i := range rounds {
		w.clients[i%2].send(&request{verb: add, adds: []pageSet{1}})
		s.handle(0)
		for w.store.advance() { // the frame before, and the flush
		}
		s.copyPage(0, 0)
		s.writeCopies()
		s.writeCheckpoint()
		s.sendFrame()
	}
	return s
}
