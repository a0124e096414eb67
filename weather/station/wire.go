package station

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// What is asked all the time travels between nodes in codecs of its own, which take
// a tenth of the time of the general one: observations, and the sum of a year. Their
// first byte says what follows.

const (
	wireGeneral = iota // CBOR: what the compact form can't hold, so that who decides refuses it
	wireCompact
)

// declareWire sets how calls travel.
func (s *Station) declareWire() {
	s.Observe.Wire(
		entity.WireCodec[*Observe]{Append: s.appendObserve, Decode: decodeObserve},
		entity.WireCodec[Observed]{Append: appendObserved, Decode: decodeObserved},
	)
	s.Precipitation.Wire(
		entity.WireCodec[*Precipitation]{Append: appendPrecipitation, Decode: decodePrecipitation},
		entity.WireCodec[weather.Total]{Append: appendTotal, Decode: decodeTotal},
	)
}

func (s *Station) appendObserve(dst []byte, c *Observe) ([]byte, error) {
	if c.Run == nil || c.Run.Len() == 0 || c.Run.Check(s.catalogue) != nil {
		mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode()
		if err != nil {
			return nil, err
		}
		b, err := mode.Marshal(c)
		return append(append(dst, wireGeneral), b...), err
	}
	dst = append(dst, wireCompact, flag(c.AutoRegister))
	at := int64(0) // the zero time
	if !c.At.IsZero() {
		at = c.At.UnixNano()
	}
	dst = binary.AppendVarint(dst, at)
	return weather.AppendRun(dst, c.Run), nil
}

func decodeObserve(b []byte) (*Observe, error) {
	c := &Observe{}
	switch form, rest := cut(b); form {
	case wireGeneral:
		return c, cbor.Unmarshal(rest, c)
	case wireCompact:
		register, rest := cut(rest)
		at, n := binary.Varint(rest)
		if n <= 0 {
			return nil, errShort
		}
		c.AutoRegister = register == 1
		if at != 0 {
			c.At = time.Unix(0, at).UTC()
		}
		var err error
		c.Run, err = weather.DecodeRun(rest[n:])
		return c, err
	default:
		return nil, fmt.Errorf("station: observations of form %d", form)
	}
}

func appendObserved(dst []byte, o Observed) ([]byte, error) {
	return appendInts(append(dst, wireCompact), int64(o.Stored), int64(o.Duplicates), int64(o.Corrected)), nil
}

func decodeObserved(b []byte) (o Observed, err error) {
	var n [3]int64
	err = decodeInts(b, n[:])
	return Observed{Stored: int(n[0]), Duplicates: int(n[1]), Corrected: int(n[2])}, err
}

func appendPrecipitation(dst []byte, q *Precipitation) ([]byte, error) {
	return appendInts(append(dst, wireCompact), int64(q.Period.Year), int64(q.Period.Month), int64(q.Period.Day),
		int64(q.Method), int64(q.Until), int64(flag(q.All))), nil
}

func decodePrecipitation(b []byte) (*Precipitation, error) {
	var n [6]int64
	err := decodeInts(b, n[:])
	q := &Precipitation{Period: Period{int(n[0]), int(n[1]), int(n[2])}, Method: Method(n[3]), Until: weather.Minute(n[4]), All: n[5] == 1}
	if int64(q.Method) != n[3] || int64(q.Until) != n[4] {
		err = errors.Join(err, errors.New("station: a question out of range"))
	}
	return q, err
}

func appendTotal(dst []byte, t weather.Total) ([]byte, error) {
	return appendInts(append(dst, wireCompact), int64(t.N), int64(t.MissingHours), t.Sum, int64(t.Traces)), nil
}

func decodeTotal(b []byte) (t weather.Total, err error) {
	var n [4]int64
	err = decodeInts(b, n[:])
	return weather.Total{N: int(n[0]), MissingHours: int(n[1]), Sum: n[2], Traces: int(n[3])}, err
}

var errShort = errors.New("station: it ends too early")

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// cut returns the first byte, 255 of nothing, and the rest.
func cut(b []byte) (byte, []byte) {
	if len(b) == 0 {
		return 255, nil
	}
	return b[0], b[1:]
}

func appendInts(dst []byte, n ...int64) []byte {
	for _, v := range n {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

func decodeInts(b []byte, n []int64) error {
	form, b := cut(b)
	if form != wireCompact {
		return fmt.Errorf("station: a message of form %d", form)
	}
	for i := range n {
		v, used := binary.Varint(b)
		if used <= 0 {
			return errShort
		}
		n[i], b = v, b[used:]
	}
	return nil
}
