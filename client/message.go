package client

import (
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Requests and replies are known by what is in their types, so that calls and
// fields that come later need nothing here: a question has a field read of the
// type Read, and a reply has tokens anywhere.

var (
	readName  = (*mesonetv1.Read)(nil).ProtoReflect().Descriptor().FullName()
	tokenName = (*mesonetv1.Token)(nil).ProtoReflect().Descriptor().FullName()
)

// ask returns the request with what questions carry. What the caller has set
// holds, and its message stays as it is.
func (c *Client) ask(request any) any {
	message, ok := request.(proto.Message)
	if !ok {
		return request
	}
	m := message.ProtoReflect()
	field := m.Descriptor().Fields().ByName("read")
	if field == nil || field.Message() == nil || field.Message().FullName() != readName {
		return request
	}
	own, ok := m.Get(field).Message().Interface().(*mesonetv1.Read)
	if !ok {
		return request // a message without generated code, whose caller sees to it
	}
	read := &mesonetv1.Read{Consistency: own.GetConsistency(), Tokens: c.session.all()}
	if read.GetConsistency() == mesonetv1.Consistency_CONSISTENCY_UNSPECIFIED {
		read.Consistency = mesonetv1.Consistency_CONSISTENCY_SESSION
		if c.cfg.Linearizable {
			read.Consistency = mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE
		}
	}
	for _, t := range own.GetTokens() {
		read.Tokens = noted(read.Tokens, t)
	}
	filled := m.New() // shares what it can with the caller's
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		filled.Set(f, v)
		return true
	})
	filled.SetUnknown(m.GetUnknown())
	filled.Set(field, protoreflect.ValueOfMessage(read.ProtoReflect()))
	return filled.Interface()
}

// hear notes the tokens in a reply.
func (c *Client) hear(reply any) {
	if message, ok := reply.(proto.Message); ok {
		c.hearIn(message.ProtoReflect())
	}
}

func (c *Client) hearIn(m protoreflect.Message) {
	if t, ok := m.Interface().(*mesonetv1.Token); ok {
		c.session.saw(t)
		return
	}
	for _, field := range ways(m.Descriptor()) {
		switch {
		case !m.Has(field):
		case field.IsMap():
			m.Get(field).Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				c.hearIn(v.Message())
				return true
			})
		case field.IsList():
			list := m.Get(field).List()
			for i := range list.Len() {
				c.hearIn(list.Get(i).Message())
			}
		default:
			c.hearIn(m.Get(field).Message())
		}
	}
}

var knownWays sync.Map // of messages, by protoreflect.MessageDescriptor

// ways returns the fields of a message that lead to tokens.
func ways(d protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if known, ok := knownWays.Load(d); ok {
		return known.([]protoreflect.FieldDescriptor)
	}
	var lead []protoreflect.FieldDescriptor
	for i := range d.Fields().Len() {
		field := d.Fields().Get(i)
		if leads(valueOf(field), map[protoreflect.FullName]bool{}) {
			lead = append(lead, field)
		}
	}
	knownWays.Store(d, lead)
	return lead
}

// leads reports whether there may be a token in a message, looking at each type
// once, as types may hold themselves.
func leads(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if d == nil || seen[d.FullName()] {
		return false
	}
	if d.FullName() == tokenName {
		return true
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		if leads(valueOf(d.Fields().Get(i)), seen) {
			return true
		}
	}
	return false
}

// valueOf returns the type of the messages in a field, nil if they are none.
func valueOf(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}
	return field.Message()
}
