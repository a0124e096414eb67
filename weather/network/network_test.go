package network_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
)

func level() weather.Measure {
	return weather.Measure{Name: "water_level", Unit: "cm", Decimals: 1, Aggregate: weather.AggregateMean, Low: -500, High: 20000}
}

func rain() weather.Measure {
	return weather.Measure{Name: "rain", Unit: "mm", Decimals: 1, Aggregate: weather.AggregateSum, Trace: true, Low: 0, High: 5000}
}

func catalogue(all ...weather.Measure) weather.Catalogue {
	for i := range all {
		all[i].ID = weather.MeasureID(i)
	}
	return all
}

func declare(all ...weather.Measure) *network.Declaration {
	return &network.Declaration{Catalogue: catalogue(all...)}
}

func TestDeclare(t *testing.T) {
	c := entitytest.Given(t, network.Kind)
	c.When(&network.Question{}).Replies(weather.Catalogue(nil))
	c.When(declare(level())).Replies(network.Declared{First: true, Added: []string{"water_level"}})
	c.When(declare(level())).Then().Replies(network.Declared{})
	c.When(declare(level(), rain())).Replies(network.Declared{Added: []string{"rain"}})
	wide := level()
	wide.Unit, wide.High = "Zentimeter", 30000
	c.When(declare(wide, rain())).Replies(network.Declared{Changed: []string{"water_level"}})
	c.When(&network.Question{}).Replies(catalogue(wide, rain()))
	c.When(declare(wide, rain())).Then().Replies(network.Declared{})
	c.When(&network.Declaration{}).Then().Refuses(entity.Invalid, "0 measures")
	broken := rain()
	broken.Unit = "\xff"
	c.When(declare(wide, broken)).Then().Refuses(entity.Invalid, "unit")
}

// What was stored would be read wrongly: each way is refused, and says which
// measure and what to do.
func TestContradictions(t *testing.T) {
	change := func(m weather.Measure, f func(*weather.Measure)) weather.Measure {
		f(&m)
		return m
	}
	renamed := change(rain(), func(m *weather.Measure) { m.Name = "rainfall" })
	finer := change(level(), func(m *weather.Measure) { m.Decimals = 2 })
	peak := change(level(), func(m *weather.Measure) { m.Aggregate = weather.AggregateMaximum })
	whole := change(rain(), func(m *weather.Measure) { m.Trace = false })
	for _, test := range []struct {
		declared *network.Declaration
		want     string
	}{
		{declare(rain(), level()), "water_level is number 1 of the store and number 2 of the declaration, and rain is number 2 of the store and number 1"},
		{declare(level()), "not declared any more: rain (number 2); declare these as they were"},
		{declare(rain()), "rain is number 2 of the store and number 1 of the declaration, and not declared any more: water_level (number 1)"},
		{declare(level(), renamed), "not declared any more: rain (number 2)"},
		{declare(finer, rain()), "water_level is stored with decimals 1 and declared with 2"},
		{declare(peak, rain()), "water_level is stored with aggregate mean and declared with maximum"},
		{declare(level(), whole), "rain is stored with trace true and declared with false"},
	} {
		c := entitytest.Given(t, network.Kind).When(declare(level(), rain()))
		c.When(test.declared).Then().Refuses(entity.Failed, test.want)
		c.When(&network.Question{}).Replies(catalogue(level(), rain()))
	}
}

// Any list of declarations comes to the same as a twin that keeps the last one
// that is right: a declaration is right if what it says of the measures before
// is the same but for units and limits.
func TestDeclarations(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := entitytest.Given(t, network.Kind)
		var twin weather.Catalogue
		named := 0
		for range rapid.IntRange(1, 8).Draw(rt, "declarations") {
			next := drawDeclaration(rt, twin, &named)
			right := len(next) >= len(twin)
			for i := 0; right && i < len(twin); i++ {
				a, b := twin[i], next[i]
				right = fmt.Sprint(a.Name, a.Decimals, a.Aggregate, a.Trace) == fmt.Sprint(b.Name, b.Decimals, b.Aggregate, b.Trace)
			}
			c.When(&network.Declaration{Catalogue: next})
			if !right {
				c.Then().Refuses(entity.Failed, "contradict")
			} else {
				done := network.Declared{First: len(twin) == 0}
				for i, m := range next {
					switch {
					case i >= len(twin):
						done.Added = append(done.Added, m.Name)
					case m != twin[i]:
						done.Changed = append(done.Changed, m.Name)
					}
				}
				c.Replies(done)
				twin = next
			}
			c.When(&network.Question{}).Replies(twin)
		}
	})
}

// drawDeclaration draws a catalogue that often is the one before with something
// changed.
func drawDeclaration(rt *rapid.T, before weather.Catalogue, named *int) weather.Catalogue {
	next := slices.Clone(before)
	for i := range next {
		m := &next[i]
		switch rapid.IntRange(0, 25).Draw(rt, "change") {
		case 0:
			m.Name += "x"
		case 1:
			m.Decimals = rapid.IntRange(0, 3).Draw(rt, "decimals")
		case 2:
			m.Aggregate, m.Trace = weather.AggregateMaximum, false
		case 3:
			m.Trace = m.Aggregate == weather.AggregateSum && !m.Trace
		case 4, 5:
			m.Unit = rapid.SampledFrom([]string{"", "cm", "°"}).Draw(rt, "unit")
		case 6, 7:
			m.High += 10
		}
	}
	if n := len(next); n > 0 && rapid.IntRange(0, 9).Draw(rt, "drop") == 0 {
		next = slices.Delete(next, 0, rapid.IntRange(1, n).Draw(rt, "dropped"))
	}
	for range rapid.IntRange(0, 2).Draw(rt, "more") {
		*named++
		m := weather.Measure{Name: fmt.Sprintf("m%d", *named), Aggregate: weather.AggregateSum, High: 9, Trace: rapid.Bool().Draw(rt, "trace")}
		next = append(next, m)
	}
	if len(next) == 0 {
		next = append(next, level())
	}
	return catalogue(next...)
}

// What was declared is found in a store that nobody serves from, whether its event
// is in the log alone, its page is older, or the log is gone. Mutations seen to
// fail: Recorded not reading the page, and not reading the log.
func TestRecorded(t *testing.T) {
	store, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, want weather.Catalogue) {
		t.Helper()
		got, ok, err := network.Recorded(t.Context(), store)
		if diff := cmp.Diff(want, got); ok != (len(want) > 0) || err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", when, err, diff)
		}
	}
	check("empty", nil)
	declareIn(t, store, false, declare(level()))
	check("in the log alone", catalogue(level()))
	declareIn(t, store, true, declare(level()))
	check("in a page too", catalogue(level()))
	declareIn(t, store, false, declare(level(), rain()))
	check("with an older page", catalogue(level(), rain()))
	declareIn(t, store, true, declare(level(), rain()))
	number := persistence.ShardOf(network.KindName, network.CatalogueID, 4)
	checkpoint, err := store.Pages().Read(t.Context(), persistence.CheckpointKey(number))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Log().Delete(t.Context(), number, checkpoint.Position); err != nil {
		t.Fatal(err)
	}
	check("in a page alone", catalogue(level(), rain()))
}

// declareIn declares on a host of its own, which stores its pages at the end or
// not, as after a crash.
func declareIn(t *testing.T, store persistence.Store, pages bool, d *network.Declaration) {
	t.Helper()
	cfg := entity.DefaultHostConfig(store, "n", network.Kind)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.CheckpointEvery = time.Hour
	host, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := network.Declare.Ask(t.Context(), host, network.CatalogueID, d); err != nil {
		t.Error(err)
	}
	if !pages {
		host.Fail(errors.New("a crash"))
	}
	if err := host.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
