package entity

import (
	"encoding/binary"
	"errors"

	"github.com/mesonet/mesonet/persistence"
)

// Events of the runtime itself, which every kind has. They touch pages in their
// own way, and no kind's function sees them.
type (
	// deletion ends the entity: all of its pages go.
	deletion struct{}
	// skip says that the event at a position is to be left out by every replay.
	skip struct{ position persistence.Position }
)

const (
	deletionName = "mesonet.deleted"
	skipName     = "mesonet.skipped"
)

// Delete returns the event by which an entity ends: all of its pages go, it is
// listed no more, and it is as if it had never been. Its history stays in the
// log. An event behind it begins the entity anew.
func Delete() any { return deletion{} }

func (k *Kind) declareRuntimeEvents() {
	Event(k, deletionName, EventCodec[deletion]{
		Version: 1,
		Append:  func(dst []byte, _ deletion) []byte { return dst },
		Decode:  func(uint32, []byte) (deletion, error) { return deletion{}, nil },
	})
	Event(k, skipName, EventCodec[skip]{
		Version: 1,
		Append:  func(dst []byte, e skip) []byte { return binary.AppendUvarint(dst, uint64(e.position)) },
		Decode: func(_ uint32, b []byte) (skip, error) {
			position, n := binary.Uvarint(b)
			if n <= 0 || n != len(b) {
				return skip{}, errors.New("entity: a skip without a position")
			}
			return skip{persistence.Position(position)}, nil
		},
	})
	k.skipping = CommandOn(k, func(dst []PageRef, _ skipCommand) []PageRef { return dst },
		func(*View, skipCommand) (Events, struct{}, error) { return nil, struct{}{}, nil }) // the actor handles it
}

// isDeletion and isSkip look at a record without decoding it.
func isDeletion(r *persistence.Record) bool { return r.Type.Name == deletionName }

func isSkip(r *persistence.Record) bool { return r.Type.Name == skipName }

// skips returns the positions that records say are to be left out.
func (k *Kind) skips(records []persistence.Record) map[persistence.Position]bool {
	var all map[persistence.Position]bool
	for i := range records {
		if !isSkip(&records[i]) {
			continue
		}
		if event, err := k.decode(records[i]); err == nil {
			if all == nil {
				all = make(map[persistence.Position]bool)
			}
			all[event.(skip).position] = true
		}
	}
	return all
}

// clear empties a page, by a deletion at a position, unless it has that already.
func (p *page) clear(at persistence.Position) {
	if at < p.position {
		return
	}
	p.position = at + 1
	if p.state == nil {
		return // the store has none either, or is about to
	}
	p.state = nil
	p.soil(at)
	p.measure(0)
}
