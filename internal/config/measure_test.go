package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mesonet/mesonet/internal/config"
	"github.com/mesonet/mesonet/weather"
)

const river = `
measures:
  - name: water_level
    unit: cm
    decimals: 1
    aggregate: mean
    low: -50
    high: 2000.0
    usual_low: 10.5
    usual_high: 900
    step_per_hour: 40
    stuck_hours: 48
  - {name: discharge, unit: m³/s, decimals: 3, aggregate: maximum, low: 0, high: 20000}
  - {name: rain, unit: mm, decimals: 1, aggregate: sum, trace: true, low: 0, high: 500}
`

func TestMeasures(t *testing.T) {
	loaded := mustLoad(t, river)
	want := []config.Measure{
		{
			Measure: weather.Measure{
				Name: "water_level", Unit: "cm", Decimals: 1, Aggregate: weather.AggregateMean, Low: -500, High: 20000,
				Usual: weather.Range{Low: 105, High: 9000}, Step: 400, Stuck: 48,
			},
		},
		{
			Measure: weather.Measure{Name: "discharge", Unit: "m³/s", Decimals: 3, Aggregate: weather.AggregateMaximum, Low: 0, High: 20_000_000},
		},
		{
			Measure: weather.Measure{Name: "rain", Unit: "mm", Decimals: 1, Aggregate: weather.AggregateSum, Trace: true, Low: 0, High: 5000},
		},
	}
	if diff := cmp.Diff(want, loaded.Measures, cmpopts.IgnoreUnexported(config.Measure{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	standard := len(weather.Standard())
	for text, first := range map[string]int{river: standard, river + "standard_measures: false": 0} {
		all := mustLoad(t, text).Catalogue()
		if err := all.Validate(); err != nil {
			t.Error(err)
		}
		if id, ok := all.Lookup("water_level"); !ok || int(id) != first || len(all) != first+3 {
			t.Errorf("water_level is %d of %d, want %d", id, len(all), first)
		}
	}
}

// Each mistake names the measure and the line, and says what to do.
func TestMeasureProblems(t *testing.T) {
	const head = "measures:\n  - {name: level, "
	for rest, want := range map[string]string{
		"aggregate: mean, low: 0, high: 1, decimals: 1, units: cm}":                                    `2: there is no key "units"; did you mean unit?`,
		"aggregate: mean, low: 0, high: 1, low: 2}":                                                    "2: low stands in line 2 already",
		"aggregate: average, low: 0, high: 1}":                                                         `2: measure level: there is no aggregate "average"; use mean`,
		"low: 0, high: 1}":                                                                             "2: measure level: it has no aggregate; say",
		"aggregate: mean, high: 1}":                                                                    "2: measure level: it has no low; say what is possible",
		"aggregate: mean, low: 0}":                                                                     "2: measure level: it has no high; say what is possible",
		"aggregate: mean, low: 0, high: 12.55, decimals: 1}":                                           `2: measure level: high "12.55" is no number with at most 1 decimals`,
		"aggregate: mean, low: 0.5, high: 12}":                                                         `2: measure level: low "0.5" is no whole number; write one, or say how many decimals`,
		"aggregate: mean, low: 0, high: 1e3}":                                                          `2: measure level: high "1e3" is no whole number`,
		"aggregate: mean, low: 0, high: 67108864}":                                                     `2: measure level: high "67108864" is too large for 0 decimals; with them ±67108863 is possible`,
		"aggregate: mean, low: 0, high: 99999, decimals: 6}":                                           `2: measure level: high "99999" is too large for 6 decimals; with them ±67.108863`,
		"aggregate: mean, low: 2, high: 1}":                                                            "2: measure level: low 2 is above high 1; exchange them",
		"aggregate: mean, low: 0, high: 1, decimals: 7}":                                               `2: measure level: decimals is "7"; write how many digits`,
		"aggregate: mean, low: 0, high: 1, trace: maybe}":                                              `2: measure level: trace is "maybe"; write true or false`,
		"aggregate: mean, low: 0, high: 1, trace: true}":                                               "2: measure level: trace is for measures that sum, not mean",
		"aggregate: code, low: -1, high: 1}":                                                           "2: measure level: codes are whole and not negative",
		"aggregate: mean, low: [0], high: 1}":                                                          "2: measure level: a list stands where one value has to be",
		"aggregate: mean, low: , high: 1}":                                                             "2: measure level: low has no value; write one, or",
		"aggregate: mean, low: 0, high: 9, usual_low: -1}":                                             "2: measure level: usual_low -1 is not possible at all; what is lies between low 0 and high 9",
		"aggregate: mean, low: 0, high: 9, usual_low: 5, usual_high: 4}":                               "2: measure level: usual_low 5 is above usual_high 4",
		"aggregate: mean, low: 0, high: 9, step_per_hour: 0}":                                          "2: measure level: step_per_hour is 0; write how much",
		"aggregate: mean, low: 0, high: 9, stuck_hours: 1.5}":                                          `2: measure level: stuck_hours is "1.5"; write`,
		"aggregate: mean, low: 0, high: 9}\n  - {aggregate: mean, low: 0, high: 1}":                    "3: measure 2: it has no name; write name:",
		"aggregate: mean, low: 0, high: 9}\n  - {name: level, aggregate: mean, low: 0, high: 1}":       "3: measure level: the one of ",
		"aggregate: mean, low: 0, high: 9}\n  - {name: temperature, aggregate: mean, low: 0, high: 1}": "3: measure temperature: a standard measure has the name already; choose another",
		"aggregate: mean, low: 0, high: 9}\n  - {name: Level 2, aggregate: mean, low: 0, high: 1}":     `3: measure Level 2: name "Level 2": use 1 to 40 of a-z, 0-9 and _, a letter first`,
	} {
		if got := problems(t, head+rest); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s\n\tis %q\n\twant %q", rest, got, want)
		}
	}
	many := "measures:\n" + strings.Repeat("  - {name: l, aggregate: mean, low: 0, high: 1}\n", 3)
	if got := problems(t, many); len(got) != 2 {
		t.Errorf("%d problems, want one for each measure of the same name but the first: %q", len(got), got)
	}
}

// mapping is what somebody may decode mappings into.
type mapping struct {
	Station string            `yaml:"station"`
	Skip    int               `yaml:"skip_lines"`
	Columns map[string]column `yaml:"columns"`
	Names   []string          `yaml:"names"`
}

type column struct {
	Measure string  `yaml:"measure"`
	Factor  float64 `yaml:"factor"`
}

func TestMappings(t *testing.T) {
	loaded := mustLoad(t, `
mappings:
  gauges:
    station: id
    skip_lines: 1
    names: [a, b]
    columns:
      level: {measure: water_level, factor: 0.1}
  empty: {}
`)
	got, err := config.Mappings[mapping](loaded.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]mapping{
		"gauges": {Station: "id", Skip: 1, Names: []string{"a", "b"}, Columns: map[string]column{"level": {"water_level", 0.1}}},
		"empty":  {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, err = config.Mappings(loaded.Config, func(name string, m mapping) error {
		if m.Station == "" {
			return errors.New("it names no station")
		}
		return nil
	})
	if want := ":9: mapping empty: it names no station"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	broken := mustLoad(t, `
mappings:
  a:
    statoin: id
    columns:
      level: {measur: x}
  b:
    skip_lines: one
    names: x
`)
	_, err = config.Mappings[mapping](broken.Config, nil)
	var all config.Problems
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	wants := []string{
		`:4: there is no key "statoin"; did you mean station?`, `:6: there is no key "measur"; did you mean measure?`,
		`:8: mapping b: "one" stands where a whole number has to be`, `:9: mapping b: "x" stands where a list has to be`,
	}
	for i, want := range wants {
		if len(all) != len(wants) || !strings.HasSuffix(all[i].Error(), want) {
			t.Fatalf("%v\nwant %q", err, wants)
		}
	}
}
