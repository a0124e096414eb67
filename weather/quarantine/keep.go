package quarantine

import (
	"slices"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// Keep is the command that keeps lines. It must not change until it is answered.
type Keep struct {
	Source string
	// Lines in any order; of several with one number the last one counts.
	Lines []Line
	// Now is the time at which they came, to the second.
	Now time.Time
}

// Kept says what a Keep did with its lines, each number counted once.
type Kept struct {
	Kept int
	// Dropped are those for which there was no room; one that was to take the
	// place of another leaves that as it is.
	Dropped int
}

func (q *Quarantine) keep(v *entity.View, k *Keep) (entity.Events, Kept, error) {
	if err := checkSource(k.Source); err != nil {
		return nil, Kept{}, err
	}
	if err := checkLines(k.Lines); err != nil {
		return nil, Kept{}, err
	}
	if len(k.Lines) == 0 {
		return nil, Kept{}, nil
	}
	e := &storagev1.LinesQuarantined{At: k.Now.Unix()}
	h, c, err := q.kept(v, k.Source)
	if err != nil { // the first of it
		h, c, e.Source = &head{}, &contents{}, k.Source
	}
	total, free, outcome := h.totals, c.free(), Kept{}
	for _, l := range latest(k.Lines) {
		size := uint64(l.bytes())
		at, known := c.find(l.Number)
		var slot uint32
		switch {
		case known && total.bytes-uint64(c.places[at].bytes)+size <= max(total.bytes, uint64(q.cfg.Bytes)):
			slot = c.places[at].slot
			total.bytes += size - uint64(c.places[at].bytes)
		case !known && total.lines < uint64(q.cfg.Lines) && total.bytes+size <= uint64(q.cfg.Bytes):
			slot = free()
			total.lines++
			total.bytes += size
		default:
			outcome.Dropped++
			total.dropped++
			continue
		}
		outcome.Kept++
		e.Lines = append(e.Lines, l.proto(slot, 0))
	}
	e.Totals = total.proto()
	return entity.Persist(e), outcome, nil
}

// latest returns the lines in the order of their numbers, of those with one
// number the last.
func latest(lines []Line) []*Line {
	all := make([]*Line, len(lines))
	for i := range lines {
		all[len(lines)-1-i] = &lines[i] // the last of a number comes first, and stays
	}
	slices.SortStableFunc(all, func(a, b *Line) int { return int(int64(a.Number) - int64(b.Number)) })
	return slices.CompactFunc(all, func(a, b *Line) bool { return a.Number == b.Number })
}
