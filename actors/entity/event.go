package entity

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/mesonet/mesonet/persistence"
)

// Events is what a command decides: what is to be remembered, in order. All of
// them take effect, or none.
type Events []any

// Persist returns events, for a decision to end with.
func Persist(events ...any) Events { return events }

// EventCodec turns events of type E into bytes and back.
type EventCodec[E any] struct {
	// Version is written beside every event; raise it when Append changes.
	Version uint32
	// Append appends the encoding of an event to dst.
	Append func(dst []byte, e E) []byte
	// Decode reads what Append of that version, or an earlier one, wrote. It
	// must not keep b.
	Decode func(version uint32, b []byte) (E, error)
	// Join reads an event, as Decode does, and makes it part of one that was
	// read before: evolving a page with the result must be evolving it with
	// one after the other. It returns false when the two are better left
	// apart, say because the one is large enough. It is optional, and lets a
	// history of many small events be replayed as few large ones. Nothing is
	// joined to an event that may change an index.
	Join func(into E, version uint32, b []byte) (joined E, ok bool, err error)
}

// Event declares a type of event with a codec of its own, under a name that is
// unique in the kind and stays the same for ever. Protobuf events need no
// declaration: they go by their full name.
func Event[E any](k *Kind, name string, codec EventCodec[E]) {
	t := &eventType{
		stored: persistence.EventType{Kind: k.name, Name: name, Version: codec.Version},
		append: func(dst []byte, e any) ([]byte, error) { return codec.Append(dst, e.(E)), nil },
		decode: func(version uint32, b []byte) (any, error) { return codec.Decode(version, b) },
	}
	if codec.Join != nil {
		t.join = func(into any, version uint32, b []byte) (any, bool, error) { return codec.Join(into.(E), version, b) }
	}
	k.declare(reflect.TypeFor[E](), t)
}

// eventType is how a kind stores one type of event.
type eventType struct {
	stored persistence.EventType // journal records point to it
	append func(dst []byte, e any) ([]byte, error)
	decode func(version uint32, b []byte) (any, error)
	join   func(into any, version uint32, b []byte) (any, bool, error) // or nil
}

// protoEvents makes the type of a protobuf event.
func protoEvents(kind string, m protoreflect.MessageType) *eventType {
	marshal := proto.MarshalOptions{Deterministic: true}
	return &eventType{
		stored: persistence.EventType{Kind: kind, Name: string(m.Descriptor().FullName()), Version: 1},
		append: func(dst []byte, e any) ([]byte, error) { return marshal.MarshalAppend(dst, e.(proto.Message)) },
		decode: func(_ uint32, b []byte) (any, error) {
			e := m.New().Interface()
			return e, proto.Unmarshal(b, e)
		},
	}
}

// typeOf returns how k stores e.
func (k *Kind) typeOf(e any) (*eventType, error) {
	goType := reflect.TypeOf(e)
	if t, ok := k.eventsByGo.Load(goType); ok {
		return t.(*eventType), nil
	}
	m, ok := e.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("entity: kind %q stores no events of type %T; declare it with entity.Event, or use a protobuf message", k.name, e)
	}
	t, err := k.typeNamed(string(m.ProtoReflect().Descriptor().FullName()))
	if err == nil {
		k.eventsByGo.Store(goType, t)
	}
	return t, err
}

// typeNamed returns the type of event that is stored under a name.
func (k *Kind) typeNamed(name string) (*eventType, error) {
	if t, ok := k.eventsByName.Load(name); ok {
		return t.(*eventType), nil
	}
	m, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("entity: kind %q has no event %q in this program; it was stored by another version of it: %w", k.name, name, err)
	}
	t, _ := k.eventsByName.LoadOrStore(name, protoEvents(k.name, m))
	return t.(*eventType), nil
}

// decode returns the event of a record.
func (k *Kind) decode(r persistence.Record) (any, error) {
	t, err := k.typeOfRecord(r)
	if err != nil {
		return nil, err
	}
	return t.decode(r.Type.Version, r.Payload)
}

// typeOfRecord returns how k reads a record.
func (k *Kind) typeOfRecord(r persistence.Record) (*eventType, error) {
	t, err := k.typeNamed(r.Type.Name)
	if err != nil {
		return nil, err
	}
	if r.Type.Version > t.stored.Version {
		return nil, fmt.Errorf("entity: event %q has version %d, and this program knows version %d; use the version of the program that wrote it",
			r.Type.Name, r.Type.Version, t.stored.Version)
	}
	return t, nil
}
