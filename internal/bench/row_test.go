package main

import (
	"context"
	"testing"
)

func TestConclude(t *testing.T) {
	for _, test := range []struct {
		goal    goal
		here    float64
		reached bool
	}{
		{goal{Of: ofRatio, Must: atLeast, Value: 2.5}, 250, true}, // of a limit of 100
		{goal{Of: ofRatio, Must: atLeast, Value: 2.5}, 249, false},
		{goal{Of: ofHere, Must: below, Value: 1}, 0.999, true},
		{goal{Of: ofHere, Must: below, Value: 1}, 1, false},
		{goal{Of: ofHere, Must: atMost, Value: 30}, 30, true},
		{goal{Of: ofHere, Must: atMost, Value: 30}, 30.1, false},
	} {
		r := row{Goal: &test.goal, Limit: &limit{}}
		r.between(turn{90, test.here, 110})
		further := test.goal
		r.also("further", count, r.Here).Goal = &further
		r.conclude()
		if r.Limit.Mean != 100 || r.Ratio != test.here/100 {
			t.Errorf("%+v: mean %v, ratio %v", test, r.Limit.Mean, r.Ratio)
		}
		if r.Goal.Reached != test.reached {
			t.Errorf("%+v: reached %v", test, r.Goal.Reached)
		}
		if test.goal.Of == ofHere && r.Also[0].Goal.Reached != test.reached {
			t.Errorf("%+v: the further figure's is %v", test, r.Also[0].Goal.Reached)
		}
	}
	alone := row{Here: 5}
	alone.conclude()
	if alone.Ratio != 0 {
		t.Errorf("without a limit the ratio is %v", alone.Ratio)
	}
}

// Of three turns the row has the one with the middle ratio, whose limit is its own.
//
// Mutation seen to fail: the turns are not put in order.
func TestInTurn(t *testing.T) {
	values := func(list ...float64) measurement {
		return func(context.Context) (v float64, _ error) {
			v, list = list[0], list[1:]
			return v, nil
		}
	}
	var s suite
	r := row{Limit: &limit{}}
	if err := s.inTurn(t.Context(), &r, turns, values(100, 100, 200, 100), values(50, 30, 90)); err != nil {
		t.Fatal(err)
	}
	if r.Here != 50 || r.Limit.Before != 100 || r.Limit.After != 100 { // 0.5 of 0.5, 0.2, 0.6
		t.Errorf("%v between %v and %v", r.Here, r.Limit.Before, r.Limit.After)
	}
	s.opt.quick = true
	if err := s.inTurn(t.Context(), &r, turns, values(100, 100), values(40)); err != nil || r.Here != 40 {
		t.Errorf("%v, %v", r.Here, err)
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		unit  unit
		value float64
		want  string
	}{
		{observationsPerSecond, 4_704_000, "4.70 M/s"},
		{observationsPerSecond, 412_345, "412 k/s"},
		{asksPerSecond, 9_996, "10.0 k/s"},
		{asksPerSecond, 12.34, "12.3 /s"},
		{seconds, 13.71, "13.7 s"},
		{seconds, 0.6131, "613 ms"},
		{seconds, 0.00123, "1.23 ms"},
		{seconds, 0.0000045, "4.50 µs"},
		{bytesEach, 1718, "1,718 B"},
		{bytesEach, 12.5 * (1 << 20), "12.5 MiB"},
		{bytesEach, 1.43 * (1 << 30), "1.43 GiB"},
		{bytesPerByte, 9.3, "9.30"},
		{hours, 64, "64.0 h"},
		{count, 1_001_000, "1,001,000"},
		{unit("other"), 1234.5, "1,235"},
	} {
		if got := test.unit.format(test.value); got != test.want {
			t.Errorf("%v %s is written %q, want %q", test.value, test.unit, got, test.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
	for want, g := range map[string]goal{
		"ratio ≥ 2.5": {Of: ofRatio, Must: atLeast, Value: 2.5},
		"≤ 30":        {Of: ofHere, Must: atMost, Value: 30},
	} {
		if got := g.words(bytesPerByte); got != want {
			t.Errorf("%+v is written %q, want %q", g, got, want)
		}
	}
	if got := (goal{Of: ofHere, Must: below, Value: 1}).words(seconds); got != "< 1 s" {
		t.Errorf("below a second is written %q", got)
	}
	if got := (goal{Of: ofHere, Must: below, Value: 3 << 30}).words(bytesEach); got != "< 3 GiB" {
		t.Errorf("below three GiB is written %q", got)
	}
}
