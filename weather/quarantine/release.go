package quarantine

import (
	"slices"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// Release is the command that forgets lines. When none is left the source goes,
// with what was counted of it. It must not change until it is answered.
type Release struct {
	Source string
	// Lines are the numbers of those to forget; that one of them is not there
	// is no fault, as it may have been released before.
	Lines []uint32
	// All forgets every line instead.
	All bool
}

func (q *Quarantine) release(v *entity.View, r *Release) (entity.Events, int, error) {
	h, c, err := q.kept(v, r.Source)
	switch {
	case err != nil:
		return nil, 0, err
	case r.All:
		return entity.Persist(entity.Delete()), len(c.places), nil
	case len(r.Lines) > MaxLines:
		return nil, 0, entity.RejectInvalid("%d lines are too many at once; release at most %d, or all", len(r.Lines), MaxLines).Because(BadLine)
	}
	e, total := &storagev1.LinesReleased{}, h.totals
	for _, line := range slices.Compact(slices.Sorted(slices.Values(r.Lines))) {
		if i, ok := c.find(line); ok {
			e.Lines, e.Slots = append(e.Lines, line), append(e.Slots, c.places[i].slot)
			total.lines--
			total.bytes -= uint64(c.places[i].bytes)
		}
	}
	e.Totals = total.proto()
	switch len(e.GetLines()) {
	case 0:
		return nil, 0, nil
	case len(c.places):
		return entity.Persist(entity.Delete()), len(c.places), nil
	}
	return entity.Persist(e), len(e.GetLines()), nil
}
