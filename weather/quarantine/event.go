package quarantine

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// The events are messages of package storagev1. They are checked when they are
// read, as pages take them as they are.
func declareEvents(k *entity.Kind) {
	entity.Event(k, "quarantined", entity.EventCodec[*storagev1.LinesQuarantined]{
		Version: 1,
		Append:  func(dst []byte, e *storagev1.LinesQuarantined) []byte { return appendProto(dst, e) },
		Decode: func(_ uint32, b []byte) (*storagev1.LinesQuarantined, error) {
			e := &storagev1.LinesQuarantined{}
			if err := proto.Unmarshal(b, e); err != nil {
				return nil, fmt.Errorf("quarantine: lines: %w", err)
			}
			return e, checkKept(e)
		},
	})
	entity.Event(k, "released", entity.EventCodec[*storagev1.LinesReleased]{
		Version: 1,
		Append:  func(dst []byte, e *storagev1.LinesReleased) []byte { return appendProto(dst, e) },
		Decode: func(_ uint32, b []byte) (*storagev1.LinesReleased, error) {
			e := &storagev1.LinesReleased{}
			if err := proto.Unmarshal(b, e); err != nil {
				return nil, fmt.Errorf("quarantine: release: %w", err)
			}
			return e, checkReleased(e)
		},
	})
}

func checkKept(e *storagev1.LinesQuarantined) error {
	if e.GetTotals() == nil {
		return fmt.Errorf("quarantine: %w: lines without totals", errMalformed)
	}
	before := uint32(0)
	for _, l := range e.GetLines() {
		if l.GetLine() <= before || l.GetSlot() >= maxLines {
			return fmt.Errorf("quarantine: %w: line %d in slot %d behind line %d", errMalformed, l.GetLine(), l.GetSlot(), before)
		}
		before = l.GetLine()
	}
	return nil
}

func checkReleased(e *storagev1.LinesReleased) error {
	if e.GetTotals() == nil || len(e.GetLines()) != len(e.GetSlots()) {
		return fmt.Errorf("quarantine: %w: %d lines released of %d slots", errMalformed, len(e.GetLines()), len(e.GetSlots()))
	}
	before := uint32(0)
	for i, line := range e.GetLines() {
		if line <= before || e.GetSlots()[i] >= maxLines {
			return fmt.Errorf("quarantine: %w: line %d released behind line %d", errMalformed, line, before)
		}
		before = line
	}
	return nil
}

// appendProto appends a message that was made here, which always marshals: it
// has no required fields, and its texts were validated.
func appendProto(dst []byte, m proto.Message) []byte {
	dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	if err != nil {
		panic(err) //nolint:forbidigo // a programmer's error; supervision takes it
	}
	return dst
}
