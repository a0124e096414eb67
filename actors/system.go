package actors

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Config says how a System works.
type Config struct {
	// Name is for errors and logs.
	Name string
	// Workers is how many goroutines run actors; 0 means GOMAXPROCS. More would
	// help only actors that block, which none should.
	Workers int
	// Turn is how many messages an actor may handle before the others get a
	// turn. Fewer is fairer, more is faster.
	Turn int
	// Supervision decides about the actors at the top of the tree. Its zero
	// fields mean those of DefaultSupervision.
	Supervision Supervision
	// Logger is told what an operator must know: a panic, an actor that is given
	// up. Nil means slog.Default().
	Logger *slog.Logger
	// Listener hears everything.
	Listener Listener
}

// DefaultConfig returns the values meant for production.
func DefaultConfig() Config {
	return Config{
		Name:        "actors",
		Turn:        128, // some 20 µs for a small message; the queue's lock is then 1 % of it
		Supervision: DefaultSupervision(),
	}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	switch {
	case c.Workers < 0:
		return fmt.Errorf("%w: Config.Workers is %d, want 0 (GOMAXPROCS) or more", ErrBadProps, c.Workers)
	case c.Turn < 1:
		return fmt.Errorf("%w: Config.Turn is %d, want 1 or more", ErrBadProps, c.Turn)
	}
	return c.Supervision.validate()
}

// System is a tree of actors and the workers that run them. All its methods may
// be called from any goroutine.
type System struct {
	name        string
	log         *slog.Logger
	listener    Listener
	supervision Supervision // of the actors at the top

	proto      *actor.ActorSystem
	props      *actor.Props // of all actors
	guardian   *guardian
	dispatcher *dispatcher
	waiters    sync.Pool      // for asks; see pending.wait
	timers     sync.WaitGroup // that may still run their function
	live       atomic.Int64
}

// NewSystem returns a System without actors. It must be stopped.
func NewSystem(c Config) (*System, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	s := &System{
		name:        c.Name,
		log:         c.Logger,
		listener:    c.Listener,
		supervision: c.Supervision.filled(),
		proto:       newProto(c.Logger),
		dispatcher:  newDispatcher(c.Workers, c.Turn),
	}
	s.waiters.New = newWaiter
	s.props = s.newProps()
	var err error
	if s.guardian, err = newGuardian(s.proto); err != nil {
		return nil, fmt.Errorf("actors: new system %s: %w", c.Name, err)
	}
	return s, nil
}

// Spawn makes an actor at the top of the tree, supervised by Config.Supervision.
// It returns at once; the actor's first message, Started, is handled in its own
// turn. It fails with ErrNameExists while an actor of that name lives there,
// and with ErrStopped once Stop was called. Actors spawn children with
// Context.Spawn.
func (s *System) Spawn(name string, p *Props) (*Ref, error) {
	return s.guardian.spawn(s, name, p)
}

// spawn makes an actor that is not scheduled yet; the caller adds it to its
// parent's family, which says whether the name exists, and schedules it.
func (s *System) spawn(in actor.SpawnerContext, parent *Ref, name string, p *Props, exists bool) (*Ref, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("actors: spawn %q: %w", name, err)
	}
	if name == "" {
		return nil, ErrBadName
	}
	if exists {
		return nil, fmt.Errorf("%w: %q", ErrNameExists, name)
	}
	pid, err := in.SpawnNamed(s.props, escapeName(name))
	if err != nil {
		return nil, fmt.Errorf("actors: spawn %q: %w", name, err)
	}
	var h handshake
	process, _ := s.proto.ProcessRegistry.GetLocal(pid.Id)
	process.SendUserMessage(pid, &h)
	r := h.ref
	r.sys, r.parent, r.props, r.pid = s, parent, p, pid
	r.context.ref = r
	s.live.Add(1)
	return r, nil
}

// Live returns how many actors there are, the stopping ones included.
func (s *System) Live() int { return int(s.live.Load()) }

// Stop stops every actor, from the top of the tree to its leaves; a parent has
// stopped when its children have. It waits for all of them, for the functions
// of timers and for the workers, and then nothing of the System runs any more.
//
// If ctx is done first Stop says who is left. They go on stopping, and Stop may
// be called again. It must not be called inside a Receive: it would wait for
// itself, and fails with ErrCycle if it can see that.
func (s *System) Stop(ctx context.Context) error {
	if asker, _ := ctx.Value(askerKey{}).(*askContext); asker != nil && asker.self.sys == s {
		return fmt.Errorf("%w: stop %s in %s", ErrCycle, s.name, asker.self.Path())
	}
	s.guardian.stop()
	select {
	case <-s.guardian.done:
	case <-ctx.Done():
		return fmt.Errorf("actors: stop %s: %w; still there: %s", s.name, ctx.Err(), s.leftOvers())
	}
	s.timers.Wait()
	s.dispatcher.close()
	return nil
}

// leftOvers names some actors that have not stopped, those that hold up others
// first.
func (s *System) leftOvers() string {
	const most = 5
	var names []string
	for _, n := range s.Tree() {
		if n.Children == 0 {
			names = append(names, n.Path)
		}
	}
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// What becomes known about actors is told from here, to the log and the
// Listener. A Listener that panics must not take a supervisor with it.

func (s *System) failed(r *Ref, crash *CrashError, d Directive, failures int, backoff time.Duration) {
	r.mb.mu.Lock()
	x := r.extras()
	told := x.told == crash
	x.told = crash
	r.mb.mu.Unlock()
	if told {
		return
	}
	level := slog.LevelWarn
	if d == Stop {
		level = slog.LevelError
	}
	if reason, ok := crash.Reason.(Expected); ok && d != Stop {
		s.log.Info("actors: an actor begins anew", "actor", r.Path(), "reason", reason.Err, "then", d.String(), "failures", failures, "backoff", backoff)
	} else {
		s.log.Log(context.Background(), level, "actors: an actor crashed", "actor", r.Path(), "panic", crash.Reason,
			"then", d.String(), "failures", failures, "backoff", backoff, "stack", string(crash.Stack))
	}
	if f := s.listener.Failed; f != nil {
		s.hear(func() {
			f(FailureInfo{Path: r.Path(), Err: crash, Directive: d, Failures: failures, Backoff: backoff})
		})
	}
}

func (s *System) restarted(r *Ref, restarts int) {
	if f := s.listener.Restarted; f != nil {
		s.hear(func() { f(RestartInfo{Path: r.Path(), Restarts: restarts}) })
	}
}

func (s *System) stopped(r *Ref, crash *CrashError) {
	s.live.Add(-1)
	if crash != nil {
		s.failed(r, crash, Stop, 1, 0) // unless its supervisor has decided
	}
	if f := s.listener.Stopped; f != nil {
		s.hear(func() { f(StopInfo{Path: r.Path(), Err: crash}) })
	}
}

func (s *System) overloaded(r *Ref) {
	if f := s.listener.Overloaded; f != nil {
		s.hear(func() { f(r.Path()) })
	}
}

func (s *System) deadLetter(r *Ref, msg any, err error) {
	if f := s.listener.DeadLetter; f != nil {
		s.hear(func() { f(DeadLetterInfo{Path: r.Path(), Type: fmt.Sprintf("%T", msg), Err: err}) })
	}
}

func (s *System) hear(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("actors: the Listener panicked", "system", s.name, "panic", v)
		}
	}()
	f()
}
