package weather

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseValue(t *testing.T) {
	tests := []struct {
		text     string
		decimals int
		want     Value
		err      error
	}{
		{"12.2", 1, 122, nil},
		{"-0.6", 1, -6, nil},
		{"+7", 1, 70, nil},
		{"0.0", 1, 0, nil},
		{"-0.0", 1, 0, nil},
		{"1023.8", 1, 10238, nil},
		{"5.35", 5, 535000, nil},
		{"12.30", 1, 123, nil}, // zeros beyond the decimals are exact
		{"12.00", 0, 12, nil},
		{"0012", 0, 12, nil},
		{"67108863", 0, MaxValue, nil},
		{"-67108863", 0, -MaxValue, nil},

		{"12.25", 1, Missing, ErrNumber}, // nothing is rounded
		{"", 1, Missing, ErrNumber},
		{"-", 1, Missing, ErrNumber},
		{".5", 1, Missing, ErrNumber},
		{"5.", 1, Missing, ErrNumber},
		{"1.2.3", 2, Missing, ErrNumber},
		{"1e3", 1, Missing, ErrNumber},
		{" 1", 1, Missing, ErrNumber},
		{"NaN", 1, Missing, ErrNumber},
		{"1,5", 1, Missing, ErrNumber},
		{"--1", 1, Missing, ErrNumber},
		{"٣", 0, Missing, ErrNumber}, // a digit, but not one of ours

		{"67108864", 0, Missing, ErrOverflow},
		{"-67108864", 0, Missing, ErrOverflow},
		{"268435578", 0, Missing, ErrOverflow}, // stands for an erroneous 122
		{"2147483648", 0, Missing, ErrOverflow},
		{"-2147483647", 0, Missing, ErrOverflow}, // stands for Trace
		{"-2147483648", 0, Missing, ErrOverflow}, // stands for Missing
		{"6710886.4", 1, Missing, ErrOverflow},
		{"214748364.8", 1, Missing, ErrOverflow},
		{"99999999999999999999999999", 0, Missing, ErrOverflow},
		{"67.108864", 6, Missing, ErrOverflow},
		{"68", 6, Missing, ErrOverflow},
	}
	for _, test := range tests {
		got, err := ParseValue(test.text, test.decimals)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("ParseValue(%q, %d) = %d, %v; want %d, %v", test.text, test.decimals, got, err, test.want, test.err)
		}
	}
}

func TestParseValueShortensWhatItQuotes(t *testing.T) {
	_, err := ParseValue(strings.Repeat("9x", 100_000), 1)
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestValueRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := Value(rapid.Int32Range(-int32(MaxValue), int32(MaxValue)).Draw(t, "value"))
		decimals := rapid.IntRange(0, MaxDecimals).Draw(t, "decimals")
		text := v.Append(nil, decimals)
		got, err := ParseValue(text, decimals)
		if err != nil || got != v {
			t.Fatalf("%d became %q and then %d, %v", v, text, got, err)
		}
	})
}

func TestFormat(t *testing.T) {
	tests := []struct {
		v        Value
		decimals int
		want     string
	}{
		{122, 1, "12.2"},
		{-6, 1, "-0.6"},
		{0, 1, "0.0"},
		{5, 0, "5"},
		{-1, 6, "-0.000001"},
		{535000, 5, "5.35000"},
		{Missing, 1, ""},
		{Trace, 1, "T"},
	}
	for _, test := range tests {
		if got := test.v.Format(test.decimals); got != test.want {
			t.Errorf("%d with %d decimals is %q, want %q", test.v, test.decimals, got, test.want)
		}
	}
	if got := string(AppendFixed(nil, math.MinInt64, 3)); got != "-9223372036854775.808" {
		t.Errorf("the least sum is %q", got)
	}
}

func TestFloat(t *testing.T) {
	if got := Value(122).Float(1); got != 12.2 {
		t.Errorf("122 is %v", got)
	}
	if got := Trace.Float(1); got != 0 {
		t.Errorf("a trace is %v", got)
	}
	if got := Missing.Float(1); !math.IsNaN(got) {
		t.Errorf("missing is %v", got)
	}
}
