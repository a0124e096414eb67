package main

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/weather"
)

// parseTime reads a time to the minute, of UTC unless it says otherwise.
func parseTime(text string) (time.Time, error) {
	iso := strings.Replace(text, " ", "T", 1)
	t, err := weather.ParseMinute(iso)
	if err != nil {
		if utc, withZone := weather.ParseMinute(iso + "Z"); withZone == nil {
			return utc.Time(), nil
		}
		return time.Time{}, misuse("%q is not a time (%s); write it as 2008-08-11T16:00Z, which is of UTC",
			text, strings.TrimPrefix(oneLine(err.Error()), weather.ErrTime.Error()+": "))
	}
	return t.Time(), nil
}

// isPeriod reports whether text looks like a period and not like a time.
func isPeriod(text string) bool { return !strings.ContainsAny(text, ":T") }

// begin is the first moment of the period.
func (p period) begin() time.Time {
	return time.Date(int(p.year), time.Month(max(p.month, 1)), int(max(p.day, 1)), 0, 0, 0, 0, time.UTC)
}

// end is the first moment after the period.
func (p period) end() time.Time {
	switch {
	case p.day != 0:
		return p.begin().AddDate(0, 0, 1)
	case p.month != 0:
		return p.begin().AddDate(0, 1, 0)
	}
	return p.begin().AddDate(1, 0, 0)
}

// parseUntil reads a time that ends something and is not in it. A period is so in
// it as a whole. It is nil for the end of all times.
func parseUntil(text string) (*timestamppb.Timestamp, error) {
	var until time.Time
	if isPeriod(text) {
		p, err := parsePeriod(text)
		if err != nil {
			return nil, err
		}
		if until = p.end(); until.Year() > weather.MaxYear {
			return nil, nil
		}
	} else {
		var err error
		if until, err = parseTime(text); err != nil {
			return nil, err
		}
	}
	return timestamppb.New(until), nil
}

// parseAt reads a time at which something was. Of a period it is the last minute.
func parseAt(text string) (*timestamppb.Timestamp, error) {
	if isPeriod(text) {
		p, err := parsePeriod(text)
		if err != nil {
			return nil, err
		}
		return timestamppb.New(p.end().Add(-time.Minute)), nil
	}
	t, err := parseTime(text)
	if err != nil {
		return nil, err
	}
	return timestamppb.New(t), nil
}

// span is a time from one moment to before another; nil is open.
type span struct{ from, to *timestamppb.Timestamp }

// parseSpan reads FROM and TO, each of which may be a period or a time, and TO may
// be missing: then it is FROM alone when that is a period.
func parseSpan(args []string) (s span, err error) {
	if len(args) == 0 {
		return span{}, nil
	}
	var from time.Time
	if isPeriod(args[0]) {
		p, err := parsePeriod(args[0])
		if err != nil {
			return span{}, err
		}
		from = p.begin()
	} else if from, err = parseTime(args[0]); err != nil {
		return span{}, err
	}
	s.from = timestamppb.New(from)
	switch {
	case len(args) > 1:
		s.to, err = parseUntil(args[1])
	case isPeriod(args[0]):
		s.to, err = parseUntil(args[0])
	}
	if err == nil && s.to != nil && !from.Before(s.to.AsTime()) {
		err = misuse("the time from %s to %s ends before it begins; write the earlier one first", args[0], args[1])
	}
	return s, err
}
