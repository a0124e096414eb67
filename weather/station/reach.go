package station

import (
	"fmt"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// declareReaches declares the indexes by which the best stations of a network are
// found: of how far each can come in a year, which leaves out what is erroneous, and
// of the months in which something is.
func (s *Station) declareReaches() {
	s.reaches = entity.IndexOf(s.Kind, "reach", s.years, changesReaches, func(dst []string, y *weather.Year) []string {
		if key, ok := y.Reaches(); ok {
			dst = append(dst, key)
		}
		return dst
	})
	s.erroneous = entity.IndexOf(s.Kind, "erroneous", s.months, changesReaches, func(dst []string, m *weather.Month) []string {
		for id := range m.Measures() {
			if m.HasErroneous(id) {
				dst = append(dst, erroneousKey(id, m.ID()))
			}
		}
		return dst
	})
}

// changesReaches says of observations what was found out when they were decided on,
// which of most is that they change nothing.
func changesReaches(event any) bool {
	switch e := event.(type) {
	case *observed:
		return !e.within
	case *corrected, *retracted:
		return true
	}
	return false
}

// within reports whether observations that are new change neither how far the
// station can come nor which months have something erroneous. The years' pages are
// needed for it, and for the event anyway.
func (s *Station) within(v *entity.View, fresh *weather.Run) bool {
	if fresh.HasErroneous() {
		return false
	}
	var some [4]weather.YearMonth // enough to stay off the heap, most often
	known := 0
	for _, month := range fresh.AppendMonths(some[:0]) {
		if month.Year == known {
			continue
		}
		known = month.Year
		year, ok := s.years.In(v, yearName(month.Year))
		if !ok || year.Raises(fresh) {
			return false
		}
	}
	return true
}

// erroneousKey is the key of a month in which a measure has erroneous values.
func erroneousKey(id weather.MeasureID, month weather.YearMonth) string {
	return fmt.Sprintf("%02x%s", int(id), month)
}
