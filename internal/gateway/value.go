package gateway

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// checkValue returns what is wrong with the value of a parameter, in words for
// whoever wrote the request. grpc-gateway finds the same, in words for whoever
// wrote grpc-gateway.
func checkValue(name string, field protoreflect.FieldDescriptor, value string) error {
	quoted := shorten(value)
	if !utf8.ValidString(value) {
		return invalid("%s is %q, which is not UTF-8", name, quoted)
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		if _, err := strconv.ParseBool(value); err != nil {
			return invalid("%s is %q; it takes true or false", name, quoted)
		}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		_, err := strconv.ParseInt(value, 10, 32)
		return checkNumber(name, value, "a whole number", err)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		_, err := strconv.ParseInt(value, 10, 64)
		return checkNumber(name, value, "a whole number", err)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		_, err := strconv.ParseUint(value, 10, 32)
		return checkNumber(name, value, "a whole number, 0 or more", err)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		_, err := strconv.ParseUint(value, 10, 64)
		return checkNumber(name, value, "a whole number, 0 or more", err)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		_, err := strconv.ParseFloat(value, 64)
		if strings.Trim(value, "0123456789+-.eE") != "" { // NaN, 0x1p4, 1_000
			err = strconv.ErrSyntax
		}
		return checkNumber(name, value, "a number", err)
	case protoreflect.BytesKind:
		if _, err := base64.StdEncoding.DecodeString(value); err != nil {
			return invalid("%s is %q; it takes base64", name, quoted)
		}
	case protoreflect.EnumKind:
		return checkEnum(name, field.Enum().Values(), value)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if field.Message().FullName() == timestampName {
			return checkTime(name, value)
		}
	case protoreflect.StringKind: // takes all
	}
	return nil
}

var timestampName = (*timestamppb.Timestamp)(nil).ProtoReflect().Descriptor().FullName()

func checkNumber(name, value, kind string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strconv.ErrRange):
		return invalid("%s is %s, which is out of range", name, shorten(value))
	}
	return invalid("%s is %q; it takes %s", name, shorten(value), kind)
}

func checkEnum(name string, values protoreflect.EnumValueDescriptors, value string) error {
	if values.ByName(protoreflect.Name(value)) != nil {
		return nil
	}
	var names []string
	for i := range values.Len() {
		names = append(names, string(values.Get(i).Name()))
	}
	return invalid("%s is %q; it takes %s", name, shorten(value), strings.Join(names[1:], ", ")) // the first says nothing
}

func checkTime(name, value string) error {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || timestamppb.New(t).CheckValid() != nil {
		return invalid("%s is %q; it takes a time such as 2008-05-01T12:00:00Z", name, shorten(value))
	}
	return nil
}
