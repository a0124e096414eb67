package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mesonet/mesonet/weather"
)

// period is a day, a month (day 0) or a year (month and day 0) of UTC.
type period struct {
	year, month, day int32
}

// parsePeriod reads 2008, 2008-12 or 2008-12-01. What does not exist, such as
// 2008-02-30, is wrong usage: nothing is to be sent for it.
func parsePeriod(text string) (period, error) {
	parts := strings.Split(text, "-")
	widths := []int{4, 2, 2}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || i >= len(widths) || len(part) != widths[i] {
			return period{}, misuse("%q is not a period; write 2008, 2008-12 or 2008-12-01", text)
		}
		numbers[i] = int(n)
	}
	year, month, day := numbers[0], numbers[1], numbers[2]
	switch {
	case year < weather.MinYear || year > weather.MaxYear:
		return period{}, misuse("the year %04d is out of range; use %d to %d", year, weather.MinYear, weather.MaxYear)
	case len(parts) > 1 && (month < 1 || month > 12):
		return period{}, misuse("%s does not exist; months are 01 to 12", text)
	case len(parts) > 2 && (day < 1 || day > weather.DaysInMonth(year, month)):
		return period{}, misuse("%s does not exist; %s %d has %d days", text, time.Month(month), year, weather.DaysInMonth(year, month))
	}
	return period{int32(year), int32(month), int32(day)}, nil
}

// String returns the period as parsePeriod reads it.
func (p period) String() string {
	switch {
	case p.day != 0:
		return fmt.Sprintf("%04d-%02d-%02d", p.year, p.month, p.day)
	case p.month != 0:
		return fmt.Sprintf("%04d-%02d", p.year, p.month)
	}
	return fmt.Sprintf("%04d", p.year)
}

// parseStation checks the id of a station, so that a slip is not sent.
func parseStation(text string) (string, error) {
	if err := weather.CheckStationID(text); err != nil {
		return "", misuse("%q is not a station's id (%s); NOAA's look like 725030:14732", text,
			strings.TrimPrefix(err.Error(), weather.ErrStation.Error()+": "))
	}
	return text, nil
}
