package client

import (
	"errors"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// A reply has parts where it has a list of messages with a field failure of the type
// Failure, as the outcomes of RecordObservations. A node that is cut off from the
// others replies, as any other, and has nothing but failures in it.

var failureName = (*mesonetv1.Failure)(nil).ProtoReflect().Descriptor().FullName()

// failures returns what became of the parts of a reply: nil for one that stands.
func failures(reply any) (all []*mesonetv1.Failure) {
	message, ok := reply.(proto.Message)
	if !ok {
		return nil
	}
	m := message.ProtoReflect()
	for _, list := range partsOf(m.Descriptor()) {
		field := failureOf(list.Message())
		for i := range m.Get(list).List().Len() {
			part := m.Get(list).List().Get(i).Message()
			var failure *mesonetv1.Failure
			if part.Has(field) {
				failure, _ = part.Get(field).Message().Interface().(*mesonetv1.Failure)
			}
			all = append(all, failure)
		}
	}
	return all
}

var knownParts sync.Map // lists of parts, by protoreflect.MessageDescriptor

// partsOf returns the fields of a message that are lists of parts.
func partsOf(d protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if known, ok := knownParts.Load(d); ok {
		return known.([]protoreflect.FieldDescriptor)
	}
	var lists []protoreflect.FieldDescriptor
	for i := range d.Fields().Len() {
		if field := d.Fields().Get(i); field.IsList() && failureOf(field.Message()) != nil {
			lists = append(lists, field)
		}
	}
	knownParts.Store(d, lists)
	return lists
}

// failureOf returns the field of a part that has its failure, nil for what is no part.
func failureOf(d protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if d == nil {
		return nil
	}
	field := d.Fields().ByName("failure")
	if field == nil || field.Message() == nil || field.Message().FullName() != failureName {
		return nil
	}
	return field
}

// noneDone reports whether there are parts and every one is unavailable.
func noneDone(parts []*mesonetv1.Failure) bool {
	for _, f := range parts {
		if !errors.Is(OfFailure(f), ErrUnavailable) {
			return false
		}
	}
	return len(parts) > 0
}

// doubt makes of parts that did not happen such of which nobody can tell: an attempt
// before this one may have done them.
func doubt(parts []*mesonetv1.Failure) {
	for _, f := range parts {
		if err := OfFailure(f); errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOverloaded) {
			f.Code, f.Reason = int32(codes.Unknown), reasonUnknown
		}
	}
}
