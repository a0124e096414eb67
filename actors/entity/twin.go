package entity

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// Twin runs the functions of a kind without an actor, a store or a clock: a
// dumb twin of an entity, for tests. It keeps three copies of the state, evolves
// each in its own way, and finds kinds whose copies part:
//
//   - one evolves with the events as decided, pages staying in memory;
//   - one evolves with events that went through their codec, and its pages go
//     through theirs after each event;
//   - one evolves each page by itself from the first event on, and one with
//     events joined where the kind can.
//
// It also finds pages of which the kind says, by [KnownFrom], that they aren't there.
type Twin struct {
	kind    *Kind
	live    pages
	stored  map[PageRef]storedPage
	history []any
	at      persistence.Position
}

type storedPage struct {
	version  uint32
	position persistence.Position
	data     []byte
}

// NewTwin returns the twin of a new entity.
func NewTwin(k Definition) *Twin {
	return &Twin{kind: k.Definition(), stored: make(map[PageRef]storedPage), at: persistence.At(persistence.FirstEpoch, 0)}
}

// Decide runs a command or question, found by its type, and returns the events,
// the reply and the refusal. The events are not evolved with, save for making
// the reply.
func (t *Twin) Decide(command any) (Events, any, error) {
	h := t.kind.commands[reflect.TypeOf(command)]
	if h == nil {
		return nil, nil, fmt.Errorf("entity: kind %q has no command or question %T", t.kind.name, command)
	}
	c := h.begin(command)
	v := &View{id: ID{t.kind.name, "twin"}, pages: &t.live, whole: true, needs: h.needs(nil, c)}
	events, err := h.decide(v, c)
	if err != nil || h.reply == nil {
		return events, h.result(c), err
	}
	after, err := t.replay(append(append([]any(nil), t.history...), events...))
	if err != nil {
		return events, nil, err
	}
	v.pages = &after
	h.reply(v, c)
	return events, h.result(c), nil
}

// DecideTogether decides on commands of one type as when they wait together, and
// returns their events and replies; false when each has to be decided on by itself.
// An error says that deciding on one after the other would have come to something
// else.
func (t *Twin) DecideTogether(commands ...any) (events Events, replies []any, ok bool, err error) {
	h := t.kind.commands[reflect.TypeOf(commands[0])]
	if h == nil || h.together == nil {
		return nil, nil, false, nil
	}
	v := &View{id: ID{t.kind.name, "twin"}, pages: &t.live, whole: true}
	calls := make([]*Call, len(commands))
	for i, command := range commands {
		calls[i] = h.begin(command)
		v.needs = h.addNeeds(v.needs, calls[i])
		if i > 0 {
			calls[i-1].next = calls[i]
		}
	}
	if h.needTogether != nil {
		if needs := h.needTogether(nil, calls[0], len(calls)); !sameRefs(needs, v.needs) {
			return nil, nil, false, fmt.Errorf("entity: %d commands need %s together, and %s one after the other", len(commands), needs, v.needs)
		}
	}
	if events, ok = h.together(v, calls[0], len(calls)); !ok {
		return nil, nil, false, nil
	}
	together, err := t.replay(append(append([]any(nil), t.history...), events...))
	if err != nil {
		return nil, nil, false, err
	}
	alone := append([]any(nil), t.history...)
	for i, command := range commands {
		before, err := t.replay(alone)
		if err != nil {
			return nil, nil, false, err
		}
		c := h.begin(command)
		one, err := h.decide(&View{id: v.id, pages: &before, whole: true, needs: h.needs(nil, c)}, c)
		if reply := h.result(calls[i]); err != nil || !reflect.DeepEqual(reply, h.result(c)) {
			return nil, nil, false, fmt.Errorf("entity: command %d of %d has the reply %v together with the others, and %v, %w by itself", i+1, len(commands), reply, h.result(c), err)
		}
		replies, alone = append(replies, h.result(c)), append(alone, one...)
	}
	after, err := t.replay(alone)
	if err != nil {
		return nil, nil, false, err
	}
	if a, b := encodePages(together), encodePages(after); !maps.Equal(a, b) {
		return nil, nil, false, fmt.Errorf("entity: %d commands make pages %x together, and %x one after the other", len(commands), a, b)
	}
	return events, replies, true, nil
}

// sameRefs reports whether both have the same pages, each of them once.
func sameRefs(a, b []PageRef) bool {
	for _, ref := range a {
		if !slices.Contains(b, ref) {
			return false
		}
	}
	return len(a) == len(b)
}

// Evolve applies an event to the copies and returns an error when they part, or
// when the event or a page doesn't survive its codec.
func (t *Twin) Evolve(event any) error {
	again, err := t.roundTrip(event)
	if err != nil {
		return err
	}
	t.history = append(t.history, again)
	if err := t.live.evolve(event, t.at, t.live.touchedBy(t.kind, event)); err != nil {
		return err
	}
	if err := t.evolveStored(again); err != nil {
		return err
	}
	for _, p := range t.live {
		p.measure(-1) // as memory is weighed, now and then
	}
	t.at++
	if err := t.known(); err != nil {
		return err
	}
	replayed, err := t.replay(t.history)
	if err != nil {
		return err
	}
	joined, err := t.join()
	if err != nil {
		return err
	}
	return t.compare(replayed, joined)
}

// known holds what the kind knows of pages that aren't there, see [KnownFrom], against
// those that are.
func (t *Twin) known() error {
	for _, p := range t.live {
		if p.state == nil || !t.live.absent(p.ref) {
			continue
		}
		empty, err := p.ref.set.new(p.ref.name)
		if err != nil {
			return fmt.Errorf("entity: page %s can't be made: %w", p.ref, err)
		}
		if is, would := p.ref.set.append(nil, p.state), p.ref.set.append(nil, empty); !bytes.Equal(is, would) {
			return fmt.Errorf("entity: page %s is said not to be there, and is %x where a new one is %x", p.ref, is, would)
		}
	}
	return nil
}

// join replays all events as a recovery does.
func (t *Twin) join() (pages, error) {
	var records []persistence.Record
	for i, e := range t.history {
		typ, err := t.kind.typeOf(e)
		if err != nil {
			return nil, err
		}
		b, err := typ.append(nil, e)
		if err != nil {
			return nil, err
		}
		records = append(records, persistence.Record{Position: persistence.At(persistence.FirstEpoch, uint64(i)), Type: &typ.stored, Payload: b})
	}
	all, at, err := t.kind.remember(records, false)
	if err != nil {
		return nil, fmt.Errorf("entity: event %d can't be joined with those before: %w", at.Seq(), err)
	}
	var p pages
	for i := range all {
		if err := p.redo(t.kind, &all[i], p.touchedBy(t.kind, all[i].event)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// roundTrip sends an event through its codec.
func (t *Twin) roundTrip(event any) (any, error) {
	typ, err := t.kind.typeOf(event)
	if err != nil {
		return nil, err
	}
	b, err := typ.append(nil, event)
	if err != nil {
		return nil, fmt.Errorf("entity: event %s can't be encoded: %w", typ.stored.Name, err)
	}
	input := bytes.Clone(b)
	again, err := t.kind.decode(persistence.Record{Type: &typ.stored, Payload: b})
	if err != nil {
		return nil, fmt.Errorf("entity: event %s can't be decoded: %w", typ.stored.Name, err)
	}
	for i := range b {
		b[i] = 0xff // the decoded event must not share it
	}
	if twice, err := typ.append(nil, again); err != nil || !bytes.Equal(twice, input) {
		return nil, fmt.Errorf("entity: event %s doesn't survive its codec: %x became %x (%w)", typ.stored.Name, input, twice, errors.Join(err, errKeeps))
	}
	return again, nil
}

var errKeeps = errors.New("does decoding keep its input, or lose something?")

// evolveStored loads the pages that the event touches, evolves and stores them.
func (t *Twin) evolveStored(event any) error {
	if _, ok := event.(deletion); ok {
		clear(t.stored)
		return nil
	}
	refs, _ := touched(nil, nil, t.kind, event)
	for _, ref := range refs {
		var loaded pages
		if s, ok := t.stored[ref]; ok {
			state, err := ref.set.decode(s.version, bytes.Clone(s.data))
			if err != nil {
				return fmt.Errorf("entity: page %s can't be decoded: %w", ref, err)
			}
			loaded.put(&page{ref: ref, position: s.position, state: state})
		}
		if err := loaded.evolve(event, t.at, []PageRef{ref}); err != nil {
			return err
		}
		p := loaded.find(ref)
		t.stored[ref] = storedPage{ref.set.version, p.position, ref.set.append(nil, p.state)}
	}
	return nil
}

// replay makes pages from events.
func (t *Twin) replay(events []any) (pages, error) {
	var p pages
	for i, e := range events {
		if err := p.evolve(e, persistence.At(persistence.FirstEpoch, uint64(i)), p.touchedBy(t.kind, e)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// compare holds the copies against each other, page by page, by their bytes.
func (t *Twin) compare(replayed, joined pages) error {
	live, again, stored := encodePages(t.live), encodePages(replayed), make(map[string]string)
	for ref, s := range t.stored {
		stored[ref.String()] = string(s.data)
	}
	for what, other := range map[string]map[string]string{
		"replaying all events":               again,
		"replaying events that were joined":  encodePages(joined),
		"storing and loading between events": stored,
	} {
		if maps.Equal(live, other) {
			continue
		}
		for name := range live {
			if live[name] != other[name] {
				return fmt.Errorf("entity: page %s comes out differently by %s: %x, and %x in memory", name, what, other[name], live[name])
			}
		}
		return fmt.Errorf("entity: %s makes %d pages, and there are %d in memory", what, len(other), len(live))
	}
	return nil
}

func encodePages(p pages) map[string]string {
	m := make(map[string]string)
	for _, e := range p {
		if e.state == nil {
			continue // deleted
		}
		m[e.ref.String()] = string(e.ref.set.append(nil, e.state))
	}
	return m
}

// touchedBy returns the pages that an event touches, all for a deletion.
func (p pages) touchedBy(k *Kind, event any) []PageRef {
	if _, ok := event.(deletion); ok {
		return p.refs(nil)
	}
	refs, _ := touched(nil, nil, k, event)
	return refs
}
