package persistencetest

import (
	"context"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// Faulty is a store in which things can be made to go wrong: hooks run before
// an operation reaches the store behind it, and may hold it, or fail it. The
// zero hooks let everything pass. Set hooks with Hook; they may be changed at
// any time.
type Faulty struct {
	persistence.Store
	// Remote makes the store say that it is not local, so that ownership is
	// checked as on a cluster store.
	Remote bool

	mu    sync.Mutex
	hooks Hooks
}

// Hooks are called before operations. What they return is the outcome; the
// store behind is only reached after a nil.
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

func (f *Faulty) get() Hooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hooks
}

// Info describes the store behind, remote if asked for.
func (f *Faulty) Info() persistence.Info {
	info := f.Store.Info()
	info.Local = info.Local && !f.Remote
	return info
}

// Log returns the log with its faults.
func (f *Faulty) Log() persistence.Log { return faultyLog{f.Store.Log(), f} }

// Pages returns the pages with their faults.
func (f *Faulty) Pages() persistence.Pages { return faultyPages{f.Store.Pages(), f} }

// Ownership returns the ownership with its faults.
func (f *Faulty) Ownership() persistence.Ownership { return faultyOwnership{f.Store.Ownership(), f} }

type faultyLog struct {
	persistence.Log
	f *Faulty
}

func (l faultyLog) Append(ctx context.Context, frame persistence.Frame, done func(error)) {
	h := l.f.get()
	store := func() {
		l.Log.Append(ctx, frame, func(err error) {
			if err == nil && h.AfterAppend != nil {
				err = h.AfterAppend(ctx, frame)
			}
			done(err)
		})
	}
	if h.Append == nil {
		store()
		return
	}
	go func() {
		if err := h.Append(ctx, frame); err != nil {
			done(err)
			return
		}
		store()
	}()
}

type faultyPages struct {
	persistence.Pages
	f *Faulty
}

func (p faultyPages) Write(ctx context.Context, pages []persistence.Page) error {
	if h := p.f.get().WritePages; h != nil {
		if err := h(ctx, pages); err != nil {
			return err
		}
	}
	return p.Pages.Write(ctx, pages)
}

func (p faultyPages) Read(ctx context.Context, key persistence.PageKey) (persistence.Page, error) {
	if h := p.f.get().ReadPage; h != nil {
		if err := h(ctx, key); err != nil {
			return persistence.Page{}, err
		}
	}
	return p.Pages.Read(ctx, key)
}

type faultyOwnership struct {
	persistence.Ownership
	f *Faulty
}

func (o faultyOwnership) Check(ctx context.Context, node persistence.NodeID, inc persistence.Incarnation) error {
	h := o.f.get()
	if h.Check != nil {
		if err := h.Check(ctx); err != nil {
			return err
		}
	}
	if err := o.Ownership.Check(ctx, node, inc); err != nil {
		return err
	}
	if h.AfterCheck != nil {
		return h.AfterCheck(ctx)
	}
	return nil
}
