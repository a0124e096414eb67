package weather

import (
	"errors"
	"fmt"
	"time"
)

// Minute is the time of an observation: whole minutes since 1970-01-01T00:00Z.
// 32 bits reach 4,083 years either way, at half the size of 64.
type Minute int32

// Day counts UTC days since 1970-01-01.
type Day int32

const (
	// MinYear is the first year that is accepted, and MaxYear the last: those
	// whose every moment has a 64-bit count of nanoseconds, as
	// time.Time.UnixNano, Parquet and Arrow use. The oldest series of
	// instruments (Uppsala, 1722) fit well.
	MinYear = 1678
	// MaxYear is the last year that is accepted.
	MaxYear = 2261

	minutesADay = 24 * 60
)

// ErrTime says that a date or a time of day does not exist or is out of range.
var ErrTime = errors.New("weather: no such time")

// MinuteOf returns the time of that UTC date and time of day. A date that does
// not exist (2008-02-30), an hour 24 or a year out of range is ErrTime.
func MinuteOf(year, month, day, hour, minute int) (Minute, error) {
	d, err := DayOfDate(year, month, day)
	if err != nil {
		return 0, err
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, fmt.Errorf("%w: %d:%02d is not a time of day", ErrTime, hour, minute)
	}
	return d.Start() + Minute(hour*60+minute), nil
}

// DayOfDate returns the day of that date, or ErrTime.
func DayOfDate(year, month, day int) (Day, error) {
	if year < MinYear || year > MaxYear {
		return 0, fmt.Errorf("%w: the year %d is not in %d to %d", ErrTime, year, MinYear, MaxYear)
	}
	if month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) {
		return 0, fmt.Errorf("%w: %04d-%02d-%02d is not a date", ErrTime, year, month, day)
	}
	return dayOf(year, month, day), nil
}

// MinuteAt returns the minute in which t falls, or ErrTime when its year is out
// of range.
func MinuteAt(t time.Time) (Minute, error) {
	if y := t.UTC().Year(); y < MinYear || y > MaxYear {
		return 0, fmt.Errorf("%w: the year %d is not in %d to %d", ErrTime, y, MinYear, MaxYear)
	}
	s := t.Unix()
	if s < 0 {
		s -= 59 // towards the past, as for later times
	}
	return Minute(s / 60), nil
}

// ParseMinute reads what String writes, 2008-08-11T16:00Z, and any RFC 3339
// time that falls on a whole minute.
func ParseMinute(text string) (Minute, error) {
	t, err := time.Parse("2006-01-02T15:04Z07:00", text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s: write 2008-08-11T16:00Z", ErrTime, quote(text))
	}
	if t.Second() != 0 || t.Nanosecond() != 0 {
		return 0, fmt.Errorf("%w: %s: observations are kept to the minute", ErrTime, quote(text))
	}
	return MinuteAt(t)
}

// Time returns t as a time.Time in UTC.
func (t Minute) Time() time.Time { return time.Unix(int64(t)*60, 0).UTC() }

// Day returns the UTC day of t.
func (t Minute) Day() Day {
	d := t / minutesADay
	if t%minutesADay < 0 {
		d--
	}
	return Day(d)
}

// Date returns the UTC date of t.
func (t Minute) Date() (year, month, day int) { return t.Day().Date() }

// Clock returns the UTC time of day of t.
func (t Minute) Clock() (hour, minute int) {
	m := int(t - t.Day().Start())
	return m / 60, m % 60
}

// Valid reports whether t is in the range of years.
func (t Minute) Valid() bool { return t >= minMinute && t < endMinute }

// String returns t as 2008-08-11T16:00Z.
func (t Minute) String() string {
	hour, minute := t.Clock()
	return fmt.Sprintf("%sT%02d:%02dZ", t.Day(), hour, minute)
}

// Start returns the first minute of d.
func (d Day) Start() Minute { return Minute(d) * minutesADay }

// Date returns d as a date of the Gregorian calendar. The algorithm is Howard
// Hinnant's civil_from_days (chrono-Compatible Low-Level Date Algorithms): it
// counts from 1 March of year 0, so that the leap day is a year's last.
func (d Day) Date() (year, month, day int) {
	z := int(d) + 719_468
	era := floorDiv(z, 146_097) // days in 400 years
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153 // months from March
	year, month, day = yoe+era*400, mp+3, doy-(153*mp+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// String returns d as 2008-08-11.
func (d Day) String() string {
	year, month, day := d.Date()
	return fmt.Sprintf("%04d-%02d-%02d", year, month, day)
}

// dayOf is Hinnant's days_from_civil, the inverse of Date.
func dayOf(year, month, day int) Day {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + day - 1
	return Day(era*146_097 + yoe*365 + yoe/4 - yoe/100 + doy - 719_468)
}

var (
	minMinute = dayOf(MinYear, 1, 1).Start()
	endMinute = dayOf(MaxYear+1, 1, 1).Start()
)

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
