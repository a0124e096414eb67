package station_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// shardsOf returns the shards of a store.
func shardsOf(store persistence.Store) (all []persistence.Shard) {
	for n := range store.Info().Shards {
		all = append(all, persistence.Shard(n))
	}
	return all
}

// observeAt records one row of a station.
func observeAt(t testing.TB, h *entity.Host, id string, at weather.Minute, values ...weather.Value) {
	t.Helper()
	if _, err := stations.Observe.Ask(t.Context(), h, id, &station.Observe{Run: one(at, values...), AutoRegister: true}); err != nil {
		t.Fatal(err)
	}
}

// books are a dumb twin of a network.
type books map[string]*book

// leaders recomputes a ranking from all that is held.
func (all books) leaders(q *station.Leaders) (places []station.Leader, found int) {
	sums := weather.Standard()[q.Measure].Aggregate == weather.AggregateSum
	for id, b := range all {
		times, values := b.values(q.Measure, q.Bucket.Period, q.All)
		l := station.Leader{ID: id}
		hours := map[weather.Minute]bool{}
		for i, v := range values {
			if hour, _ := times[i].Clock(); q.Bucket.Hourly && hour != q.Bucket.Hour {
				continue
			}
			hours[times[i]/60] = true
			l.N++
			switch {
			case sums && v != weather.Trace:
				l.Value += int64(v)
			case !sums && (l.N == 1 || !q.Lowest && int64(v) > l.Value || q.Lowest && int64(v) < l.Value):
				l.Value, l.At = int64(v), times[i]
			}
		}
		if l.N == 0 {
			continue
		}
		found++
		l.MissingHours = hoursOf(q.Bucket) - len(hours)
		if !sums || l.Value > 0 {
			places = append(places, l)
		}
	}
	slices.SortFunc(places, func(a, b station.Leader) int {
		if q.Lowest {
			return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.ID, b.ID))
	})
	return places[:min(len(places), q.K)], found
}

func hoursOf(b station.Bucket) int {
	switch {
	case b.Hourly:
		return 1
	case b.Day != 0:
		return 24
	case b.Month != 0:
		return 24 * weather.DaysInMonth(b.Year, b.Month)
	}
	return 24 * weather.DaysInYear(b.Year)
}

// Whatever happens to the stations of a network, repeated, corrected, erroneous,
// retracted, removed, stored and started again, the best of each bucket by each measure
// are those that a walk over everything finds, asked of all shards at once or of each
// by itself and merged; and the store is in order at the end.
// Mutations seen to fail: changesReaches leaving corrections or retractions out;
// mayPlace passing over what is as high as the last place, or what reaches zero at a
// low; the index of erroneous months not asked; the places cut before they are sorted.
func TestLeaders(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store, err := memory.New(4)
		if err != nil {
			rt.Fatal(err)
		}
		h := openHost(t, store)
		defer func() {
			if h != nil {
				closeHost(t, h)
			}
		}()
		all := books{}
		base, err := weather.MinuteOf(2007, 12, 30, 0, 0)
		if err != nil {
			rt.Fatal(err)
		}
		now := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
		id := func(rt *rapid.T) string { return fmt.Sprint("s", rapid.IntRange(0, 6).Draw(rt, "id")) }
		when := func(rt *rapid.T) weather.Minute {
			day := rapid.SampledFrom([]int{0, 1, 2, 2, 3, 40}).Draw(rt, "day")
			return base + weather.Minute(day*1440+20*rapid.IntRange(0, 8).Draw(rt, "time"))
		}
		rt.Repeat(map[string]func(*rapid.T){
			"observe": func(rt *rapid.T) {
				id, run := id(rt), &weather.Run{}
				for range rapid.IntRange(1, 6).Draw(rt, "readings") {
					run.Append(when(rt), drawRow(rt)...)
				}
				if all[id] == nil {
					all[id] = newBook()
				}
				want := all[id].observe(run, now)
				if got, err := stations.Observe.Ask(t.Context(), h, id, &station.Observe{Run: run, AutoRegister: true, At: now}); err != nil || got != want {
					rt.Fatalf("observed %+v, %v; want %+v", got, err, want)
				}
			},
			"retract": func(rt *rapid.T) {
				id := id(rt)
				if all[id] == nil || len(all[id].rows) == 0 {
					return
				}
				at := rapid.SampledFrom(slices.Sorted(maps.Keys(all[id].rows))).Draw(rt, "held")
				if _, err := stations.Retract.Ask(t.Context(), h, id, &station.Retract{Time: at, At: now}); err != nil {
					rt.Fatal(err)
				}
				all[id].retract(at, "", now)
			},
			"remove": func(rt *rapid.T) {
				id := id(rt)
				var r *entity.Rejection
				if _, err := stations.Remove.Ask(t.Context(), h, id, &station.Remove{}); err != nil && !errors.As(err, &r) {
					rt.Fatal(err)
				}
				delete(all, id)
			},
			"start": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "rest") > 0 {
					return // a host takes milliseconds to open
				}
				closeHost(t, h)
				h = openHost(t, store)
			},
			"ask": func(rt *rapid.T) { checkLeaders(rt, t, h, shardsOf(store), all) },
		})
		checkLeaders(rt, t, h, shardsOf(store), all)
		closeHost(t, h)
		h = nil
		_, err = entity.Verify(t.Context(), store, []*entity.Kind{stations.Kind}, entity.DefaultVerifyConfig(), func(f inspect.Finding) {
			rt.Errorf("the store is not in order: %s", f)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// checkLeaders asks for one bucket of each size.
func checkLeaders(rt *rapid.T, t *testing.T, h *entity.Host, shards []persistence.Shard, all books) {
	day := rapid.SampledFrom([]station.Period{{Year: 2007, Month: 12, Day: 31}, {Year: 2008, Month: 1, Day: 1}, {Year: 2008, Month: 2, Day: 8}}).Draw(rt, "bucket")
	for _, b := range []station.Bucket{
		{Period: station.Period{Year: day.Year}},
		{Period: station.Period{Year: day.Year, Month: day.Month}},
		{Period: day},
		{Period: day, Hourly: true, Hour: rapid.IntRange(0, 2).Draw(rt, "hour")},
	} {
		for _, m := range []weather.MeasureID{weather.Temperature, weather.Precipitation1h, weather.Precipitation6h} {
			q := &station.Leaders{
				Measure: m, Bucket: b, K: rapid.IntRange(1, 4).Draw(rt, "k"), All: rapid.Bool().Draw(rt, "all"),
				Lowest: m == weather.Temperature && rapid.Bool().Draw(rt, "lowest"),
			}
			want, found := all.leaders(q)
			one, err := stations.Leaders(t.Context(), h, shards, q)
			if err != nil {
				rt.Fatal(err)
			}
			var parts []*station.Led
			for _, shard := range shards {
				part, err := stations.Leaders(t.Context(), h, []persistence.Shard{shard}, q)
				if err != nil {
					rt.Fatal(err)
				}
				parts = append(parts, part)
			}
			for how, got := range map[string]*station.Led{"asked at once": one, "merged": q.Merge(parts...)} {
				if !slices.Equal(got.Places, want) || len(got.Unanswered) > 0 {
					rt.Fatalf("%s, %+v: %+v without %v; want %+v", how, q, got.Places, got.Unanswered, want)
				}
				if got.Found > found || (got.Found == 0) != (found == 0) || got.Found > got.Asked {
					rt.Fatalf("%s, %+v: %d of %d have data, want some of %d", how, q, got.Found, got.Asked, found)
				}
			}
		}
	}
}

// Of many stations few are asked: those that can have a place. And who was asleep and
// can't have one stays so.
// Mutation seen to fail: mayPlace always true.
func TestLeadersAskFew(t *testing.T) {
	store, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	h := openHost(t, store)
	at, err := weather.MinuteOf(2008, 7, 1, 12, 0)
	if err != nil {
		t.Fatal(err)
	}
	const many = 400
	for i := range many {
		id := fmt.Sprintf("s%03d", i)
		observeAt(t, h, id, at, weather.Value(i), weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Missing, weather.Value(i%50))
		observeAt(t, h, id, at+31*1440, weather.Value(-i)/4)
	}
	closeHost(t, h)
	h = openHost(t, store)
	defer func() { closeHost(t, h) }()
	for _, c := range []struct {
		what  string
		q     station.Leaders
		first string
		most  int
	}{
		{"the hottest of the year", station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008}}, K: 3}, "s399", 80},
		{"the hottest of the other month", station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 8}}, K: 3}, "s000", 120},
		{"the coldest of the year", station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008}}, K: 3, Lowest: true}, "s396", 80},
		{"the wettest of the day", station.Leaders{Measure: weather.Precipitation1h, Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 7, Day: 1}}, K: 3}, "s049", 80},
		{"the wettest of the hour", station.Leaders{Measure: weather.Precipitation1h, Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 7, Day: 1}, Hourly: true, Hour: 12}, K: 3}, "s049", 80},
		{"of a month without data", station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 3}}, K: 3}, "", 0},
		{"of a year without data", station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2007}}, K: 3}, "", 0},
	} {
		got, err := stations.Leaders(t.Context(), h, shardsOf(store), &c.q)
		switch {
		case err != nil:
			t.Fatal(err)
		case got.Asked > c.most:
			t.Errorf("%s: %d stations of %d were asked, want at most %d", c.what, got.Asked, many, c.most)
		case c.first == "" && (len(got.Places) > 0 || got.Found > 0):
			t.Errorf("%s: %+v", c.what, got)
		case c.first != "" && (len(got.Places) != 3 || got.Places[0].ID != c.first):
			t.Errorf("%s: %+v, want %s first", c.what, got.Places, c.first)
		}
		if awake := h.Stats().Entities[station.KindName]; awake > many*3/4 {
			t.Errorf("%s: %d entities are awake of %d", c.what, awake, many)
		}
	}
}

// A shard that can't be looked through, or whose stations can't be asked, is named,
// nothing of it is in the answer, and the others are.
// Mutations seen to fail: the error of a shard being that of the question; what was
// taken of the shard before it failed being kept.
func TestLeadersUnanswered(t *testing.T) {
	behind, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	store := &persistencetest.Faulty{Store: behind}
	h := openHost(t, store)
	at, err := weather.MinuteOf(2008, 7, 1, 12, 0)
	if err != nil {
		t.Fatal(err)
	}
	held := map[persistence.Shard][]string{}
	for i := range 60 {
		id := fmt.Sprintf("s%02d", i)
		observeAt(t, h, id, at, weather.Value(100+i))
		shard := h.ShardOf(entity.ID{Kind: station.KindName, ID: id})
		held[shard] = append(held[shard], id)
	}
	closeHost(t, h)
	q := &station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008}}, K: 60}
	lowest := persistencetest.Fail(persistencetest.OpReadPage).Only(func(op persistencetest.Op) bool { return op.Key.ID == held[2][0] })
	for i, fault := range []*persistencetest.Fault{persistencetest.Fail(persistencetest.OpScan).Of(2), persistencetest.Fail(persistencetest.OpReadPage).Of(2), lowest} {
		h = openHost(t, store)
		store.Inject(fault)
		got, err := stations.Leaders(t.Context(), h, shardsOf(store), q)
		store.Heal()
		closeHost(t, h)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Unanswered) != 1 || got.Unanswered[0].Shard != 2 || got.Unanswered[0].Station != "" || !errors.Is(got.Unanswered[0].Err, entity.ErrUnavailable) {
			t.Fatalf("fault %d: unanswered is %+v, want shard 2", i, got.Unanswered)
		}
		if len(got.Places) != 60-len(held[2]) || got.Found != len(got.Places) {
			t.Errorf("fault %d: %d places of %d stations, want %d", i, len(got.Places), got.Found, 60-len(held[2]))
		}
		for _, p := range got.Places {
			if slices.Contains(held[2], p.ID) {
				t.Errorf("fault %d: %s is of the shard that fails", i, p.ID)
			}
		}
	}
}

// What is erroneous is found when it is asked for, also where it changes nothing else.
// Mutation seen to fail: within not looking for it.
func TestLeadersErroneous(t *testing.T) {
	store, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	h := openHost(t, store)
	defer func() { closeHost(t, h) }()
	for i := range 30 {
		observeAt(t, h, fmt.Sprintf("b%02d", i), 0, weather.Value(200+i))
	}
	observeAt(t, h, "a", 0, 100)
	observeAt(t, h, "a", 60, 610)
	for all, want := range map[bool]string{false: "b29", true: "a"} {
		q := &station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 1970}}, K: 1, All: all}
		if got, err := stations.Leaders(t.Context(), h, shardsOf(store), q); err != nil || got.Places[0].ID != want {
			t.Errorf("all %t: %+v, %v; want %s", all, got, err, want)
		}
	}
}

// One station that can't answer is named by itself.
func TestLeadersCorruptStation(t *testing.T) {
	store, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	h := openHost(t, store)
	at, err := weather.MinuteOf(2008, 7, 1, 12, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		observeAt(t, h, fmt.Sprint("s", i), at, weather.Value(100+i))
	}
	closeHost(t, h)
	spoil(t, store, "s3")
	h = openHost(t, store)
	defer func() { closeHost(t, h) }()
	got, err := stations.Leaders(t.Context(), h, shardsOf(store), &station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008}}, K: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Unanswered) != 1 || got.Unanswered[0].Station != "s3" || !errors.Is(got.Unanswered[0].Err, entity.ErrCorrupt) {
		t.Errorf("unanswered is %+v, want s3", got.Unanswered)
	}
	if len(got.Places) != 2 || got.Places[0].ID != "s4" || got.Places[1].ID != "s2" {
		t.Errorf("the hottest are %+v, want s4 and s2", got.Places)
	}
}

// spoil puts bytes that are no page in the place of a station's year.
func spoil(t *testing.T, store persistence.Store, id string) {
	t.Helper()
	for page, err := range store.Pages().Scan(t.Context(), 0, persistence.PageKey{Kind: station.KindName, ID: id}, false) {
		if err != nil {
			t.Fatal(err)
		}
		if page.Key.Page == "year/2008" {
			page.Data = []byte("no year")
			page.Position++
			if err := store.Pages().Write(t.Context(), []persistence.Page{page}); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s has no page of the year", id)
}

// A store that was filled by a version without the indexes gets them, and the first
// question waits for it.
func TestLeadersOfOlderStore(t *testing.T) {
	store, err := memory.New(2)
	if err != nil {
		t.Fatal(err)
	}
	h := openHost(t, store)
	at, err := weather.MinuteOf(2008, 7, 1, 12, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		observeAt(t, h, fmt.Sprintf("s%02d", i), at, weather.Value(100+i))
	}
	closeHost(t, h)
	gone := 0
	for _, shard := range shardsOf(store) {
		var pages []persistence.Page
		for page, err := range store.Pages().Scan(t.Context(), shard, persistence.PageKey{}, true) {
			if err != nil {
				t.Fatal(err)
			}
			for _, index := range []string{"reach", "erroneous"} {
				if page.Key.Page == "indexed/station/"+index || strings.HasPrefix(page.Key.Page, "index/station/"+index+"/") {
					page.Deleted = true
					page.Position++
					pages = append(pages, page)
				}
			}
		}
		gone += len(pages)
		if err := store.Pages().Write(t.Context(), pages); err != nil {
			t.Fatal(err)
		}
	}
	if gone < 20+4 {
		t.Fatalf("%d pages of indexes were there, want those of 20 stations and 2 shards", gone)
	}
	h = openHost(t, store)
	defer func() { closeHost(t, h) }()
	got, err := stations.Leaders(t.Context(), h, shardsOf(store), &station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008}}, K: 1})
	if err != nil || len(got.Places) != 1 || got.Places[0].ID != "s19" {
		t.Fatalf("%+v, %v; want s19", got, err)
	}
}

func TestBadLeaders(t *testing.T) {
	year := station.Bucket{Period: station.Period{Year: 2008}}
	for _, c := range []struct {
		q      station.Leaders
		reason string
	}{
		{station.Leaders{Bucket: year}, station.BadRanking},
		{station.Leaders{Bucket: year, K: -1}, station.BadRanking},
		{station.Leaders{Bucket: year, K: station.MostRanked + 1}, station.BadRanking},
		{station.Leaders{Bucket: year, K: 1, Measure: 99}, station.NotMeasured},
		{station.Leaders{Bucket: year, K: 1, Measure: weather.SkyCondition}, station.BadRanking},
		{station.Leaders{Bucket: year, K: 1, Measure: weather.WindDirection}, station.BadRanking},
		{station.Leaders{Bucket: year, K: 1, Measure: weather.Precipitation1h, Lowest: true}, station.BadRanking},
		{station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 13}}, K: 1}, station.BadPeriod},
		{station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 1}, Hourly: true}, K: 1}, station.BadPeriod},
		{station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 2008, Month: 1, Day: 1}, Hourly: true, Hour: 24}, K: 1}, station.BadPeriod},
	} {
		_, err := stations.Leaders(t.Context(), nobody{}, []persistence.Shard{0}, &c.q)
		var r *entity.Rejection
		if !errors.As(err, &r) || r.Reason != c.reason || r.Code != entity.Invalid {
			t.Errorf("%+v: %v, want %s", c.q, err, c.reason)
		}
	}
}

// Who does not wait any more gets an error, not a part.
func TestLeadersInTime(t *testing.T) {
	store, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	h := openHost(t, store)
	defer func() { closeHost(t, h) }()
	observeAt(t, h, "s", 0, 100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = stations.Leaders(ctx, h, shardsOf(store), &station.Leaders{Bucket: station.Bucket{Period: station.Period{Year: 1970}}, K: 1})
	if !errors.Is(err, entity.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want unavailable because of the end of the context", err)
	}
}

// nobody is a network that must not be asked.
type nobody struct{ station.Network }

func (nobody) FindIn(context.Context, persistence.Shard, *entity.Index, entity.Entry) iter.Seq2[entity.Entry, error] {
	panic("asked")
}

// A network that comes to a new month, or year, asks the store for nothing: stations know
// which pages they have. Mutation seen to fail: months, or years, not known from the head.
func TestNewMonths(t *testing.T) {
	behind, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	var reads atomic.Int64
	store := &persistencetest.Faulty{Store: behind}
	store.Hook(persistencetest.Hooks{ReadPage: func(context.Context, persistence.PageKey) error { reads.Add(1); return nil }})
	h := openHost(t, store)
	defer func() { closeHost(t, h) }()
	observeAt(t, h, "s", 0, 100)
	before := reads.Load()
	for month := 1; month <= 24; month++ {
		at, err := weather.MinuteOf(1970+month/12, month%12+1, 1, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		observeAt(t, h, "s", at, weather.Value(100+month))
	}
	if n := reads.Load() - before; n != 0 {
		t.Errorf("%d pages were read", n)
	}
}
