package weather

import (
	"encoding/binary"
	"math/bits"
)

// The flags of a day.
const (
	dayHours    = 3 // two bits: 0 no hour is missing, or one of the next two
	dayLessOne  = 1 // one hour is missing
	dayMask     = 2 // the mask follows
	daySkip     = 4 // days without data came before
	dayMore     = 8 // more values than hours
	dayTraces   = 16
	daySum      = 32
	dayHigh     = 64 // of sums: their high follows
	dayFlags    = 127
	leastOfSpan = 7 // the fewest bytes of a day with extremes
)

// dayHead is what all days share.
type dayHead struct {
	day, n, traces int
	hours          uint32
	sum            int64
	high           bool // follows, of a day that sums
}

func appendDayHead(dst []byte, h dayHead, before int) []byte {
	at := len(dst)
	dst = append(dst, 0)
	var flags byte
	if skip := h.day - before - 1; skip > 0 {
		flags |= daySkip
		dst = binary.AppendUvarint(dst, uint64(skip))
	}
	missing := ^h.hours & allHours
	switch bits.OnesCount32(missing) {
	case 0:
	case 1:
		flags |= dayLessOne
		dst = append(dst, byte(bits.TrailingZeros32(missing)))
	default:
		flags |= dayMask
		dst = append(dst, byte(h.hours), byte(h.hours>>8), byte(h.hours>>16))
	}
	if more := h.n - bits.OnesCount32(h.hours); more > 0 {
		flags |= dayMore
		dst = binary.AppendUvarint(dst, uint64(more))
	}
	if h.traces > 0 {
		flags |= dayTraces
		dst = binary.AppendUvarint(dst, uint64(h.traces))
	}
	if h.sum != 0 {
		flags |= daySum
		dst = binary.AppendVarint(dst, h.sum)
	}
	if h.high {
		flags |= dayHigh
	}
	dst[at] = flags
	return dst
}

// dayHead reads a head; the day is after before. What it returns is within
// bounds, but need not make sense.
func (d *decoder) dayHead(before int) dayHead {
	h := dayHead{day: before + 1, hours: allHours}
	flags := d.byte()
	if flags > dayFlags {
		d.fail("day flags %#x", flags)
	}
	if flags&daySkip != 0 {
		h.day += d.count(366)
	}
	switch flags & dayHours {
	case dayLessOne:
		h.hours &^= 1 << d.count(23)
	case dayMask:
		if m := d.bytes(3); m != nil {
			h.hours = uint32(m[0]) | uint32(m[1])<<8 | uint32(m[2])<<16
		}
	case dayHours:
		d.fail("day flags %#x", flags)
	}
	h.n = bits.OnesCount32(h.hours)
	if flags&dayMore != 0 {
		h.n += d.count(minutesADay)
	}
	if flags&dayTraces != 0 {
		h.traces = d.count(minutesADay)
	}
	if flags&daySum != 0 {
		h.sum = d.int64()
	}
	h.high = flags&dayHigh != 0
	return h
}

// appendClock writes a minute of the day: in one byte when it is a full hour.
func appendClock(dst []byte, at uint16) []byte {
	if at%60 == 0 {
		return append(dst, byte(at/60))
	}
	return binary.AppendUvarint(dst, uint64(at)+24)
}

func (d *decoder) clock() uint16 {
	at := d.count(minutesADay - 1 + 24)
	if at < 24 {
		return uint16(at * 60)
	}
	return uint16(at - 24)
}
