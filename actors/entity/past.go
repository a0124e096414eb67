package entity

import (
	"fmt"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// past is events of an entity as a replay takes them: one, or several of one
// type that were joined.
type past struct {
	event   any
	records []persistence.Record // in order
}

func (p *past) first() persistence.Position { return p.records[0].Position }
func (p *past) end() persistence.Position   { return p.records[len(p.records)-1].Position + 1 }

// remember decodes records, without those that are to be skipped, and joins what
// can be joined, unless each is to stand for itself. Nothing is joined to an event
// that may change an index: its entries may be stored as they were between the two,
// and a replay has to come by that. An error says at which position it is.
func (k *Kind) remember(records []persistence.Record, apart bool) (all []past, at persistence.Position, err error) {
	defer recovered(&err)
	skipped := k.skips(records)
	begin := 0 // of the records of the last past
	var last *persistence.EventType
	var t *eventType
	for i, r := range records {
		at = r.Position
		if skipped[r.Position] || isSkip(&r) {
			last = nil
			continue
		}
		if last != r.Type { // the records of a frame share their types
			before := t
			if t, err = k.typeOfRecord(r); err != nil {
				return nil, at, err
			}
			if last == nil || before != t {
				begin = i
			}
			last = r.Type
		}
		if begin < i && t.join != nil && !apart && !k.changesIndex(all[len(all)-1].event) {
			p := &all[len(all)-1]
			joined, ok, err := t.join(p.event, r.Type.Version, r.Payload)
			if err != nil {
				return nil, at, err
			}
			if ok {
				p.event, p.records = joined, records[begin:i+1]
				continue
			}
		}
		event, err := t.decode(r.Type.Version, r.Payload)
		if err != nil {
			return nil, at, err
		}
		begin = i
		all = append(all, past{event, records[i : i+1]})
	}
	return all, 0, nil
}

// touchedBy adds to refs the pages that events of the past touch, but for
// deletions. A panic is an error at the position of its event: to replay them
// without the pages of those behind it would be wrong, should it go well then.
func (k *Kind) touchedBy(refs []PageRef, all []past) (_ []PageRef, at persistence.Position, err error) {
	defer recovered(&err)
	var names []string
	var some []PageRef
	for i := range all {
		at = all[i].first() //nolint:wastedassign // returned after a panic
		some, names = touched(some[:0], names, k, all[i].event)
		for _, ref := range some {
			if !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs, 0, nil
}

// recovered makes a panic of the kind's code an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it panicked: %v", p)
	}
}

// redo evolves the pages with events of the past, turning a panic into an error.
// A page that has none of them takes them at once, one that has some takes the
// others one by one.
func (a *entityActor) redo(p *past, refs []PageRef, names []string) (_ []PageRef, _ []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("evolving with %s panicked: %v", p.records[0].Type.Name, r)
		}
	}()
	switch p.event.(type) {
	case deletion:
		refs = a.pages.refs(refs[:0])
	default:
		refs, names = touched(refs[:0], names, a.kind, p.event)
	}
	return refs, names, a.indexed(p.event, true, func() error { return a.pages.redo(a.kind, p, refs) })
}

// redo evolves the pages that are touched by events of the past with what they
// don't have of it.
func (p *pages) redo(k *Kind, past *past, touched []PageRef) error {
	for i, ref := range touched {
		e := p.find(ref)
		if e != nil && e.position > past.first() && e.position < past.end() {
			if err := p.redoSome(k, past, ref); err != nil {
				return err
			}
			continue
		}
		if err := p.evolve(past.event, past.first(), touched[i:i+1]); err != nil {
			return err
		}
		if e = p.find(ref); e.position < past.end() {
			e.position = past.end()
		}
	}
	return nil
}

// redoSome evolves one page with those of joined events that it does not have.
func (p *pages) redoSome(k *Kind, past *past, ref PageRef) error {
	for _, r := range past.records {
		event, err := k.decode(r)
		if err != nil {
			return err
		}
		refs, _ := touched(nil, nil, k, event)
		for _, one := range refs {
			if one != ref {
				continue
			}
			if err := p.evolve(event, r.Position, []PageRef{ref}); err != nil {
				return err
			}
		}
	}
	return nil
}
