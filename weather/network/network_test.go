package network_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
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
// is in the log alone, its page is older, or the log is gone; also by who has read
// before, and goes on from there. Mutations seen to fail: readPage not called, also
// only when it was before; the log not read, or from the checkpoint alone.
func TestRecorded(t *testing.T) {
	inner, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	store := &persistencetest.Faulty{Store: inner}
	var from []persistence.Position // where the log was read
	store.Inject(&persistencetest.Fault{Name: "none", On: func(op persistencetest.Op) bool {
		if op.Kind == persistencetest.OpReadLog {
			from = append(from, op.Position)
		}
		return false
	}})
	again := network.NewReader(store)
	check := func(when string, want weather.Catalogue) {
		t.Helper()
		for name, read := range map[string]func(context.Context) (weather.Catalogue, bool, error){
			"first": func(ctx context.Context) (weather.Catalogue, bool, error) { return network.Recorded(ctx, store) },
			"again": again.Read,
		} {
			got, ok, err := read(t.Context())
			if diff := cmp.Diff(want, got); ok != (len(want) > 0) || err != nil || diff != "" {
				t.Errorf("%s, %s: %v (-want +got)\n%s", when, name, err, diff)
			}
		}
		from = nil
		if _, _, err := again.Read(t.Context()); err != nil {
			t.Error(err)
		}
		if len(from) > 1 || slices.Contains(from, persistence.At(persistence.FirstEpoch, 0)) && len(want) > 0 {
			t.Errorf("%s: with nothing new the log is read from %v", when, from)
		}
	}
	check("empty", nil)
	declareIn(t, store, false, declare(level()))
	check("in the log alone", catalogue(level()))
	declareIn(t, store, true, declare(level()))
	check("in a page too", catalogue(level()))
	declareIn(t, store, false, declare(level(), rain()))
	check("with an older page", catalogue(level(), rain()))
	snow := weather.Measure{Name: "snow", Aggregate: weather.AggregateSum, High: 9}
	declareIn(t, store, true, declare(level(), rain(), snow))
	number := persistence.ShardOf(network.KindName, network.CatalogueID, 4)
	checkpoint, err := store.Pages().Read(t.Context(), persistence.CheckpointKey(number))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Log().Delete(t.Context(), number, checkpoint.Position); err != nil {
		t.Fatal(err)
	}
	check("in a page alone", catalogue(level(), rain(), snow))
}

// A declaration in a frame behind the seal was never acknowledged, and is forgotten by
// who has read it before there was a seal. Mutation seen to fail: the seals not looked at.
func TestReaderForgets(t *testing.T) {
	store, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	declareIn(t, store, false, declare(level()))
	elsewhere, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	declareIn(t, elsewhere, false, declare(level(), rain()))
	_, _, late := lastRecord(t, elsewhere)
	row, end, _ := lastRecord(t, store)
	var b persistence.FrameBuilder
	kind := b.Kind(network.KindName)
	b.Add(b.Entity(kind, network.CatalogueID), b.Type(kind, late.Type.Name, late.Type.Version), late.Payload)
	frame, err := b.Build(0, end)
	if err != nil {
		t.Fatal(err)
	}
	stored := make(chan error, 1)
	store.Log().Append(t.Context(), frame, func(err error) { stored <- err })
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
	r := network.NewReader(store)
	read := func(when string, want weather.Catalogue) {
		t.Helper()
		got, _, err := r.Read(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", when, err, diff)
		}
	}
	read("before the seal", catalogue(level(), rain()))
	if _, err := store.Ownership().Claim(t.Context(), persistence.Claim{
		Owner: row.Owner, Incarnation: row.Incarnation, Seen: row, Seal: end,
	}); err != nil {
		t.Fatal(err)
	}
	read("behind it", catalogue(level()))
}

// lastRecord returns the row of shard 0, where its log ends, and the last record of it.
func lastRecord(t *testing.T, store persistence.Store) (persistence.ShardRow, persistence.Position, persistence.Record) {
	t.Helper()
	shard, ok, err := inspect.Open(t.Context(), store, 0, func(f inspect.Finding) { t.Error(f) })
	if err != nil || !ok {
		t.Fatal(err)
	}
	var last persistence.Record
	log, err := shard.Log(t.Context(), func(_ persistence.Frame, records []persistence.Record) error {
		last = records[len(records)-1]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return shard.Row, log.To, last
}

// Those that come while the store is read share the read that begins after it, as that
// shows all that was there when they came. Mutations seen to fail: everybody reading;
// the read that was under way taken for an answer.
func TestReaderShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, err := memory.New(1)
		if err != nil {
			t.Fatal(err)
		}
		declareIn(t, inner, false, declare(level()))
		hold := make(chan struct{})
		reads := 0
		store := &persistencetest.Faulty{Store: inner}
		store.Inject(&persistencetest.Fault{
			Name: "held", On: func(op persistencetest.Op) bool { return op.Kind == persistencetest.OpReadLog },
			After: func(context.Context, persistencetest.Op) error {
				reads++
				if reads == 1 {
					<-hold
				}
				return nil
			},
		})
		r := network.NewReader(store)
		var readers sync.WaitGroup
		read := func(want weather.Catalogue) {
			readers.Go(func() {
				got, _, err := r.Read(t.Context())
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
			})
		}
		read(catalogue(level()))
		synctest.Wait()
		declareIn(t, inner, false, declare(level(), rain()))
		for range 5 {
			read(catalogue(level(), rain()))
		}
		synctest.Wait()
		close(hold)
		readers.Wait()
		if reads > 3 { // an epoch more, and so a look at each of two
			t.Errorf("the log was read %d times", reads)
		}
	})
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
