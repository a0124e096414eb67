package quarantine

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// GetSource asks how much is kept of a source.
type GetSource struct{ Source string }

// Source is what is kept of one.
type Source struct {
	Name string
	// Lines that are kept.
	Lines int
	// Dropped is how often a line came for which there was no room.
	Dropped uint64
	// Last is when the last one came, also of those without room.
	Last time.Time
}

// totals are what is kept of a source.
type totals struct{ lines, bytes, dropped uint64 }

func totalsOf(m *storagev1.QuarantineTotals) totals {
	return totals{m.GetLines(), m.GetBytes(), m.GetDropped()}
}

func (t totals) proto() *storagev1.QuarantineTotals {
	return &storagev1.QuarantineTotals{Lines: t.lines, Bytes: t.bytes, Dropped: t.dropped}
}

// head is the page of what a source is.
type head struct {
	source string
	totals
	at int64 // when the last line came, in seconds since 1970-01-01T00:00Z
}

func (q *Quarantine) source(v *entity.View, g *GetSource) (Source, error) {
	h, ok := q.heads.In(v, "")
	if !ok {
		return Source{}, notKept(g.Source)
	}
	return Source{Name: h.source, Lines: int(h.lines), Dropped: h.dropped, Last: time.Unix(h.at, 0).UTC()}, nil
}

// touchesOne is for a family of one page, which has all events.
func touchesOne(dst []string, event any) []string {
	switch event.(type) {
	case *storagev1.LinesQuarantined, *storagev1.LinesReleased:
		return append(dst, "")
	}
	return dst
}

func evolveHead(h *head, event any) {
	switch e := event.(type) {
	case *storagev1.LinesQuarantined:
		if e.GetSource() != "" {
			h.source = e.GetSource()
		}
		h.totals, h.at = totalsOf(e.GetTotals()), e.GetAt()
	case *storagev1.LinesReleased:
		h.totals = totalsOf(e.GetTotals())
	}
}

func headCodec() entity.PageCodec[*head] {
	return entity.PageCodec[*head]{
		Version: 1,
		New:     func(string) (*head, error) { return &head{}, nil },
		Append: func(dst []byte, h *head) []byte {
			return appendProto(dst, &storagev1.QuarantineHead{Source: h.source, Totals: h.totals.proto(), At: h.at})
		},
		Decode: func(_ uint32, b []byte) (*head, error) {
			m := &storagev1.QuarantineHead{}
			if err := proto.Unmarshal(b, m); err != nil {
				return nil, fmt.Errorf("quarantine: head: %w", err)
			}
			if err := checkSource(m.GetSource()); err != nil {
				return nil, fmt.Errorf("quarantine: head: %w: %w", errMalformed, err)
			}
			return &head{m.GetSource(), totalsOf(m.GetTotals()), m.GetAt()}, nil
		},
	}
}
