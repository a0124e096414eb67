package client

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// level is what a call's definition says of doing it twice.
type level = descriptorpb.MethodOptions_IdempotencyLevel

const (
	once       = descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN // twice may differ from once
	idempotent = descriptorpb.MethodOptions_IDEMPOTENT
	question   = descriptorpb.MethodOptions_NO_SIDE_EFFECTS
)

var knownLevels sync.Map // by full method

// levelOf returns the idempotency_level of a method in its .proto file, once for
// what is not known. The method is written as gRPC does, /package.Service/Method.
func levelOf(method string) level {
	if known, ok := knownLevels.Load(method); ok {
		return known.(level)
	}
	found := once
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	if d, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err == nil {
		if options, ok := d.Options().(*descriptorpb.MethodOptions); ok {
			found = options.GetIdempotencyLevel()
		}
	}
	knownLevels.Store(method, found)
	return found
}
