package weather

import (
	"strings"
	"testing"
)

func TestCataloguesAreValid(t *testing.T) {
	for _, c := range []Catalogue{Standard(), gauge()} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestStandardIsACopy(t *testing.T) {
	Standard()[Temperature].Name = "changed"
	if got := Standard()[Temperature].Name; got != "temperature" {
		t.Errorf("a caller changed the catalogue of all: %q", got)
	}
}

func TestStandardNames(t *testing.T) {
	c := Standard()
	for name, id := range map[string]MeasureID{
		"temperature": Temperature, "dew_point": DewPoint, "sea_level_pressure": SeaLevelPressure,
		"wind_direction": WindDirection, "wind_speed": WindSpeed, "wind_gust": WindGust,
		"sky_condition": SkyCondition, "precipitation_1h": Precipitation1h, "precipitation_6h": Precipitation6h,
	} {
		if got, ok := c.Lookup(name); !ok || got != id {
			t.Errorf("Lookup(%q) = %d, %v; want %d", name, got, ok, id)
		}
	}
	if _, ok := c.Lookup("snow"); ok {
		t.Error("found a measure that is not there")
	}
}

// What the network must accept: the records themselves.
func TestStandardHoldsTheRecords(t *testing.T) {
	c := Standard()
	tests := []struct {
		m    MeasureID
		v    Value
		want bool
	}{
		{Temperature, -892, true},
		{Temperature, 567, true},
		{Temperature, 700, false},
		{Temperature, 9999, false},
		{SeaLevelPressure, 8700, true},
		{SeaLevelPressure, 10848, true},
		{SeaLevelPressure, 0, false},
		{WindGust, 1132, true},
		{WindDirection, Calm, true},
		{WindDirection, North, true},
		{WindDirection, 361, false},
		{Precipitation1h, 3050, true},
		{Precipitation1h, Trace, true},
		{Precipitation1h, -1, false},
		{SkyCondition, 19, true},
		{SkyCondition, 20, false},
		{Temperature, Missing, true},
		{Temperature, Trace, false},
	}
	for _, test := range tests {
		if got := c[test.m].Possible(test.v); got != test.want {
			t.Errorf("%s %d possible: %v", c[test.m].Name, test.v, got)
		}
		if usual := c[test.m].Usual; test.want && test.v.Plain() && !usual.Has(test.v) {
			t.Errorf("%s %d is not usual: %v", c[test.m].Name, test.v, usual)
		}
	}
}

func TestCatalogueValidate(t *testing.T) {
	tests := []struct {
		change func(c Catalogue) Catalogue
		want   string
	}{
		{func(Catalogue) Catalogue { return nil }, "0 measures"},
		{func(Catalogue) Catalogue { return make(Catalogue, MaxMeasures+1) }, "257 measures"},
		{func(c Catalogue) Catalogue { c[1].ID = 7; return c }, "id 7 at place 1"},
		{func(c Catalogue) Catalogue { c[1].Name = "temperature"; return c }, `0 and 1 are both named "temperature"`},
		{func(c Catalogue) Catalogue { c[1].Name = "Dew Point"; return c }, "name"},
		{func(c Catalogue) Catalogue { c[1].Name = "1st"; return c }, "name"},
		{func(c Catalogue) Catalogue { c[1].Name = ""; return c }, "name"},
		{func(c Catalogue) Catalogue { c[1].Decimals = 7; return c }, "7 decimals"},
		{func(c Catalogue) Catalogue { c[1].Decimals = -1; return c }, "-1 decimals"},
		{func(c Catalogue) Catalogue { c[1].Aggregate = 0; return c }, "aggregate"},
		{func(c Catalogue) Catalogue { c[1].Low = c[1].High + 1; return c }, "above high"},
		{func(c Catalogue) Catalogue { c[1].High = MaxValue + 1; return c }, "within"},
		{func(c Catalogue) Catalogue { c[1].Low = -MaxValue - 1; return c }, "within"},
		{func(c Catalogue) Catalogue { c[1].Trace = true; return c }, "trace"},
		{func(c Catalogue) Catalogue { c[SkyCondition].Decimals = 1; return c }, "whole"},
		{func(c Catalogue) Catalogue { c[SkyCondition].Low = -1; return c }, "whole"},
		{func(c Catalogue) Catalogue { c[0].Usual = Range{100, 99}; return c }, "usual from 10.0 to 9.9 °C: the low"},
		{func(c Catalogue) Catalogue { c[0].Usual = Range{-933, 0}; return c }, "usual from -93.3 to 0.0 °C: that is beyond"},
		{func(c Catalogue) Catalogue { c[0].Usual = Range{0, 619}; return c }, "beyond the limits -93.2 to 61.8 °C"},
		{func(c Catalogue) Catalogue { c[0].Step = -1; return c }, "step -1"},
		{func(c Catalogue) Catalogue { c[0].Step = MaxValue + 1; return c }, "step"},
		{func(c Catalogue) Catalogue { c[WindDirection].Step = 1; return c }, "not circular"},
		{func(c Catalogue) Catalogue { c[0].Stuck = -1; return c }, "stuck -1"},
		{func(c Catalogue) Catalogue { c[0].Stuck = MaxStuck + 1; return c }, "600 hours"},
		{func(c Catalogue) Catalogue { c[Precipitation1h].Stuck = 1; return c }, "not sum"},
		{func(c Catalogue) Catalogue { c[SkyCondition].Stuck = 1; return c }, "not code"},
	}
	for _, test := range tests {
		err := test.change(Standard()).Validate()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want an error with %q", err, test.want)
		}
	}
}

func TestAggregateNames(t *testing.T) {
	for a := AggregateMean; a <= AggregateCode; a++ {
		if got, err := ParseAggregate(a.String()); err != nil || got != a {
			t.Errorf("%s reads as %v, %v", a, got, err)
		}
	}
	if _, err := ParseAggregate("median"); err == nil {
		t.Error("accepted a median")
	}
}

func TestSkyText(t *testing.T) {
	seen := map[string]Value{}
	for code := range Value(SkyConditions) {
		text, ok := SkyText(code)
		if other, twice := seen[text]; !ok || text == "" || twice {
			t.Errorf("code %d is %q, as is %d", code, text, other)
		}
		seen[text] = code
	}
	for _, code := range []Value{-1, 20, Missing, Trace} {
		if _, ok := SkyText(code); ok {
			t.Errorf("there is a text for code %d", code)
		}
	}
}
