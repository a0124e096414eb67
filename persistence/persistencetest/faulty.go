package persistencetest

import (
	"context"
	"errors"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// Faulty is a store in which things go wrong on demand, for any store behind it.
// Without faults it is the store behind. Faults are put in with Inject and taken
// away by Heal, at any time; they meet the operations that begin meanwhile.
//
//	store := &persistencetest.Faulty{Store: behind}
//	store.Inject(persistencetest.LoseReply(persistencetest.OpClaim).Nth(2))
//
// For tests under load there are schedules, see [Random].
type Faulty struct {
	persistence.Store
	// Remote makes the store say that it is not local, so that ownership is
	// checked as on a cluster store.
	Remote bool

	mu     sync.Mutex
	hooks  Hooks
	faults []*Fault
	ops    int
	late   []persistence.Frame
	wg     sync.WaitGroup // appends on goroutines of their own
}

// Hooks are faults by hand: functions that are called before operations, or after
// them. What they return is the outcome; the store behind is only reached after
// a nil.
type Hooks struct {
	// Append runs on a goroutine of its own, in which it may block.
	Append func(context.Context, persistence.Frame) error
	// AfterAppend runs when the frame has been stored; an error replaces the
	// outcome, as when a reply is lost.
	AfterAppend func(context.Context, persistence.Frame) error
	Check       func(context.Context) error
	// AfterCheck runs when the check has been made; an error replaces the
	// outcome.
	AfterCheck func(context.Context) error
	WritePages func(context.Context, []persistence.Page) error
	ReadPage   func(context.Context, persistence.PageKey) error
}

// Hook replaces the hooks.
func (f *Faulty) Hook(h Hooks) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks = h
}

// Inject adds faults.
func (f *Faulty) Inject(faults ...*Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

// Heal takes all faults and hooks away. What is held stays so until its gate is
// opened, and frames that are late until they are delivered.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.hooks = nil, Hooks{}
}

// Deliver gives the store the frames that are late, the last one first, and
// returns how many they were.
func (f *Faulty) Deliver(ctx context.Context) (int, error) {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	var errs []error
	for i := range late {
		errs = append(errs, Append(ctx, f.Store.Log(), late[len(late)-1-i]))
	}
	return len(late), errors.Join(errs...)
}

// Info describes the store behind, remote if asked for.
func (f *Faulty) Info() persistence.Info {
	info := f.Store.Info()
	info.Local = info.Local && !f.Remote
	return info
}

// Close waits for the appends under way, and closes the store behind.
func (f *Faulty) Close() error {
	f.wg.Wait()
	return f.Store.Close()
}

// Log returns the log with its faults.
func (f *Faulty) Log() persistence.Log { return faultyLog{f.Store.Log(), f} }

// Pages returns the pages with their faults.
func (f *Faulty) Pages() persistence.Pages { return faultyPages{f.Store.Pages(), f} }

// Ownership returns the ownership with its faults.
func (f *Faulty) Ownership() persistence.Ownership { return faultyOwnership{f.Store.Ownership(), f} }

// Level returns the level with its faults.
func (f *Faulty) Level() persistence.LevelRegister { return faultyLevel{f.Store.Level(), f} }

// met are the faults that an operation meets.
type met []*Fault

// meet numbers op and returns its faults, those of the hooks among them.
func (f *Faulty) meet(op *Op) met {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops++
	op.N = f.ops
	var m met
	for _, fault := range append(f.hooks.faults(op.Kind), f.faults...) {
		if fault.Pick != nil {
			fault = fault.Pick(*op)
		} else if fault.On != nil && !fault.On(*op) {
			fault = nil
		}
		if fault != nil {
			m = append(m, fault)
		}
	}
	return m
}

// faults returns the hooks of a kind of operation as a fault.
func (h Hooks) faults(kind OpKind) []*Fault {
	f := &Fault{Name: "hook"}
	switch {
	case kind == OpAppend && (h.Append != nil || h.AfterAppend != nil):
		if h.Append != nil {
			f.Before = func(ctx context.Context, op Op) error { return h.Append(ctx, op.Frame) }
		}
		if h.AfterAppend != nil {
			f.After = func(ctx context.Context, op Op) error { return h.AfterAppend(ctx, op.Frame) }
		}
	case kind == OpCheck && (h.Check != nil || h.AfterCheck != nil):
		if h.Check != nil {
			f.Before = func(ctx context.Context, _ Op) error { return h.Check(ctx) }
		}
		if h.AfterCheck != nil {
			f.After = func(ctx context.Context, _ Op) error { return h.AfterCheck(ctx) }
		}
	case kind == OpWritePages && h.WritePages != nil:
		f.Before = func(ctx context.Context, op Op) error { return h.WritePages(ctx, op.Pages) }
	case kind == OpReadPage && h.ReadPage != nil:
		f.Before = func(ctx context.Context, op Op) error { return h.ReadPage(ctx, op.Key) }
	default:
		return nil
	}
	return []*Fault{f}
}

// before and after call all the functions, and return the first error.
func (m met) before(ctx context.Context, op Op) error {
	var first error
	for _, f := range m {
		if f.Before != nil {
			if err := f.Before(ctx, op); first == nil {
				first = err
			}
		}
	}
	return first
}

func (m met) after(ctx context.Context, op Op) error {
	var first error
	for _, f := range m {
		if f.After != nil {
			if err := f.After(ctx, op); first == nil {
				first = err
			}
		}
	}
	return first
}

// do is an operation with its faults.
func do[T any](ctx context.Context, f *Faulty, op Op, call func(met) (T, error)) (T, error) {
	var none T
	m := f.meet(&op)
	if err := m.before(ctx, op); err != nil {
		return none, err
	}
	got, err := call(m)
	if err != nil {
		return got, err
	}
	if err := m.after(ctx, op); err != nil {
		return none, err
	}
	return got, nil
}
