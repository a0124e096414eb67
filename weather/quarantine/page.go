package quarantine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// pageSlots is how many slots a page has. It is a part of what is stored: with
// texts as long as may be, a page has 680 KB.
const pageSlots = 128

// page is a page of lines, in the order of their slots.
type page struct {
	number uint32
	lines  []held
}

// held is a line in a slot. It is never changed, only replaced: replies share it.
type held struct {
	slot uint32
	Line
}

func pageOf(slot uint32) string { return strconv.Itoa(int(slot / pageSlots)) }

// touchesPages names the pages of the slots of an event.
func touchesPages(dst []string, event any) []string {
	add := func(slot uint32) {
		if name := pageOf(slot); !slices.Contains(dst, name) {
			dst = append(dst, name)
		}
	}
	switch e := event.(type) {
	case *storagev1.LinesQuarantined:
		for _, l := range e.GetLines() {
			add(l.GetSlot())
		}
	case *storagev1.LinesReleased:
		for _, slot := range e.GetSlots() {
			add(slot)
		}
	}
	return dst
}

func evolvePage(p *page, event any) {
	switch e := event.(type) {
	case *storagev1.LinesQuarantined:
		for _, l := range e.GetLines() {
			if l.GetSlot()/pageSlots == p.number {
				p.put(held{l.GetSlot(), lineOf(l, e.GetAt())})
			}
		}
	case *storagev1.LinesReleased:
		for _, slot := range e.GetSlots() {
			if i, ok := p.find(slot); ok {
				p.lines = slices.Delete(p.lines, i, i+1)
			}
		}
	}
}

func (p *page) find(slot uint32) (int, bool) {
	return slices.BinarySearchFunc(p.lines, slot, func(h held, slot uint32) int { return cmp.Compare(h.slot, slot) })
}

func (p *page) put(h held) {
	i, ok := p.find(h.slot)
	if ok {
		p.lines[i] = h
		return
	}
	p.lines = slices.Insert(p.lines, i, h)
}

// memory is about what the page takes.
func (p *page) memory() int {
	n := heldBytes * cap(p.lines)
	for i := range p.lines {
		n += p.lines[i].bytes()
	}
	return n
}

// heldBytes is what a held takes beside its texts.
const heldBytes = 88

func pageCodec() entity.PageCodec[*page] {
	return entity.PageCodec[*page]{
		Version: 1,
		New: func(name string) (*page, error) {
			number, err := strconv.ParseUint(name, 10, 32)
			if err != nil || number > maxLines/pageSlots {
				return nil, fmt.Errorf("quarantine: there is no page %q of lines", name)
			}
			return &page{number: uint32(number)}, nil
		},
		Append: func(dst []byte, p *page) []byte {
			m := &storagev1.QuarantinePage{Number: p.number}
			for _, h := range p.lines {
				m.Lines = append(m.Lines, h.proto(h.slot, h.Time.Unix()))
			}
			return appendProto(dst, m)
		},
		Decode: func(_ uint32, b []byte) (*page, error) { return decodePage(b) },
		Size:   (*page).memory,
	}
}

func decodePage(b []byte) (*page, error) {
	m := &storagev1.QuarantinePage{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("quarantine: page of lines: %w", err)
	}
	p := &page{number: m.GetNumber()}
	next := uint64(p.number) * pageSlots
	for _, l := range m.GetLines() {
		h := held{l.GetSlot(), lineOf(l, l.GetAt())}
		if uint64(h.slot) < next || h.slot/pageSlots != p.number {
			return nil, fmt.Errorf("quarantine: page %d of lines: %w: slot %d is before %d or of another page", p.number, errMalformed, h.slot, next)
		}
		if err := h.check(); err != nil {
			return nil, fmt.Errorf("quarantine: page %d of lines: %w: %w", p.number, errMalformed, err)
		}
		next = uint64(h.slot) + 1
		p.lines = append(p.lines, h)
	}
	return p, nil
}

// lineOf and proto turn a line into what is stored and back.
func lineOf(m *storagev1.QuarantinedLine, at int64) Line {
	return Line{Number: m.GetLine(), Text: string(m.GetText()), Reason: m.GetReason(), Format: m.GetFormat(), Time: time.Unix(at, 0).UTC()}
}

func (l *Line) proto(slot uint32, at int64) *storagev1.QuarantinedLine {
	return &storagev1.QuarantinedLine{Line: l.Number, Slot: slot, Text: []byte(l.Text), Reason: l.Reason, Format: l.Format, At: at}
}
