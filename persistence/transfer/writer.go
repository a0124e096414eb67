package transfer

import (
	"context"
	"fmt"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// writer writes the log of a shard of the target, some frames at a time.
type writer struct {
	cfg    Config
	store  persistence.Store
	shard  persistence.Shard
	cancel context.CancelCauseFunc

	next       persistence.Position // of the next event
	checkpoint persistence.Position // set by turn

	frame    persistence.FrameBuilder
	first    persistence.Position // of the frame
	kinds    map[string]uint32
	types    map[persistence.EventType]uint32
	entities map[persistence.Owner]uint32

	flying chan struct{} // a token for each frame under way
	wg     sync.WaitGroup
	mu     sync.Mutex
	err    error // the first of a frame
}

// newWriter returns the writer of an epoch. cancel is called with the first error
// of a frame.
func newWriter(cfg Config, store persistence.Store, shard persistence.Shard, epoch persistence.Epoch, cancel context.CancelCauseFunc) *writer {
	begin := persistence.At(epoch, 0)
	w := &writer{
		cfg: cfg, store: store, shard: shard, cancel: cancel, next: begin, first: begin, checkpoint: begin,
		flying: make(chan struct{}, cfg.Frames),
	}
	w.reset()
	return w
}

func (w *writer) reset() {
	w.frame.Reset()
	w.kinds, w.types, w.entities = make(map[string]uint32), make(map[persistence.EventType]uint32), make(map[persistence.Owner]uint32)
	w.first = w.next
}

// add writes an event, and returns its place.
func (w *writer) add(ctx context.Context, owner persistence.Owner, r persistence.Record) (persistence.Position, error) {
	if n := int(w.frame.Count()); n > 0 && (n >= w.cfg.FrameEvents || w.frame.Size()+len(r.Payload) > w.cfg.FrameBytes) {
		if err := w.flush(ctx); err != nil {
			return 0, err
		}
	}
	typ, ok := w.types[*r.Type]
	if !ok {
		typ = w.frame.Type(w.kind(owner.Kind), r.Type.Name, r.Type.Version)
		w.types[*r.Type] = typ
	}
	entity, ok := w.entities[owner]
	if !ok {
		entity = w.frame.Entity(w.kind(owner.Kind), owner.ID)
		w.entities[owner] = entity
	}
	w.frame.Add(entity, typ, r.Payload)
	at := w.next
	w.next++
	return at, nil
}

func (w *writer) kind(name string) uint32 {
	k, ok := w.kinds[name]
	if !ok {
		k = w.frame.Kind(name)
		w.kinds[name] = k
	}
	return k
}

// turn makes where the log has come to the checkpoint, which lies between frames.
func (w *writer) turn(ctx context.Context) error {
	err := w.flush(ctx)
	w.checkpoint = w.next
	return err
}

// flush sends the frame.
func (w *writer) flush(ctx context.Context) error {
	if w.frame.Count() == 0 {
		return nil
	}
	f, err := w.frame.Build(w.shard, w.first)
	if err != nil {
		return err
	}
	select {
	case w.flying <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w.wg.Add(1)
	w.store.Log().Append(ctx, f, func(err error) {
		defer w.wg.Done()
		<-w.flying
		if err != nil {
			w.fail(fmt.Errorf("transfer: the frame at %s of shard %d of the target: %w", f.Position, w.shard, err))
		}
	})
	w.reset()
	return nil
}

func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		w.cancel(err)
	}
}

// wait waits until all frames that were sent are durable, and returns the first
// error.
func (w *writer) wait() error {
	w.wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
