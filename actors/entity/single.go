package entity

import (
	"reflect"

	"google.golang.org/protobuf/proto"
)

// Single is a kind of one page, whose state is a protobuf message S.
type Single[S proto.Message] struct {
	*Kind
	page PageSet[S]
}

const singlePage = "state"

// New returns a kind of one page. evolve applies an event to the state; events
// are protobuf messages.
func New[S proto.Message](name string, evolve func(state S, event proto.Message)) *Single[S] {
	k := NewKind(name)
	var zero S
	message := zero.ProtoReflect().Type()
	codec := PageCodec[S]{
		Version: 1,
		New:     func(string) (S, error) { return message.New().Interface().(S), nil },
		Append: func(dst []byte, page S) []byte {
			// A message that was made by evolving always marshals: it has no
			// required fields, and invalid UTF-8 is refused by Decode of events.
			dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, page)
			if err != nil {
				panic(err) //nolint:forbidigo // a programmer's error in evolve; supervision takes it
			}
			return dst
		},
		Decode: func(_ uint32, b []byte) (S, error) {
			page := message.New().Interface().(S)
			return page, proto.Unmarshal(b, page)
		},
	}
	all := func(dst []string, _ any) []string { return append(dst, "") }
	return &Single[S]{k, Pages(k, singlePage, codec, all, func(page S, event any) { evolve(page, event.(proto.Message)) })}
}

// Command declares a command C of a kind of one page. decide returns the events
// to remember, or an error to refuse it, best a [Rejection]; reply makes the
// answer from the state after them.
func Command[S proto.Message, C, R any](k *Single[S], decide func(state S, command C) (Events, error), reply func(state S) R) *Handle[C, R] {
	h := newHandler[C, R]()
	h.needs = k.needs
	h.decide = func(v *View, c *Call) (Events, error) { return decide(k.state(v), requestOf[C, R](c).command) }
	h.reply = func(v *View, c *Call) { requestOf[C, R](c).reply = reply(k.state(v)) }
	k.handle(h, reflect.TypeFor[C]())
	return &Handle[C, R]{h}
}

// Query declares a question Q of a kind of one page.
func Query[S proto.Message, Q, R any](k *Single[S], answer func(state S, question Q) (R, error)) *Handle[Q, R] {
	h := newHandler[Q, R]()
	h.query = true
	h.needs = k.needs
	h.decide = func(v *View, c *Call) (_ Events, err error) {
		r := requestOf[Q, R](c)
		r.reply, err = answer(k.state(v), r.command)
		return nil, err
	}
	k.handle(h, reflect.TypeFor[Q]())
	return &Handle[Q, R]{h}
}

func (k *Single[S]) needs(dst []PageRef, _ *Call) []PageRef { return append(dst, k.page.At("")) }

// state returns the page, an empty one for an entity without events.
func (k *Single[S]) state(v *View) S {
	if s, ok := k.page.In(v, ""); ok {
		return s
	}
	var zero S
	return zero.ProtoReflect().Type().New().Interface().(S)
}
