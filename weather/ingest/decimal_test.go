package ingest

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

// Conversions are what fractions of any size give, rounded half away from zero.
func TestConversionAgainstFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(unitConversions).Draw(t, "unit")
		m := &weather.Measure{Name: "m", Unit: c.to, Decimals: rapid.IntRange(0, weather.MaxDecimals).Draw(t, "decimals")}
		scale := rapid.SampledFrom([]string{"", "1", "0.1", "-2.5", "10", "1e3", "0.001"}).Draw(t, "scale")
		offset := rapid.SampledFrom([]string{"", "0", "-40", "0.05", "1e2"}).Draw(t, "offset")
		text := rapid.StringMatching(`[+-]?[0-9]{1,12}(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		round := rapid.Bool().Draw(t, "round")
		l, err := conversionOf(m, c.from, scale, offset)
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := slowly(text, c, scale, offset, m.Decimals, round)
		x, err := parseDecimal([]byte(text))
		if err != nil {
			if errors.Is(err, weather.ErrOverflow) {
				return // too many digits, or zeros
			}
			t.Fatalf("%s: %v", text, err)
		}
		got, err := l.apply(x, round)
		if !errors.Is(err, wantErr) || err == nil && got != want {
			t.Fatalf("%s %s with %d decimals is %d, %v; want %d, %v", text, c.from, m.Decimals, got, err, want, wantErr)
		}
	})
}

// slowly is the dumb way.
func slowly(text string, c unitConversion, scale, offset string, decimals int, round bool) (weather.Value, error) {
	rat := func(s, otherwise string) *big.Rat {
		if s == "" {
			s = otherwise
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			panic("no number: " + s)
		}
		return r
	}
	r := rat(text, "")
	r.Mul(r, rat(scale, "1"))
	r.Add(r, rat(offset, "0"))
	r.Mul(r, rat(c.factor, ""))
	r.Add(r, rat(c.offset, ""))
	for range decimals {
		r.Mul(r, big.NewRat(10, 1))
	}
	if !r.IsInt() && !round {
		return 0, errRounding
	}
	whole := r.FloatString(0) // rounds half away from zero
	n, ok := new(big.Int).SetString(whole, 10)
	if most := int64(weather.MaxValue); !ok || !n.IsInt64() || n.Int64() > most || n.Int64() < -most {
		return 0, weather.ErrOverflow
	}
	return weather.Value(n.Int64()), nil
}

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]decimal{
		"0": {0, 0}, "-0": {0, 0}, "+1": {1, 0}, "1.50": {150, 2}, "-12.5": {-125, 1}, "1e3": {1, -3}, "1.5E-2": {15, 3},
		"000000000000000000000001": {1, 0}, "21.299999999999997": {21_299_999_999_999_997, 15},
	} {
		if got, err := parseDecimal([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", ".", "1.", ".5", "1e", "1e+", "1ee1", "1e1.5", "--1", "1 ", " 1", "0x1", "NaN", "1,5", "1e99999", "1e-41", "1234567890123456789", "1_0"} {
		if got, err := parseDecimal([]byte(text)); !errors.Is(err, weather.ErrNumber) && !errors.Is(err, weather.ErrOverflow) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// What people know by heart.
func TestUnits(t *testing.T) {
	for _, test := range []struct {
		unit, to, number string
		decimals         int
		want             string
	}{
		{"F", "°C", "32", 1, "0.0"},
		{"F", "°C", "212", 1, "100.0"},
		{"F", "°C", "-40", 1, "-40.0"},
		{"F", "°C", "98.6", 1, "37.0"},
		{"K", "°C", "273.15", 2, "0.00"},
		{"inHg", "hPa", "29.92", 1, "1013.2"},
		{"mmHg", "hPa", "760", 1, "1013.3"},
		{"kt", "m/s", "1", 3, "0.514"},
		{"mph", "m/s", "60", 1, "26.8"},
		{"km/h", "m/s", "36", 1, "10.0"},
		{"in", "mm", "1", 1, "25.4"},
		{"cm", "mm", "0.25", 1, "2.5"},
		{"ft", "cm", "1", 1, "30.5"},
		{"kPa", "hPa", "101.325", 1, "1013.3"}, // half away from zero
		{"K", "°C", "273.1", 1, "-0.1"},        // below it, too
	} {
		m := &weather.Measure{Unit: test.to, Decimals: test.decimals}
		l, err := conversionOf(m, test.unit, "", "")
		if err != nil {
			t.Fatal(err)
		}
		x, err := parseDecimal([]byte(test.number))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.apply(x, true); err != nil || got.Format(test.decimals) != test.want {
			t.Errorf("%s %s is %s, %v; want %s %s", test.number, test.unit, got.Format(test.decimals), err, test.want, test.to)
		}
	}
	_, err := conversionOf(&weather.Measure{Unit: "°C"}, "inHg", "", "")
	if err == nil || !strings.Contains(err.Error(), `"°C", C, F, K`) {
		t.Errorf("pressure as temperature: %v", err)
	}
}
