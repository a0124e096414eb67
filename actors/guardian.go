package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// guardian is the root of the tree: a protoactor actor whose mailbox runs what
// it is sent at once, in the sender's goroutine, under a lock. So a top-level
// actor can be spawned from any goroutine without waiting for a worker (which,
// inside a Receive, could be waiting for this), and its name is free the moment
// it has ended.
//
// It has the empty name, so that the paths below it start with '/'.
type guardian struct {
	mu       sync.Mutex // above every mailbox's and the dispatcher's
	invoker  actor.MessageInvoker
	family   family
	stopping bool
	done     chan struct{} // closed when the last actor has ended
}

func newGuardian(p *actor.ActorSystem) (*guardian, error) {
	g := &guardian{done: make(chan struct{})}
	_, err := p.Root.SpawnNamed(actor.PropsFromProducer(
		func() actor.Actor { return shim{} },
		actor.WithMailbox(func() actor.Mailbox { return (*guardianMailbox)(g) }),
		actor.WithSupervisor(supervisor{}),
	), "")
	return g, err
}

func (g *guardian) spawn(s *System, name string, p *Props) (*Ref, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return nil, &sendError{"spawn in", s.name, ErrStopped}
	}
	r, err := s.spawn(g.invoker.(actor.SpawnerContext), nil, name, p, g.family.has(name))
	if err != nil {
		return nil, err
	}
	g.family.add(r)
	s.dispatcher.schedule(r)
	return r, nil
}

// stop tells every actor to stop. The top-level ones stop in parallel.
func (g *guardian) stop() {
	(*guardianMailbox)(g).PostSystemMessage(stopMessage)
}

func (g *guardian) children() []*Ref {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.family.list()
}

// guardianMailbox is a guardian as protoactor sees it.
type guardianMailbox guardian

func (g *guardianMailbox) PostSystemMessage(msg any) {
	if _, ok := msg.(*actor.Failure); ok {
		// Outside the lock: a user's Decide runs, which may spawn. The strategy
		// touches only the child.
		g.invoker.InvokeSystemMessage(msg)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	over := g.stopping && len(g.family) == 0
	switch m := msg.(type) {
	case *actor.Stop:
		g.stopping = true
	case *actor.Terminated:
		g.family.remove(m.Who)
	}
	g.invoker.InvokeSystemMessage(msg)
	if !over && g.stopping && len(g.family) == 0 {
		close(g.done)
	}
}

func (g *guardianMailbox) PostUserMessage(any) {}

func (g *guardianMailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	g.invoker = invoker
}

func (g *guardianMailbox) Start()                {}
func (g *guardianMailbox) UserMessageCount() int { return 0 }
