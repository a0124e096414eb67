package entity

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/proto"
)

// WireCodec turns commands, questions or replies of type T into bytes and back, for
// calls that another node answers.
type WireCodec[T any] struct {
	// Append appends the encoding of v to dst.
	Append func(dst []byte, v T) ([]byte, error)
	// Decode reads what Append wrote, perhaps of another version of the program, or
	// anything else. It must not keep b.
	Decode func(b []byte) (T, error)
}

// Wire sets how calls of the handle travel between nodes. Without it protobuf
// messages go as such, and all other types as CBOR (RFC 8949), by the names of
// their exported fields: that is enough for what is not asked all the time. A
// codec with nil functions leaves its type as it is. Wire returns h.
func (h *Handle[C, R]) Wire(command WireCodec[C], reply WireCodec[R]) *Handle[C, R] {
	w := h.h.wire.(*wire[C, R])
	if command.Append != nil {
		w.command = command
	}
	if reply.Append != nil {
		w.reply = reply
	}
	return h
}

// wired is how the calls of a handler travel, without the types.
type wired interface {
	// check returns why calls can't travel, nil when they can.
	check() error
	appendCommand(dst []byte, c *Call) ([]byte, error)
	// serve makes a call of a command that came, in its place among those of a packet.
	serve(b []byte, in *inbound, place int) (*Call, error)
	// complete ends a call with a value that came.
	complete(c *Call, value []byte) error
}

// wire is how calls with command C and reply R travel.
type wire[C, R any] struct {
	handler *handler
	command WireCodec[C]
	reply   WireCodec[R]
}

func newWire[C, R any](h *handler) *wire[C, R] {
	return &wire[C, R]{h, defaultCodec[C](), defaultCodec[R]()}
}

func (w *wire[C, R]) check() error {
	for _, part := range []struct {
		what string
		own  bool
		of   reflect.Type
	}{{"command", w.command.Decode != nil, reflect.TypeFor[C]()}, {"reply", w.reply.Decode != nil, reflect.TypeFor[R]()}} {
		if part.own {
			continue
		}
		if hidden := hiddenIn(part.of, nil); hidden != "" {
			return fmt.Errorf("entity: %s %s: its %s can't travel between nodes, as %s is not exported; give it a codec with Wire",
				w.handler.kind.name, w.handler.name, part.what, hidden)
		}
	}
	return nil
}

func (w *wire[C, R]) appendCommand(dst []byte, c *Call) ([]byte, error) {
	return encode(w.command, dst, requestOf[C, R](c).command)
}

func (w *wire[C, R]) serve(b []byte, in *inbound, place int) (*Call, error) {
	command, err := decode(w.command, b)
	if err != nil {
		return nil, err
	}
	r := &request[C, R]{command: command, in: in, place: place}
	r.handler, r.typed = w.handler, r
	return &r.Call, nil
}

// answer tells the other node how a call ended that came from there.
func (w *wire[C, R]) answer(r *request[C, R], t Token, err error) {
	dst := make([]byte, 0, outcomeRoom)
	if err == nil {
		dst = binary.AppendUvarint(append(dst, statusValue), uint64(t.Position))
		dst, err = appendSized(dst, func(dst []byte) ([]byte, error) { return encode(w.reply, dst, r.reply) })
	}
	if err != nil {
		dst = appendOutcome(dst[:0], nil, t, err)
	}
	r.in.done(r.place, dst)
}

func (w *wire[C, R]) complete(c *Call, value []byte) error {
	reply, err := decode(w.reply, value)
	if err != nil {
		return err
	}
	requestOf[C, R](c).reply = reply
	return nil
}

// defaultCodec returns the codec of a type that has none of its own: of protobuf
// messages, or nothing, which stands for CBOR.
func defaultCodec[T any]() (codec WireCodec[T]) {
	var zero T
	m, ok := any(zero).(proto.Message)
	if !ok {
		return codec
	}
	message := m.ProtoReflect().Type()
	codec.Append = func(dst []byte, v T) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(dst, any(v).(proto.Message))
	}
	codec.Decode = func(b []byte) (T, error) {
		v := message.New().Interface()
		return v.(T), proto.Unmarshal(b, v)
	}
	return codec
}

func encode[T any](codec WireCodec[T], dst []byte, v T) ([]byte, error) {
	if codec.Append != nil {
		return codec.Append(dst, v)
	}
	b, err := modes().enc.Marshal(v)
	return append(dst, b...), err
}

func decode[T any](codec WireCodec[T], b []byte) (v T, err error) {
	if codec.Decode != nil {
		return codec.Decode(b)
	}
	return decodeGeneral[T](b)
}

// decodeGeneral is a function of its own as its result is on the heap.
func decodeGeneral[T any](b []byte) (v T, err error) {
	return v, modes().dec.Unmarshal(b, &v)
}

// cborModes are how CBOR is written and read here.
type cborModes struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

var modes = sync.OnceValue(func() (m cborModes) {
	var err error
	if m.enc, err = (cbor.EncOptions{Time: cbor.TimeRFC3339Nano, NilContainers: cbor.NilContainerAsNull}).EncMode(); err == nil {
		m.dec, err = (cbor.DecOptions{MaxArrayElements: 1 << 24, MaxMapPairs: 1 << 20}).DecMode()
	}
	if err != nil {
		panic(err) //nolint:forbidigo // the options are wrong, for all inputs
	}
	return m
})

// hiddenIn returns what of a type CBOR would leave out, "" for nothing: a field
// that is not exported, of a struct that has no encoding of its own.
func hiddenIn(t reflect.Type, path []reflect.Type) string {
	for _, up := range path {
		if up == t {
			return ""
		}
	}
	path = append(path, t)
	if p := reflect.PointerTo(t); p.Implements(binaryType) || p.Implements(cborType) || t.PkgPath() == "time" {
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return hiddenIn(t.Elem(), path)
	case reflect.Map:
		if in := hiddenIn(t.Key(), path); in != "" {
			return in
		}
		return hiddenIn(t.Elem(), path)
	case reflect.Struct:
		for f := range t.Fields() {
			if !f.IsExported() {
				return fmt.Sprintf("%s.%s", t, f.Name)
			}
			if in := hiddenIn(f.Type, path); in != "" {
				return in
			}
		}
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Interface:
		return fmt.Sprintf("what a %s holds", t)
	default: // it is a value
	}
	return ""
}

var (
	binaryType = reflect.TypeFor[interface {
		MarshalBinary() ([]byte, error)
		UnmarshalBinary([]byte) error
	}]()
	cborType = reflect.TypeFor[interface {
		MarshalCBOR() ([]byte, error)
		UnmarshalCBOR([]byte) error
	}]()
)
