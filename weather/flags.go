package weather

import (
	"iter"
	"strings"
)

// Flag is what quality control says of one value: a set of findings, none of
// them when it is good.
//
// Erroneous is stored with the value, as a mark, since sums must know of it. The
// others are computed when somebody looks: they compare with what came before,
// which may still arrive or be corrected, and so do not depend on the order of
// arrival. They do not keep a value out of anything.
type Flag uint8

const (
	// FlagErroneous is of a value outside its usual range. It is compared with
	// no other.
	FlagErroneous Flag = 1 << iota
	// FlagStep is of a value that changed faster than the measure's Step allows.
	FlagStep
	// FlagStuck is of a value that has not changed for the measure's Stuck hours.
	FlagStuck
	// FlagInconsistent is of values that can't both be right: a dew point above
	// the temperature, a gust below the speed of the wind.
	FlagInconsistent
)

var flagNames = [...]string{"erroneous", "step", "stuck", "inconsistent"}

// Suspect reports whether a value is doubtful, but not erroneous.
func (f Flag) Suspect() bool {
	return f&FlagErroneous == 0 && f&(FlagStep|FlagStuck|FlagInconsistent) != 0
}

// String returns the findings, as in "step,stuck"; nothing when the value is
// good.
func (f Flag) String() string {
	var names []string
	for i, name := range flagNames {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

const (
	// mostStep is how long two values may be apart to be compared by Step.
	mostStep = 3 * 60
	// mostPause is the longest time without a value that does not end a streak
	// of equal ones: the time between the main synoptic hours.
	mostPause = 6 * 60
	// MaxStuck is the most hours of a Measure's Stuck: such a streak, and a
	// pause before it, is in a month and the one before.
	MaxStuck = 600
)

// Flags returns the flags of a row, one for each measure of the catalogue, in
// dst if that has room. before is the month before that of m, or nil when
// nothing of it is held.
func Flags(c Catalogue, m, before *Month, row int, dst []Flag) []Flag {
	for _, flags := range Inspect(c, m, before, row, row+1) {
		dst = append(dst[:0], flags...)
	}
	return dst
}

// Inspect returns the rows of m from up to before to, each with its flags: one
// for each measure of the catalogue. before is the month before that of m, or
// nil when nothing of it is held; an earlier month does no harm. The flags are
// good until the next row.
//
// Step compares a value with the last one before, if that is at most three hours
// older, as a rate of change (MADIS level 2, temporal consistency); within an
// hour the whole Step is allowed, as a front may pass in minutes.
//
// Stuck is said of a value from when it has stood for Stuck hours (HadISD's
// check of repeated streaks, Dunn et al. 2012, which takes the whole streak: but
// then what is said of a value would depend on later ones). More than six hours
// without a value end a streak. The lower limit of a measure is exempt: no wind
// may last, and calm, as HadISD has it, is no sign of a stuck vane.
//
// Inconsistent compares dew_point with temperature and wind_gust with wind_speed,
// in catalogues that have both in the same unit (MADIS level 2, internal
// consistency; WMO-No. 8, quality control at automatic stations).
func Inspect(c Catalogue, m, before *Month, from, to int) iter.Seq2[int, []Flag] {
	return func(yield func(int, []Flag) bool) {
		if to = min(to, m.Len()); from >= to {
			return
		}
		w := inspector{catalogue: c, pairs: pairsOf(c), states: make([]inspected, len(c)), flags: make([]Flag, len(c))}
		since := m.Time(from) - w.reach()
		if before != nil && since < m.start {
			for row, _ := before.Find(since); row < before.Len(); row++ {
				w.inspect(before, row)
			}
		}
		row, _ := m.Find(since)
		for ; row < to; row++ {
			w.inspect(m, row)
			if row >= from && !yield(row, w.flags) {
				return
			}
		}
	}
}

// inspector walks over rows in the order of time.
type inspector struct {
	catalogue Catalogue
	pairs     []pair
	states    []inspected // by measure
	flags     []Flag      // of the last row
}

// inspected is what is known of a measure from the rows before.
type inspected struct {
	known     bool
	last      Value
	at, since Minute // of the last value, and of the first of those equal to it
}

// reach returns how far back a value may be that matters.
func (w *inspector) reach() Minute {
	hours := 0
	for i := range w.catalogue {
		hours = max(hours, w.catalogue[i].Stuck)
	}
	return Minute(hours)*60 + mostPause
}

func (w *inspector) inspect(m *Month, row int) {
	t := m.Time(row)
	for id := range w.catalogue {
		v := m.Value(row, MeasureID(id))
		switch {
		case v.Plain():
			w.flags[id] = w.states[id].next(&w.catalogue[id], v, t)
		case v.Erroneous():
			w.flags[id] = FlagErroneous
		default:
			w.flags[id] = 0
		}
	}
	for _, p := range w.pairs {
		if a, b := m.Value(row, p.less), m.Value(row, p.more); a.Plain() && b.Plain() && int64(a)*p.lessBy > int64(b)*p.moreBy {
			w.flags[p.less] |= FlagInconsistent
			w.flags[p.more] |= FlagInconsistent
		}
	}
}

// next compares a value with those before.
func (s *inspected) next(m *Measure, v Value, t Minute) (f Flag) {
	apart := t - s.at
	if s.known && m.Step > 0 && apart <= mostStep && 60*abs(int64(v)-int64(s.last)) > int64(m.Step)*int64(max(apart, 60)) {
		f |= FlagStep
	}
	if !s.known || v != s.last || apart > mostPause {
		s.since = t
	}
	if m.Stuck > 0 && v != m.Low && t-s.since >= Minute(m.Stuck)*60 {
		f |= FlagStuck
	}
	s.known, s.last, s.at = true, v, t
	return f
}

// pair is two measures of which one is never more than the other, with what to
// multiply them by for the same number of decimals.
type pair struct {
	less, more     MeasureID
	lessBy, moreBy int64
}

func pairsOf(c Catalogue) (pairs []pair) {
	for _, names := range [...][2]string{{"dew_point", "temperature"}, {"wind_speed", "wind_gust"}} {
		less, ok1 := c.Lookup(names[0])
		more, ok2 := c.Lookup(names[1])
		if ok1 && ok2 && c[less].Unit == c[more].Unit {
			pairs = append(pairs, pair{less, more, pow10[c[more].Decimals], pow10[c[less].Decimals]})
		}
	}
	return pairs
}
