package quarantine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// contents is the page of where the lines are, in the order of their numbers.
//
// The obvious way is to put a line into the page of its number, a thousand to
// each. But then a file of a million lines with one bad one in a hundred has a page
// for every ten of them, and a question reads as many pages as lines. With slots
// the pages are as full as they can be, at the price of this page, some 50 KB at
// ten thousand lines.
type contents struct{ places []place }

// place says where a line is.
type place struct{ line, slot, bytes uint32 }

// find returns where a line is in the order, and whether it is there.
func (c *contents) find(line uint32) (int, bool) {
	return slices.BinarySearchFunc(c.places, line, func(p place, line uint32) int { return cmp.Compare(p.line, line) })
}

// free returns a function that returns the first free slot, and takes it.
func (c *contents) free() func() uint32 {
	end := uint32(0)
	for _, p := range c.places {
		end = max(end, p.slot+1)
	}
	taken := make([]bool, end)
	for _, p := range c.places {
		taken[p.slot] = true
	}
	next := uint32(0)
	return func() uint32 {
		for next < end && taken[next] {
			next++
		}
		next++
		return next - 1
	}
}

func evolveContents(c *contents, event any) {
	switch e := event.(type) {
	case *storagev1.LinesQuarantined:
		c.put(e.GetLines())
	case *storagev1.LinesReleased:
		gone := e.GetLines() // in order, as the places are
		c.places = slices.DeleteFunc(c.places, func(p place) bool {
			for len(gone) > 0 && gone[0] < p.line {
				gone = gone[1:]
			}
			return len(gone) > 0 && gone[0] == p.line
		})
	}
}

// put merges lines, which are in order, into the places.
func (c *contents) put(lines []*storagev1.QuarantinedLine) {
	merged := make([]place, 0, len(c.places)+len(lines))
	rest := c.places
	for _, l := range lines {
		n, _ := (&contents{rest}).find(l.GetLine())
		merged, rest = append(merged, rest[:n]...), rest[n:]
		if len(rest) > 0 && rest[0].line == l.GetLine() {
			rest = rest[1:]
		}
		merged = append(merged, place{l.GetLine(), l.GetSlot(), uint32(len(l.GetText()) + len(l.GetReason()) + len(l.GetFormat()))})
	}
	c.places = append(merged, rest...)
}

func contentsCodec() entity.PageCodec[*contents] {
	return entity.PageCodec[*contents]{
		Version: 1,
		New:     func(string) (*contents, error) { return &contents{}, nil },
		Append: func(dst []byte, c *contents) []byte {
			m := &storagev1.QuarantineContents{}
			before := uint32(0)
			for _, p := range c.places {
				m.Steps, m.Slots, m.Bytes = append(m.Steps, p.line-before), append(m.Slots, p.slot), append(m.Bytes, p.bytes)
				before = p.line
			}
			return appendProto(dst, m)
		},
		Decode: func(_ uint32, b []byte) (*contents, error) { return decodeContents(b) },
		Size:   func(c *contents) int { return 12 * cap(c.places) },
	}
}

func decodeContents(b []byte) (*contents, error) {
	m := &storagev1.QuarantineContents{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("quarantine: contents: %w", err)
	}
	n := len(m.GetSteps())
	if len(m.GetSlots()) != n || len(m.GetBytes()) != n {
		return nil, fmt.Errorf("quarantine: contents: %w: %d lines, %d slots, %d sizes", errMalformed, n, len(m.GetSlots()), len(m.GetBytes()))
	}
	c := &contents{places: make([]place, n)}
	taken := make(map[uint32]bool, n)
	line := uint64(0)
	for i, step := range m.GetSteps() {
		line += uint64(step)
		p := place{uint32(line), m.GetSlots()[i], m.GetBytes()[i]}
		if step == 0 || line > math.MaxUint32 || p.slot >= maxLines || taken[p.slot] || p.bytes > maxLine {
			return nil, fmt.Errorf("quarantine: contents: %w: line %d with %d bytes in slot %d", errMalformed, line, p.bytes, p.slot)
		}
		taken[p.slot] = true
		c.places[i] = p
	}
	return c, nil
}
