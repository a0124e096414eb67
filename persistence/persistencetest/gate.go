package persistencetest

import (
	"context"
	"runtime"
	"sync"
)

// Gate holds operations until it is opened, without a clock.
type Gate struct {
	mu   sync.Mutex
	some sync.Cond
	held int
	open chan struct{}
}

// Hold returns a fault that holds operations before they reach the store, and
// the gate at which they wait. An operation whose context ends leaves with its
// error, and does not reach the store.
func Hold(kinds ...OpKind) (*Fault, *Gate) {
	g := newGate()
	return &Fault{Name: "held", On: is(kinds), Before: g.wait}, g
}

// HoldReply is the same for operations that have taken effect. It must not be
// used for appends, whose reply comes on a goroutine of the store.
func HoldReply(kinds ...OpKind) (*Fault, *Gate) {
	g := newGate()
	return &Fault{Name: "held back", On: is(kinds), After: g.wait}, g
}

func newGate() *Gate {
	g := &Gate{open: make(chan struct{})}
	g.some.L = &g.mu
	return g
}

func (g *Gate) wait(ctx context.Context, _ Op) error {
	g.mu.Lock()
	g.held++
	g.mu.Unlock()
	g.some.Broadcast()
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Open lets pass what is held and what still comes. It may be called once.
func (g *Gate) Open() { close(g.open) }

// Await waits until n operations have come to the gate.
func (g *Gate) Await(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.held < n {
		g.some.Wait()
	}
}

// yield lets other goroutines run, several times.
func yield(turns int) {
	for range turns {
		runtime.Gosched()
	}
}
