package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	"github.com/mesonet/mesonet/weather/station"
)

// catalogueOf is the standard one and measures behind it.
func catalogueOf(more ...weather.Measure) weather.Catalogue {
	c := append(weather.Standard(), more...)
	for i := range c {
		c[i].ID = weather.MeasureID(i)
	}
	return c
}

var (
	level     = weather.Measure{Name: "water_level", Unit: "cm", Decimals: 1, Aggregate: weather.AggregateMean, Low: -500, High: 20000}
	discharge = weather.Measure{Name: "discharge", Unit: "m³/s", Decimals: 3, Aggregate: weather.AggregateMaximum, Low: 0, High: 20_000_000}
)

// A store takes the catalogue that it was filled with, also with more measures at
// the end, and refuses one that contradicts it: then its pages are as they were,
// though there is a station whose pages were not stored yet, and it starts again with the
// right one. Mutation seen to fail: declaring after mesonet.Start.
func TestCatalogueOfTheStore(t *testing.T) {
	store, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	with := func(c weather.Catalogue) daemon.Config {
		cfg := config(t.TempDir()).OnStore(store)
		cfg.Catalogue = c
		cfg.CheckpointEvery = time.Hour // pages are stored at the end alone
		return cfg
	}
	c := startWith(t, with(catalogueOf(level)))
	c.register(t, "1:1")
	c.stop(t)
	c = startWith(t, with(catalogueOf(level, discharge)))
	c.measure(t, map[string]int32{"temperature": 120, "water_level": 815, "discharge": 12_345})
	c.stop(t)
	crash(t, store, catalogueOf(level, discharge))

	before := pagesOf(t, store)
	other := discharge
	other.Aggregate = weather.AggregateMean
	for name, wrong := range map[string]weather.Catalogue{
		"another aggregate": catalogueOf(level, other),
		"another order":     catalogueOf(discharge, level),
		"fewer":             catalogueOf(level),
		"none of ours":      weather.Standard(),
		"others":            {level},
	} {
		d, err := daemon.Start(t.Context(), with(wrong))
		var r *entity.Rejection
		if d != nil || !errors.As(err, &r) || r.Reason != network.Contradiction {
			t.Fatalf("%s: it starts: %v", name, err)
		}
		if diff := cmp.Diff(before, pagesOf(t, store)); diff != "" {
			t.Fatalf("%s: pages were stored (-before +after)\n%s", name, diff)
		}
	}

	wide := discharge
	wide.High = 30_000_000
	c = startWith(t, with(catalogueOf(level, wide)))
	defer c.stop(t)
	for _, id := range []string{"1:1", "2:2"} {
		got, err := c.stations.GetStation(t.Context(), &mesonetv1.GetStationRequest{Station: id})
		if err != nil || got.GetStation().GetObservations() != 1 {
			t.Errorf("%s is %v, %v; want 1 observation", id, got, err)
		}
	}
	recorded, _, err := network.Recorded(t.Context(), store)
	want := catalogueOf(level, wide)
	for i := range want { // quality is not of what is stored, as what is marked says so itself
		want[i].Usual, want[i].Step, want[i].Stuck = weather.Range{}, 0, 0
	}
	if diff := cmp.Diff(want, recorded); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// A store that was filled before catalogues were recorded has the standard
// measures.
func TestCatalogueOfAnOldStore(t *testing.T) {
	store, err := memory.New(2)
	if err != nil {
		t.Fatal(err)
	}
	stations := station.New(weather.Standard())
	live(t, entity.DefaultHostConfig(store, "local", stations.Kind), stations, false)
	cfg := config(t.TempDir()).OnStore(store)
	cfg.Catalogue = weather.Catalogue{level}
	if _, err := daemon.Start(t.Context(), cfg); err == nil {
		t.Fatal("it starts without the measures that were stored")
	}
	cfg.Catalogue = catalogueOf(level)
	startWith(t, cfg).stop(t)
}

// measure sends an observation of a station.
func (c *client) measure(t *testing.T, values map[string]int32) {
	t.Helper()
	stream, err := c.ingest.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &mesonetv1.Readings{Station: "1:1", Minutes: []int64{20_000_000}}
	for name, v := range values {
		r.Columns = append(r.Columns, &mesonetv1.Column{Measure: name, Values: []int32{v}})
	}
	if err := errors.Join(stream.Send(&mesonetv1.IngestRequest{Number: 1, Readings: []*mesonetv1.Readings{r}}), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			break
		}
		for _, o := range response.GetOutcomes() {
			if o.GetFailure() != nil {
				t.Error(o.GetFailure())
			}
		}
	}
}

// crash observes something on a host that ends without storing its pages.
func crash(t *testing.T, store persistence.Store, c weather.Catalogue) {
	t.Helper()
	s := station.New(c)
	cfg := entity.DefaultHostConfig(store, "local", s.Kind, network.Kind)
	live(t, cfg, s, true)
}

// live is a life of a host in which station 2:2 observes something.
func live(t *testing.T, cfg entity.HostConfig, s *station.Station, crashes bool) {
	t.Helper()
	cfg.Logger, cfg.CheckpointEvery = slog.New(slog.DiscardHandler), time.Hour
	host, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]weather.Value, len(s.Catalogue()))
	for i := range values {
		values[i] = weather.Missing
	}
	values[weather.Temperature], values[len(values)-1] = 100, 100
	run := &weather.Run{}
	run.Append(20_000_060, values...)
	if _, err := s.Observe.Ask(t.Context(), host, "2:2", &station.Observe{Run: run, AutoRegister: true}); err != nil {
		t.Error(err)
	}
	if crashes {
		host.Fail(fmt.Errorf("a crash"))
	}
	if err := host.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// pagesOf are the pages of all entities.
func pagesOf(t *testing.T, store persistence.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for n := range persistence.Shard(store.Info().Shards) {
		for p, err := range store.Pages().Scan(t.Context(), n, persistence.PageKey{}, false) {
			if err != nil {
				t.Fatal(err)
			}
			if p.Key.Kind != "" {
				all[p.Key.String()] = p.Position.String() + " " + string(p.Data)
			}
		}
	}
	return all
}
