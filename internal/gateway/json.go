package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const ndjson = "application/x-ndjson"

// encode returns a message as JSON. A sum of 0 mm is something else than none.
// Package protojson puts spaces in or not, from one build to the next; without
// them, an answer is the same tomorrow.
func encode(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("gateway: writing %s as JSON: %s", m.ProtoReflect().Descriptor().Name(), plain(err))
	}
	var compact bytes.Buffer
	compact.Grow(len(text) + 1)
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return compact.Bytes(), nil
}

// decode reads a message from JSON, all of text.
func decode(text []byte, m proto.Message) error {
	err := protojson.Unmarshal(text, m)
	if err == nil {
		return nil
	}
	message := plain(err)
	if match := unknownField.FindStringSubmatch(message); match != nil {
		message += suggestion(match[1], fieldsBelow(m.ProtoReflect().Descriptor()))
	}
	return errors.New(message)
}

var unknownField = regexp.MustCompile(`unknown field "(.*)"$`)

// plain is the message of an error of package protojson, without its prefix and
// the spaces that it varies.
func plain(err error) string {
	return strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
}

// fieldsBelow returns the names of the fields of a message and of those in it.
func fieldsBelow(d protoreflect.MessageDescriptor) []string {
	var names []string
	seen := make(map[protoreflect.FullName]bool)
	var visit func(protoreflect.MessageDescriptor)
	visit = func(d protoreflect.MessageDescriptor) {
		if d == nil || seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			names = append(names, string(f.Name()))
			visit(f.Message())
		}
	}
	visit(d)
	return names
}

// codec is how grpc-gateway reads bodies and writes answers. To it, a stream is
// of objects with a field result or error; here, of what is in them.
type codec struct{}

// Marshal returns an answer, or an element of a stream.
func (codec) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case proto.Message:
		text, err := encode(v)
		return append(text, '\n'), err
	case map[string]any:
		if m, ok := v["result"].(proto.Message); ok {
			return encode(m)
		}
	case map[string]proto.Message:
		if st, ok := v["error"].(*spb.Status); ok {
			return brokenOff(status.FromProto(st).Err(), true), nil // the streams that come here are answers
		}
	}
	return nil, fmt.Errorf("gateway: there is no JSON for %T", v)
}

// brokenOff is the last line of a stream that does not end well.
func brokenOff(err error, safe bool) []byte {
	e, _ := failure(err, safe)
	return append(append([]byte(`{"error":`), encodeError(e)...), '}')
}

// Unmarshal reads a body.
func (codec) Unmarshal(text []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("gateway: %T is not read from JSON", v)
	}
	return decode(text, m)
}

// NewDecoder returns what reads a body; io.EOF says that there is none.
func (c codec) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return io.EOF
		}
		return c.Unmarshal(text, v)
	})
}

// NewEncoder returns what writes answers.
func (c codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		text, err := c.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
}

// ContentType of an answer.
func (codec) ContentType(any) string { return "application/json" }

// StreamContentType is that of a stream.
func (codec) StreamContentType(any) string { return ndjson }

// Delimiter ends each answer of a stream.
func (codec) Delimiter() []byte { return []byte("\n") }
