package weather

import (
	"runtime"
	"testing"

	"github.com/mesonet/mesonet/internal/race"
)

// What pages say that they take is what the heap holds, whether they were filled by
// observations, read, or read and added to: a station of one observation has
// nothing but what is beside it. Mutations seen to fail: columns appended to
// and counted by their number (of a year, and of a month); reaches not counted.
func TestMemorySize(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes memory of its own")
	}
	c := Standard()
	begin, _ := MinuteOf(2008, 1, 1, 0, 0)
	const gusty = 2 // an hour with one measure more
	hour := func(h int) *Run {
		run := &Run{Times: []Minute{begin + Minute(60*h)}, Columns: [][]Value{{210}, {150}, {10132}, {1}, {20}, nil, {3}, {12}, nil}}
		if h == gusty {
			run.Columns[8] = []Value{4}
		}
		return run
	}
	year := func(y *Year, hours ...int) *Year {
		for _, h := range hours {
			if err := y.Add(hour(h)); err != nil {
				t.Fatal(err)
			}
			y.Reaches()
		}
		return y
	}
	month := func(m *Month, hours ...int) *Month {
		for _, h := range hours {
			m.Put(hour(h))
		}
		return m
	}
	storedYear := AppendYear(nil, year(NewYear(c, 2008), 0))
	storedMonth := AppendMonth(nil, month(NewMonth(YearMonth{2008, 1}), 0))
	readYear := func() *Year {
		y, err := DecodeYear(c, storedYear)
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	readMonth := func() *Month {
		m, err := DecodeMonth(storedMonth)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	type page interface{ MemorySize() int }
	for name, makes := range map[string]func() page{
		"year of an hour":             func() page { return year(NewYear(c, 2008), 0) },
		"year of two days":            func() page { return year(NewYear(c, 2008), 0, 1, 30) },
		"year that was read":          func() page { return readYear() },
		"year, read and added to":     func() page { return year(readYear(), 1) },
		"year, read, and another day": func() page { return year(readYear(), 24) },
		"year, and another measure":   func() page { return year(readYear(), gusty) },
		"month of an hour":            func() page { return month(NewMonth(YearMonth{2008, 1}), 0) },
		"month of ten hours":          func() page { return month(NewMonth(YearMonth{2008, 1}), 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) },
		"month that was read":         func() page { return readMonth() },
		"month, read and added to":    func() page { return month(readMonth(), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			const n = 5_000
			pages := make([]page, n)
			before := heap()
			for i := range pages {
				pages[i] = makes()
			}
			takes, says := (heap()-before)/n, int64(pages[0].MemorySize())
			runtime.KeepAlive(pages)
			t.Logf("takes %d bytes, says %d", takes, says)
			if says < takes*5/6 || says > takes*4/3 {
				t.Errorf("a page takes %d bytes, and says that it takes %d", takes, says)
			}
		})
	}
}

// heap returns how many bytes are in use, garbage aside.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
