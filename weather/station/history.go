package station

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// History asks what became of the observation of one time.
type History struct{ Time weather.Minute }

// Past is the answer to a History.
type Past struct {
	// Changes, the oldest first.
	Changes []Change
	// Current is the observation as it is held, one row; empty when there is
	// none.
	Current *weather.Run
	// Dropped says that older changes of the month are not kept any more.
	Dropped bool
}

// Change is a correction or a retraction of one observation.
type Change struct {
	// At is when it was decided; the zero time when that is not known.
	At time.Time
	// Before and After are one row each; After is nil after a retraction.
	Before, After *weather.Run
	// Reason of a retraction, if one was given.
	Reason string
}

// history is the page of what became of a month's observations. Most stations
// have none, as it begins with the first correction.
type history struct {
	month   weather.YearMonth
	changes []change
	dropped uint64 // of the oldest changes
	rows    int    // of all changes
}

// change is what one event did to observations of the month.
type change struct {
	at       int64 // seconds since 1970
	old, new *weather.Run
	reason   string
}

// mostChanged is how many changed observations the page of a month keeps: more than
// it has hours. A feed that sends another value every time must not make
// a page of any size.
const mostChanged = 1024

func (s *Station) declareHistories() {
	s.histories = entity.Pages(s.Kind, "history", entity.PageCodec[*history]{
		Version: 1,
		New: func(name string) (*history, error) {
			month, err := weather.ParseYearMonth(name)
			return &history{month: month}, err
		},
		Append: appendHistory,
		Decode: s.decodeHistory,
		Size:   (*history).size,
	}, touchesHistories, evolveHistory)
}

func touchesHistories(dst []string, event any) []string {
	switch e := event.(type) {
	case *corrected:
		return appendMonths(dst, e.new)
	case *retracted:
		return appendMonths(dst, e.old)
	}
	return dst
}

func evolveHistory(h *history, event any) {
	switch e := event.(type) {
	case *corrected:
		h.add(e.at, e.old, e.new, "")
	case *retracted:
		h.add(e.at, e.old, nil, e.reason)
	}
}

// add keeps a copy of what is in the month, and drops the oldest that there is no
// room for.
func (h *history) add(at int64, old, better *weather.Run, reason string) {
	var rows []int
	for i, t := range old.Times {
		if weather.MonthOf(t) == h.month {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return
	}
	c := change{at: at, old: old.Select(rows), reason: reason}
	if better != nil {
		c.new = better.Select(rows)
	}
	h.changes = append(h.changes, c)
	h.rows += len(rows)
	for len(h.changes) > 1 && h.rows > mostChanged {
		h.rows -= h.changes[0].old.Len()
		h.changes = slices.Delete(h.changes, 0, 1)
		h.dropped++
	}
}

// size returns about how many bytes the page takes in memory.
func (h *history) size() int {
	size := 64
	for _, c := range h.changes {
		size += 120 + len(c.reason) + runSize(c.old)
		if c.new != nil {
			size += runSize(c.new)
		}
	}
	return size
}

func runSize(r *weather.Run) int { return 80 + 4*r.Len()*(1+len(r.Columns)) }

// retracted reports whether the last change of an observation took it back.
func (h *history) retracted(t weather.Minute) bool {
	for _, c := range slices.Backward(h.changes) {
		if slices.Contains(c.old.Times, t) {
			return c.new == nil
		}
	}
	return false
}

func appendHistory(dst []byte, h *history) []byte {
	m := &storagev1.ObservationHistory{Dropped: h.dropped}
	for _, c := range h.changes {
		stored := &storagev1.ObservationChange{At: c.at, Old: weather.AppendRun(nil, c.old), Reason: c.reason}
		if c.new != nil {
			stored.New = weather.AppendRun(nil, c.new)
		}
		m.Changes = append(m.Changes, stored)
	}
	return appendProto(dst, m)
}

func (s *Station) decodeHistory(_ uint32, b []byte) (*history, error) {
	m := &storagev1.ObservationHistory{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("station: history: %w", err)
	}
	h := &history{dropped: m.GetDropped()}
	for i, stored := range m.GetChanges() {
		c := change{at: stored.GetAt(), reason: stored.GetReason()}
		var err error
		if c.old, err = s.decodeRun(stored.GetOld()); err == nil && stored.New != nil {
			c.new, err = s.decodeRun(stored.GetNew())
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("station: history, change %d: %w", i, err)
		case c.old.Len() == 0 || c.new != nil && c.new.Len() != c.old.Len():
			return nil, fmt.Errorf("station: history, change %d: of %d observations", i, c.old.Len())
		}
		h.month = weather.MonthOf(c.old.Times[0])
		h.changes = append(h.changes, c)
		h.rows += c.old.Len()
	}
	if len(h.changes) == 0 {
		return nil, fmt.Errorf("station: history without a change")
	}
	return h, nil
}

// needPast asks for what is known of one observation: that it is held, and what gave
// way to it.
func needPast[Q any](s *Station, at func(q Q) weather.Minute) func(dst []entity.PageRef, q Q) []entity.PageRef {
	return func(dst []entity.PageRef, q Q) []entity.PageRef {
		dst = append(dst, s.heads.At(""))
		if t := at(q); t.Valid() { // what isn't is refused
			month := monthName(weather.MonthOf(t))
			dst = append(dst, s.months.At(month), s.histories.At(month))
		}
		return dst
	}
}

func (s *Station) history(v *entity.View, q *History) (*Past, error) {
	if _, err := s.known(v); err != nil {
		return nil, err
	}
	if err := checkTime(q.Time); err != nil {
		return nil, err
	}
	name := monthName(weather.MonthOf(q.Time))
	past := &Past{Current: &weather.Run{}}
	if month, ok := s.months.In(v, name); ok {
		if row, ok := month.Find(q.Time); ok {
			past.Current = month.Run(row, row+1)
		}
	}
	if h, ok := s.histories.In(v, name); ok {
		past.Dropped = h.dropped > 0
		for _, c := range h.changes {
			row := slices.Index(c.old.Times, q.Time)
			if row < 0 {
				continue
			}
			one := Change{Before: c.old.Select([]int{row}), Reason: c.reason}
			if c.at != 0 {
				one.At = time.Unix(c.at, 0).UTC()
			}
			if c.new != nil {
				one.After = c.new.Select([]int{row})
			}
			past.Changes = append(past.Changes, one)
		}
	}
	if past.Current.Len() == 0 && len(past.Changes) == 0 {
		return nil, entity.RejectNotFound("station %s has never had an observation at %s", v.ID(), q.Time).Because(NoData)
	}
	return past, nil
}
