package weather

import "fmt"

// YearMonth is a month of a year, the period of a Month page.
type YearMonth struct {
	Year  int
	Month int // 1 to 12
}

// MonthOf returns the UTC month of t.
func MonthOf(t Minute) YearMonth {
	year, month, _ := t.Date()
	return YearMonth{year, month}
}

// YearOf returns the UTC year of t.
func YearOf(t Minute) int {
	year, _, _ := t.Date()
	return year
}

// ParseYearMonth reads what String writes: 2008-05.
func ParseYearMonth(text string) (YearMonth, error) {
	if len(text) == 7 && text[4] == '-' {
		year, err1 := ParseValue(text[:4], 0)
		month, err2 := ParseValue(text[5:], 0)
		ym := YearMonth{int(year), int(month)}
		if err1 == nil && err2 == nil && ym.Valid() && ym.String() == text {
			return ym, nil
		}
	}
	return YearMonth{}, fmt.Errorf("%w: %s is not a month: write 2008-05", ErrTime, quote(text))
}

// Valid reports whether the month exists and its year is in range.
func (m YearMonth) Valid() bool {
	return m.Year >= MinYear && m.Year <= MaxYear && m.Month >= 1 && m.Month <= 12
}

// String returns the month as 2008-05.
func (m YearMonth) String() string { return fmt.Sprintf("%04d-%02d", m.Year, m.Month) }

// First returns the first day of the month.
func (m YearMonth) First() Day { return dayOf(m.Year, m.Month, 1) }

// Days returns the number of days of the month.
func (m YearMonth) Days() int { return DaysInMonth(m.Year, m.Month) }

// Minutes returns the first minute of the month, and that of the next.
func (m YearMonth) Minutes() (start, end Minute) {
	first := m.First()
	return first.Start(), (first + Day(m.Days())).Start()
}

// DaysInMonth returns 28 to 31; month is 1 to 12.
func DaysInMonth(year, month int) int {
	switch month {
	case 2:
		if IsLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// DaysInYear returns 365 or 366.
func DaysInYear(year int) int {
	if IsLeap(year) {
		return 366
	}
	return 365
}

// IsLeap reports whether the year has a 29 February.
func IsLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }
