package persistence

import (
	"encoding/binary"
	"fmt"

	"github.com/golang/snappy"
)

// Events are the events of a frame, read as far as it takes to know what they are
// and whose. They are for who keeps many: 16 bytes an event beside the frame's
// body, with nothing in them for the garbage collector to follow. They are
// immutable.
type Events struct {
	first  Position
	body   []byte // what the frame's is after decompression
	types  []EventType
	owners []Owner
	events []place
}

// Owner is an entity that a frame has events of.
type Owner struct{ Kind, ID string }

// place is an event: its owner, its type, and where its payload is in the body.
type place struct{ owner, typ, from, to uint32 }

// DecodeEvents returns the events of a frame that was stored at shard and
// position. What is wrong with it comes as a CorruptError.
func DecodeEvents(shard Shard, at Position, data []byte) (*Events, error) {
	events, err := decodeEvents(shard, at, data)
	if err != nil {
		return nil, &CorruptError{
			Record: "frame",
			Key:    fmt.Sprintf("at %s of shard %d", at, shard),
			Reason: err.Error(),
		}
	}
	return events, nil
}

func decodeEvents(shard Shard, at Position, data []byte) (*Events, error) {
	f, err := ReadFrameHeader(data)
	if err != nil {
		return nil, err
	}
	if f.Shard != shard || f.Position != at {
		return nil, fmt.Errorf("it was written for %s of shard %d", f.Position, f.Shard)
	}
	body, err := unpackBody(f)
	if err != nil {
		return nil, err
	}
	r := reader{b: body}
	kinds := make([]string, r.count(1))
	for i := range kinds {
		kinds[i] = r.string()
	}
	e := &Events{first: at, body: body}
	e.types = make([]EventType, r.count(3))
	for i := range e.types {
		e.types[i] = EventType{Kind: pick(&r, kinds), Version: r.uint32(), Name: r.string()}
	}
	e.owners = make([]Owner, r.count(2))
	for i := range e.owners {
		e.owners[i] = Owner{pick(&r, kinds), r.string()}
	}
	if int(f.Count) > len(r.b)/3 {
		return nil, fmt.Errorf("%d events don't fit in the %d bytes left", f.Count, len(r.b))
	}
	e.events = make([]place, f.Count)
	for i := range e.events {
		owner, typ := r.index(len(e.owners)), r.index(len(e.types))
		n := r.count(1)
		if r.err != nil {
			return nil, r.err
		}
		if e.owners[owner].Kind != e.types[typ].Kind {
			return nil, fmt.Errorf("event %d of an entity of kind %q has a type of kind %q", i, e.owners[owner].Kind, e.types[typ].Kind)
		}
		from := len(body) - len(r.b)
		e.events[i] = place{uint32(owner), uint32(typ), uint32(from), uint32(from + n)}
		r.b = r.b[n:]
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("%d bytes are left over after the last event", len(r.b))
	}
	return e, r.err
}

// unpackBody returns a frame's body before compression, a copy also where it is
// none.
func unpackBody(f Frame) ([]byte, error) {
	size := binary.LittleEndian.Uint32(f.Data[24:])
	if size > MaxFrameSize || f.Count > MaxFrameEvents {
		return nil, fmt.Errorf("%d bytes with %d events are over the limits", size, f.Count)
	}
	body := f.Data[frameHeaderSize:]
	if f.Data[1]&flagSnappy == 0 {
		if len(body) != int(size) {
			return nil, fmt.Errorf("the body has %d bytes and should have %d", len(body), size)
		}
		return append([]byte(nil), body...), nil
	}
	if n, err := snappy.DecodedLen(body); err != nil || n != int(size) {
		return nil, fmt.Errorf("the compressed body is not of %d bytes", size)
	}
	body, err := snappy.Decode(nil, body)
	if err != nil {
		return nil, fmt.Errorf("the compressed body: %w", err)
	}
	return body, nil
}

// Len returns how many events there are.
func (e *Events) Len() int { return len(e.events) }

// Owners returns the entities of the events, to be read only.
func (e *Events) Owners() []Owner { return e.owners }

// Owner returns whose the event i is, as an index into Owners.
func (e *Events) Owner(i int) int { return int(e.events[i].owner) }

// Position returns the position of the event i.
func (e *Events) Position(i int) Position { return e.first + Position(i) }

// Size returns the length of the payload of the event i.
func (e *Events) Size(i int) int { return int(e.events[i].to - e.events[i].from) }

// Record returns the event i. Type and Payload are shared.
func (e *Events) Record(i int) Record {
	p := e.events[i]
	return Record{
		Position: e.Position(i), Type: &e.types[p.typ], ID: e.owners[p.owner].ID, Payload: e.body[p.from:p.to:p.to],
	}
}

// Records returns all events.
func (e *Events) Records() []Record {
	records := make([]Record, len(e.events))
	for i := range records {
		records[i] = e.Record(i)
	}
	return records
}
