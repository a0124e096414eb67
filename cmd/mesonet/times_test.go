package main

import (
	"testing"
	"time"

	"github.com/mesonet/mesonet/weather"
)

func TestParseTime(t *testing.T) {
	want := time.Date(2008, 8, 11, 16, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2008-08-11T16:00Z", "2008-08-11T16:00:00Z", "2008-08-11T16:00", "2008-08-11 16:00", "2008-08-11 16:00Z", "2008-08-11T18:00+02:00", "2008-08-11T16:00:00.000Z",
	} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "2008-08-11", "2008-08-11T24:00Z", "2008-02-30T00:00", "2008-08-11T16:00:01Z", "1500-01-01T00:00", "16:00", "2008-08-11T16", "now", "2008-08-11T16:00Z ", "２００８-08-11T16:00Z",
	} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// Where something ends or is at a period, all of that is in it.
func TestSpans(t *testing.T) {
	for _, test := range []struct {
		args     []string
		from, to string
	}{
		{nil, "", ""},
		{[]string{"2008"}, "2008-01-01T00:00:00Z", "2009-01-01T00:00:00Z"},
		{[]string{"2008-12"}, "2008-12-01T00:00:00Z", "2009-01-01T00:00:00Z"},
		{[]string{"2008-02-29"}, "2008-02-29T00:00:00Z", "2008-03-01T00:00:00Z"},
		{[]string{"2008-01", "2008-03"}, "2008-01-01T00:00:00Z", "2008-04-01T00:00:00Z"},
		{[]string{"2008-01-01T12:00", "2008-01-01"}, "2008-01-01T12:00:00Z", "2008-01-02T00:00:00Z"},
		{[]string{"2008-01-01T12:00Z", "2008-01-01T13:00Z"}, "2008-01-01T12:00:00Z", "2008-01-01T13:00:00Z"},
		{[]string{"2008-01-01T12:00Z"}, "2008-01-01T12:00:00Z", ""},
		{[]string{"2261"}, "2261-01-01T00:00:00Z", ""}, // there is nothing after it
	} {
		s, err := parseSpan(test.args)
		if err != nil {
			t.Errorf("%v: %v", test.args, err)
			continue
		}
		from, to := "", ""
		if s.from != nil {
			from = s.from.AsTime().Format(time.RFC3339)
		}
		if s.to != nil {
			to = s.to.AsTime().Format(time.RFC3339)
		}
		if from != test.from || to != test.to {
			t.Errorf("%v is from %q to %q, want %q and %q", test.args, from, to, test.from, test.to)
		}
	}
	if at, err := parseAt("2008-08"); err != nil || at.AsTime().Format(time.RFC3339) != "2008-08-31T23:59:00Z" {
		t.Errorf("at 2008-08 is %v, %v", at, err)
	}
}

// What is parsed is something that a server takes: in order, on minutes, in its
// years.
func FuzzParseSpan(f *testing.F) {
	for _, text := range [][2]string{
		{"2008", "2009"}, {"2009", "2008"}, {"2008-08-11T16:00", "2008-08-11"}, {"2261-12-31", "2261"}, {"1678-01-01T00:00Z", ""}, {"T", ":"}, {"2008-08-11T16:00:00.5Z", "2008"}, {"2262-01-01T00:00+14:00", "2261"},
	} {
		f.Add(text[0], text[1])
	}
	f.Fuzz(func(t *testing.T, from, to string) {
		args := []string{from, to}
		if to == "" {
			args = args[:1]
		}
		s, err := parseSpan(args)
		if err != nil {
			return
		}
		for _, end := range []interface{ AsTime() time.Time }{s.from, s.to} {
			if end == nil || end == s.to && s.to == nil {
				continue
			}
			at := end.AsTime()
			if _, err := weather.MinuteAt(at); err != nil || at.Second() != 0 || at.Nanosecond() != 0 {
				t.Errorf("%q has %v in it: %v", args, at, err)
			}
		}
		if s.from == nil || s.to != nil && !s.from.AsTime().Before(s.to.AsTime()) {
			t.Errorf("%q is %v", args, s)
		}
	})
}
