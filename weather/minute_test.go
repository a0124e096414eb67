package weather

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Every day of the range is checked against the standard library.
func TestEveryDay(t *testing.T) {
	day := time.Date(MinYear, 1, 1, 0, 0, 0, 0, time.UTC)
	for d := minMinute.Day(); d < endMinute.Day(); d++ {
		year, month, dom := d.Date()
		if year != day.Year() || month != int(day.Month()) || dom != day.Day() {
			t.Fatalf("day %d is %d-%d-%d, want %s", d, year, month, dom, day)
		}
		if back, err := DayOfDate(year, month, dom); back != d || err != nil {
			t.Fatalf("%s is day %d, %v; want %d", day, back, err, d)
		}
		day = day.AddDate(0, 0, 1)
	}
	if day.Year() != MaxYear+1 {
		t.Errorf("the range ends before %s", day)
	}
}

func TestMinuteRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Minute(rapid.Int32Range(int32(minMinute), int32(endMinute)-1).Draw(t, "minute"))
		want := time.Unix(int64(m)*60, 0).UTC()
		year, month, day := m.Date()
		hour, minute := m.Clock()
		if got := time.Date(year, time.Month(month), day, hour, minute, 0, 0, time.UTC); !got.Equal(want) || !m.Time().Equal(want) {
			t.Fatalf("%d is %s, want %s", m, got, want)
		}
		if got := at(year, month, day, hour, minute); got != m {
			t.Fatalf("%s is %d, want %d", want, got, m)
		}
		seconds := rapid.IntRange(0, 59).Draw(t, "seconds")
		if got, err := MinuteAt(want.Add(time.Duration(seconds) * time.Second)); got != m || err != nil {
			t.Fatalf("%s and %d s is in minute %d, %v; want %d", want, seconds, got, err, m)
		}
		if got, err := ParseMinute(m.String()); got != m || err != nil {
			t.Fatalf("%s reads as %d, %v; want %d", m, got, err, m)
		}
		if MonthOf(m) != (YearMonth{year, month}) || YearOf(m) != year || !m.Valid() {
			t.Fatalf("%s has the month %s", m, MonthOf(m))
		}
	})
}

func TestImpossibleTimes(t *testing.T) {
	tests := [][5]int{
		{2008, 2, 30, 0, 0},
		{2007, 2, 29, 0, 0},
		{1900, 2, 29, 0, 0},
		{2008, 4, 31, 0, 0},
		{2008, 0, 1, 0, 0},
		{2008, 13, 1, 0, 0},
		{2008, 1, 0, 0, 0},
		{2008, 1, 32, 0, 0},
		{2008, 1, 1, 24, 0},
		{2008, 1, 1, -1, 0},
		{2008, 1, 1, 0, 60},
		{2008, 1, 1, 0, -1},
		{1677, 12, 31, 0, 0},
		{2262, 1, 1, 0, 0},
		{-2008, 1, 1, 0, 0},
	}
	for _, d := range tests {
		if got, err := MinuteOf(d[0], d[1], d[2], d[3], d[4]); !errors.Is(err, ErrTime) {
			t.Errorf("%v is %s, %v; want ErrTime", d, got, err)
		}
	}
	if _, err := MinuteOf(2000, 2, 29, 23, 59); err != nil {
		t.Error(err)
	}
	for _, year := range []int{1600, 1677, 2262, 9999} {
		if _, err := MinuteAt(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)); !errors.Is(err, ErrTime) {
			t.Errorf("the year %d: %v; want ErrTime", year, err)
		}
	}
	if (minMinute - 1).Valid() || endMinute.Valid() {
		t.Error("the range has no ends")
	}
}

func TestParseMinute(t *testing.T) {
	want := at(2008, 8, 11, 16, 0)
	for _, text := range []string{"2008-08-11T16:00Z", "2008-08-11T16:00:00Z", "2008-08-11T18:00+02:00", "2008-08-11T12:00:00-04:00"} {
		if got, err := ParseMinute(text); got != want || err != nil {
			t.Errorf("%s reads as %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2008-08-11", "2008-08-11 16:00", "2008-02-30T00:00Z", "2008-08-11T24:00Z", "2008-08-11T16:00:01Z", "2008-08-11T16:00:00.5Z", "1500-01-01T00:00Z"} {
		if got, err := ParseMinute(text); !errors.Is(err, ErrTime) {
			t.Errorf("%q reads as %s, %v; want ErrTime", text, got, err)
		}
	}
}

func TestYearMonth(t *testing.T) {
	m, err := ParseYearMonth("2008-02")
	if err != nil || m.Days() != 29 || m.First().String() != "2008-02-01" || m.String() != "2008-02" {
		t.Errorf("2008-02 is %v with %d days from %s, %v", m, m.Days(), m.First(), err)
	}
	for _, text := range []string{"", "2008-13", "2008-00", "2008-2", "2008-+2", "+208-02", "2008/02", "1677-12", "2262-01", "20080-2"} {
		if m, err := ParseYearMonth(text); err == nil {
			t.Errorf("%q reads as %s", text, m)
		}
	}
	if DaysInYear(2008) != 366 || DaysInYear(1900) != 365 || DaysInYear(2000) != 366 || DaysInYear(2009) != 365 {
		t.Error("leap years are wrong")
	}
}
