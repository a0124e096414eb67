package actors

import (
	"context"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
)

// Everything that protoactor calls, and what it is told about us.

// The messages by which its contexts are driven. They are shared: they carry
// nothing.
var (
	stopMessage    = &actor.Stop{}
	restartMessage = &actor.Restart{}
)

// newProto makes an actor system that logs and publishes nothing by itself.
func newProto(log *slog.Logger) *actor.ActorSystem {
	p := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(warnings{log.Handler()})
	}))
	// Its own subscribers print the payload of dead letters, and start a goroutine
	// that nobody waits for to count them. A stream without subscribers does not.
	p.EventStream = eventstream.NewEventStream()
	return p
}

// warnings keeps protoactor's informational lines out: "actor system started",
// and one for each panic, which the Listener and our own log line tell better.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{h.Handler.WithAttrs(a)} }
func (h warnings) WithGroup(name string) slog.Handler   { return warnings{h.Handler.WithGroup(name)} }

// newProps makes the one Props that all actors of a System share; what differs
// is in their Ref.
func (s *System) newProps() *actor.Props {
	return actor.PropsFromProducer(
		func() actor.Actor { return shim{} },
		actor.WithMailbox(func() actor.Mailbox { return (*protoMailbox)(new(Ref)) }),
		actor.WithDispatcher(protoDispatcher{}),
		actor.WithSupervisor(supervisor{}),
	)
}

// shim is what protoactor takes for the actor. It does nothing: turn calls the
// real one.
type shim struct{}

func (shim) Receive(actor.Context) {}

// protoDispatcher is never called: only mailboxes schedule, and ours has its own.
type protoDispatcher struct{}

func (protoDispatcher) Schedule(fn func()) { go fn() }
func (protoDispatcher) Throughput() int    { return 1 }

// protoMailbox is a Ref as protoactor sees it, so that Ref has no such methods.
type protoMailbox Ref

// handshake gets the Ref out of a process, which is opaque.
type handshake struct{ ref *Ref }

func (m *protoMailbox) PostUserMessage(msg any) {
	if h, ok := msg.(*handshake); ok {
		h.ref = (*Ref)(m)
		return
	}
	// Nobody has a PID to send to but us.
	_ = (*Ref)(m).Tell(msg)
}

func (m *protoMailbox) PostSystemMessage(msg any) { (*Ref)(m).postSystem(msg) }

func (m *protoMailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
	// Until spawn has filled in the rest, nobody may run it.
	m.mb.scheduled = true
}

func (m *protoMailbox) Start() {}

func (m *protoMailbox) UserMessageCount() int { return int(m.mb.queued.Load()) }

// supervisor is the strategy of every actor: the failure knows its child, and
// the child its parent.
type supervisor struct{}

// HandleFailure runs in the turn of the parent.
func (supervisor) HandleFailure(_ *actor.ActorSystem, parent actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason any, _ any) {
	child := reason.(failure).ref
	p := child.parent
	if p == nil { // the guardian's child
		child.supervise(child.sys.supervision, nil)
		return
	}
	if life := p.life.Load(); life >= restarting {
		return // which stops its children
	}
	child.supervise(p.props.Supervision.filled(), func(crash *CrashError) {
		p.mb.mu.Lock()
		p.extras().escalated = append(p.extras().escalated, child)
		p.mb.mu.Unlock()
		if p.life.Load() == failed {
			return // its supervisor is deciding already
		}
		p.life.Store(failed)
		p.setCrash(&CrashError{Path: crash.Path, Reason: crash.Reason, Stack: crash.Stack})
		parent.EscalateFailure(failure{p}, nil)
	})
}
