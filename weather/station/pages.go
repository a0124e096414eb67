package station

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

func (s *Station) declarePages() {
	s.heads = entity.Pages(s.Kind, "head", s.headCodec(), touchesHead, evolveHead)
	s.years = entity.Pages(s.Kind, "year", entity.PageCodec[*weather.Year]{
		Version: 1,
		New: func(name string) (*weather.Year, error) {
			year, err := strconv.Atoi(name)
			if err != nil || year < weather.MinYear || year > weather.MaxYear {
				return nil, fmt.Errorf("station: %q is no year", name)
			}
			return weather.NewYear(s.catalogue, year), nil
		},
		Append: weather.AppendYear,
		Size:   (*weather.Year).MemorySize,
		Decode: func(_ uint32, b []byte) (*weather.Year, error) { return weather.DecodeYear(s.catalogue, b) },
	}, touchesYears, evolveYear)
	s.months = entity.Pages(s.Kind, "month", entity.PageCodec[*weather.Month]{
		Version: 1,
		New: func(name string) (*weather.Month, error) {
			id, err := weather.ParseYearMonth(name)
			if err != nil {
				return nil, err
			}
			return weather.NewMonth(id), nil
		},
		Append: weather.AppendMonth,
		Size:   (*weather.Month).MemorySize,
		Decode: func(_ uint32, b []byte) (*weather.Month, error) { return weather.DecodeMonth(b) },
	}, touchesMonths, evolveMonth)
	s.declareHistories()
	entity.KnownFrom(s.months, s.heads, func(h *Head, name string) bool {
		month, err := weather.ParseYearMonth(name)
		return err == nil && h.Months.Has(month)
	})
	entity.KnownFrom(s.years, s.heads, func(h *Head, name string) bool {
		year, err := strconv.Atoi(name)
		return err == nil && h.Months.HasYear(year)
	})
}

func touchesYears(dst []string, event any) []string {
	if run := runOf(event); run != nil {
		var some [4]weather.YearMonth
		for _, month := range run.AppendMonths(some[:0]) {
			if name := yearName(month.Year); !slices.Contains(dst, name) {
				dst = append(dst, name)
			}
		}
	}
	return dst
}

func touchesMonths(dst []string, event any) []string {
	if run := runOf(event); run != nil {
		return appendMonths(dst, run)
	}
	return dst
}

// appendMonths appends the names of the months that a run touches.
func appendMonths(dst []string, run *weather.Run) []string {
	var some [4]weather.YearMonth // enough to stay off the heap, most often
	for _, month := range run.AppendMonths(some[:0]) {
		dst = append(dst, monthName(month))
	}
	return dst
}

// runOf returns the observations whose pages an event changes.
func runOf(event any) *weather.Run {
	switch e := event.(type) {
	case *observed:
		return e.run
	case *corrected:
		return e.new
	case *retracted:
		return e.old
	}
	return nil
}

func evolveYear(y *weather.Year, event any) {
	var err error
	switch e := event.(type) {
	case *observed:
		add := y.Add
		if e.within {
			add = y.AddWithin
		}
		err = add(e.run)
	case *corrected:
		err = restateAll(y, e.days)
	case *retracted:
		err = restateAll(y, e.days)
	}
	if err != nil {
		panic(err) //nolint:forbidigo // events are checked when they are decided and when they are read; let it crash
	}
}

func restateAll(y *weather.Year, days []restated) error {
	for _, d := range days {
		if err := y.Restate(d.measure, d.day, d.aggregate); err != nil {
			return err
		}
	}
	return nil
}

func evolveMonth(m *weather.Month, event any) {
	switch e := event.(type) {
	case *observed:
		m.Put(e.run)
	case *corrected:
		m.Put(e.new)
	case *retracted:
		for _, t := range e.old.Times {
			m.Remove(t)
		}
	}
}

// names are those of the pages of a year: made once for all stations, as they
// are asked for with every observation.
type names struct {
	year   string
	months [12]string
}

var namesOfYears = sync.OnceValue(func() *[weather.MaxYear - weather.MinYear + 1]names {
	var all [weather.MaxYear - weather.MinYear + 1]names
	for i := range all {
		year := weather.MinYear + i
		all[i].year = strconv.Itoa(year)
		for month := range all[i].months {
			all[i].months[month] = weather.YearMonth{Year: year, Month: month + 1}.String()
		}
	}
	return &all
})

func yearName(year int) string {
	if year < weather.MinYear || year > weather.MaxYear {
		return strconv.Itoa(year) // no page is
	}
	return namesOfYears()[year-weather.MinYear].year
}

func monthName(month weather.YearMonth) string {
	if !month.Valid() {
		return month.String() // no page is
	}
	return namesOfYears()[month.Year-weather.MinYear].months[month.Month-1]
}
