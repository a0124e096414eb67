package entity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// An entity that meets an event or a page that can't be read, or an event that
// can't be evolved, is corrupt: it answers nothing but that error, and its pages
// stay in the store as they are. So that it does not hold up the checkpoint of
// its shard for ever, its events from the checkpoint on are written to a page of
// the shard, once for each time that it is found corrupt; they are kept there
// until a program that understands them, or a skip, has brought the entity back
// and its pages are stored.

const keptPrefix = "kept/"

func keptKey(shard persistence.Shard, kind, id string) persistence.PageKey {
	return persistence.PageKey{Shard: shard, Page: keptPrefix + kind + "/" + id}
}

// stop makes the entity answer nothing but an error, and has its events kept.
func (a *entityActor) stop(err error) {
	if !errors.Is(err, ErrCorrupt) { // damage that the store or the log has found
		err = fmt.Errorf("%w: %s: %w", ErrCorrupt, a.view.id, err)
	}
	a.corrupt = err
	a.e.damage.Store(&err)
	a.unlearn()
	a.host().cfg.Logger.Error("entity is corrupt and answers nothing until that is mended",
		"entity", a.view.id.String(), "shard", a.open.log.Number(), "error", err)
	if l := a.host().cfg.Listener.EntityCorrupt; l != nil {
		l(a.view.id, err)
	}
	a.keepEvents()
}

// keepEvents begins to keep the events of a corrupt entity, if any of them may be
// in the tail.
func (a *entityActor) keepEvents() {
	if a.e.dirty.Load() == 0 {
		return
	}
	o, id, self, upTo := a.open, a.view.id, a.self, a.e.last
	stamp := o.keptStamp()
	a.keeping = stamp
	o.beginKeeping(id)
	a.host().wg.Go(func() {
		err := o.keep(o.ctx, id, upTo, stamp)
		o.endKeeping(id)
		_ = tell(self, eventsKept{stamp, err}) // an actor that has stopped keeps them when it starts again
	})
}

// beginKeeping takes note that events of an entity are about to be kept: by an
// attempt that goes on, and may succeed, when a skip has brought the entity back.
func (o *openShard) beginKeeping(id ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keeping[id]++
}

// endKeeping takes note that an attempt has ended, and what it did is known.
func (o *openShard) endKeeping(id ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keeping[id]--; o.keeping[id] == 0 {
		delete(o.keeping, id)
	}
}

// mayKeep returns the end of the events that are kept for an entity, 0 when there
// are none, and whether some may still come to be.
func (o *openShard) mayKeep(id ID) (end persistence.Position, under bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if kept := o.kept[id].records; len(kept) > 0 {
		end = kept[len(kept)-1].Position + 1
	}
	return end, o.keeping[id] > 0
}

// keptStamp returns a stamp for a change of what is kept. Several may be under way
// for one entity, in memory and to the store, and end in any order: the newest has
// the highest stamp, also if nothing was acknowledged in between, and decides.
func (o *openShard) keptStamp() persistence.Position {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stamp = max(o.stamp+1, o.log.Acked())
	return o.stamp
}

// keptEvents are the events that are kept for an entity; none when they have been
// let go of.
type keptEvents struct {
	stamp   persistence.Position
	records []persistence.Record
}

// changeKept takes note of a change that was stored.
func (o *openShard) changeKept(id ID, to keptEvents) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.stamp > o.kept[id].stamp {
		o.kept[id] = to
	}
}

// eventsKept tells a corrupt entity what became of its events.
type eventsKept struct {
	stamp persistence.Position
	err   error
}

// Refuse says that nobody is there to be told.
func (eventsKept) Refuse(error) {}

// keep writes an entity's events to a page of the shard.
func (o *openShard) keep(ctx context.Context, id ID, upTo, stamp persistence.Position) error {
	records, err := o.readBack(ctx, id.Kind, id.ID, upTo)
	if err != nil {
		return err
	}
	if len(records) == 0 { // its pages were stored meanwhile
		return nil
	}
	m := &storagev1.KeptEvents{}
	for _, r := range records {
		m.Events = append(m.Events, &storagev1.KeptEvent{
			Position: uint64(r.Position), Name: r.Type.Name, Version: r.Type.Version, Payload: r.Payload,
		})
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err
	}
	page := persistence.Page{Key: keptKey(o.log.Number(), id.Kind, id.ID), Position: stamp, Version: 1, Data: data}
	if err := o.host.host.cfg.Store.Pages().Write(ctx, []persistence.Page{page}); err != nil {
		return err
	}
	o.changeKept(id, keptEvents{stamp, records})
	return nil
}

// keptNow lets the checkpoint pass the events of a corrupt entity once they are
// kept elsewhere. What could not be kept holds it back, as the log has it still;
// the next flush tries again.
func (a *entityActor) keptNow(m eventsKept) {
	if a.corrupt == nil {
		a.settle() // a skip came first: they are let go of
	}
	if m.stamp != a.keeping {
		return // a later one decides, or that of another incarnation
	}
	a.keeping = 0
	switch {
	case a.corrupt == nil:
	case m.err == nil:
		a.e.dirty.Store(0)
	case a.open.ctx.Err() == nil:
		a.host().cfg.Logger.Warn("the events of a corrupt entity could not be set aside; they hold the shard's checkpoint back",
			"entity", a.view.id.String(), "shard", a.open.log.Number(), "error", m.err)
	}
}

// readKept reads the events that are kept for entities of the shard.
func (o *openShard) readKept(ctx context.Context) error {
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), persistence.PageKey{Page: keptPrefix}, false) {
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(page.Key.Page, keptPrefix)
		if page.Key.Kind != "" || !ok {
			break
		}
		kind, id, _ := strings.Cut(name, "/")
		if o.host.host.kinds[kind] == nil {
			return unknownKind(kind)
		}
		records, err := decodeKept(ID{kind, id}, page)
		if err != nil {
			return err
		}
		o.kept[ID{kind, id}], o.keptAsleep[ID{kind, id}] = keptEvents{page.Position, records}, true
	}
	return nil
}

// decodeKept returns the events that a page keeps for an entity.
func decodeKept(id ID, page persistence.Page) ([]persistence.Record, error) {
	m := &storagev1.KeptEvents{}
	if err := proto.Unmarshal(page.Data, m); err != nil {
		return nil, &persistence.CorruptError{Record: "page", Key: page.Key.String(), Reason: err.Error()}
	}
	var records []persistence.Record
	for _, e := range m.GetEvents() {
		records = append(records, persistence.Record{
			Position: persistence.Position(e.GetPosition()), ID: id.ID, Payload: e.GetPayload(),
			Type: &persistence.EventType{Kind: id.Kind, Name: e.GetName(), Version: e.GetVersion()},
		})
	}
	return records, nil
}

// keeps returns for how many entities events are kept.
func (o *openShard) keeps() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, kept := range o.kept {
		if len(kept.records) > 0 {
			n++
		}
	}
	return n
}

// keptOf returns the events that are kept for an entity.
func (o *openShard) keptOf(kind, id string) []persistence.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept[ID{kind, id}].records
}

// release lets go of the events that were kept for an entity, which is back and
// whose pages are stored up to there; false when there are none, and none can come
// any more. dirty is the first event that is in no stored page, or 0. Until it is
// done the entity stays dirty: the skip that brought it back must not leave the tail
// before. So it must not while an attempt to keep them is under way, which may have
// begun before the skip: they would be kept for ever, and the next start would replay
// them without the skip.
func (a *entityActor) release(dirty persistence.Position) (wait bool) {
	end, under := a.open.mayKeep(a.view.id)
	switch {
	case a.releasing || under:
		return true // the end of either has the entity settle
	case end == 0:
		return false
	case dirty != 0 && dirty < end:
		return true // and so has what is stored
	}
	a.releasing = true
	o, id, self, incarnation := a.open, a.view.id, a.self, a.incarnation
	stamp := o.keptStamp()
	a.host().wg.Go(func() {
		page := persistence.Page{Key: keptKey(o.log.Number(), id.Kind, id.ID), Position: stamp, Version: 1, Deleted: true}
		err := o.host.host.cfg.Store.Pages().Write(o.ctx, []persistence.Page{page})
		if err == nil {
			o.changeKept(id, keptEvents{stamp: stamp})
		}
		_ = tell(self, eventsReleased{incarnation, err})
	})
	return true
}

type eventsReleased struct {
	incarnation uint32
	err         error
}

// Refuse says that nobody is there to be told.
func (eventsReleased) Refuse(error) {}

func (a *entityActor) released(m eventsReleased) {
	if m.incarnation == a.incarnation {
		a.releasing = false
		if m.err == nil { // else the next flush tries again
			a.settle()
		}
	}
}

// skipCommand asks to leave out the event at a position, by which the entity is
// corrupt, in this and every later replay.
type skipCommand struct{ Position persistence.Position }

// Skip leaves out the event of an entity at a position, for ever: the event by
// which the entity is corrupt, and no other. What it said is lost to the entity,
// and stays in the log. The entity starts again from its pages and events.
func (h *Host) Skip(ctx context.Context, id ID, position persistence.Position) error {
	k := h.kinds[id.Kind]
	if k == nil {
		return fmt.Errorf("%w %q", ErrUnknownKind, id.Kind)
	}
	return k.Skip(ctx, h, id.ID, position)
}

// Skip is [Host.Skip] for an entity of the kind that may be anywhere.
func (k *Kind) Skip(ctx context.Context, to Locator, id string, position persistence.Position) error {
	_, err := k.skipping.Ask(ctx, to, id, skipCommand{position})
	return err
}

// skip handles a skipCommand: it appends the event, and starts the entity over.
func (a *entityActor) skip(m *Call, s *scratch) {
	position := requestOf[skipCommand, struct{}](m).command.Position
	var c *CorruptError
	switch {
	case a.corrupt == nil:
		m.finish(Token{}, Reject("%s is not corrupt; there is nothing to skip", a.view.id).Because("NOT_CORRUPT"))
		return
	case !errors.As(a.corrupt, &c) || !c.Event || c.Position != position:
		m.finish(Token{}, Reject("only the event by which %s is corrupt can be skipped: %v", a.view.id, a.corrupt).Because("NOT_THE_EVENT"))
		return
	}
	if err := a.encode(s, Events{skip{position}}); err != nil {
		m.finish(Token{}, err)
		return
	}
	if a.e.dirty.Load() == 0 {
		a.e.dirty.Store(uint64(a.open.log.Next())) // as evolve does: before the append
	}
	a.open.rise(a.e) // before anybody is told that it is back
	a.gate(m, s, 1)
	a.corrupt = nil
	a.e.damage.Store(nil)
	a.load(nil, false, true)
}
