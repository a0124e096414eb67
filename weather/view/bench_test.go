package view_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
	"github.com/mesonet/mesonet/weather/view"
)

// What views cost the storing of pages, on Cassandra: stations that have observed
// every hour of a month so far, and observe one hour more between two times.
// ns/page is what one page waits, with others at once: for the rows of the page
// before, the rows that are new, and the page itself.
func BenchmarkStore(b *testing.B) {
	for _, tables := range [][]string{nil, {view.Observations}, view.All()} {
		b.Run(fmt.Sprintf("tables=%d", len(tables)), func(b *testing.B) {
			benchmarkStore(b, tables)
		})
	}
}

func benchmarkStore(b *testing.B, tables []string) {
	c := cassandra.DefaultConfig()
	c.Hosts, c.Keyspace = serverstest.Cassandra(b, 1).Addresses(), serverstest.Name(b)
	c.Logger = slog.New(slog.DiscardHandler)
	schema := cassandra.DefaultSchema(c.Keyspace)
	schema.Shards = 4
	_, err := schema.Apply(b.Context(), c)
	must(b, err)
	cfg := view.Config{Keyspace: c.Keyspace + "_views", Tables: tables}
	_, err = cassandra.ViewSchema{Keyspace: cfg.Keyspace, Tables: view.Tables(cfg)}.Apply(b.Context(), c)
	must(b, err)
	store, err := cassandra.Open(b.Context(), c)
	must(b, err)
	defer func() { must(b, store.Close()) }()
	stations := station.New(weather.Standard())
	hc := entity.DefaultHostConfig(store, "n", stations.Kind)
	hc.Logger, hc.CheckpointEvery, hc.CheckpointBytes = c.Logger, 10*time.Millisecond, 1
	to, err := store.Views(b.Context(), cfg.Keyspace, view.Tables(cfg))
	must(b, err)
	hc.Views, err = view.New(stations, to, cfg)
	must(b, err)
	var mu sync.Mutex
	var pages, rows int
	var took time.Duration
	count := false
	hc.Listener.PagesStored = func(f entity.PageFlush) {
		mu.Lock()
		defer mu.Unlock()
		if count && f.Err == nil {
			pages, took = pages+f.Pages, took+f.Took
		}
	}
	hc.Listener.RowsWritten = func(f entity.ViewFlush) {
		mu.Lock()
		defer mu.Unlock()
		if count {
			rows += f.Rows
		}
	}
	stored := make(chan struct{}, 1)
	hc.Listener.Checkpointed = func(persistence.Shard, persistence.Position) {
		select {
		case stored <- struct{}{}:
		default:
		}
	}
	h, err := entity.Open(b.Context(), hc)
	must(b, err)
	defer func() { must(b, h.Close(context.WithoutCancel(b.Context()))) }()

	const many = 100
	next := minute(2008, 5, 1, 0, 0)
	observe := func(hours int) {
		run := &weather.Run{}
		for range hours {
			row := slices.Repeat([]weather.Value{weather.Missing}, len(weather.Standard()))
			row[weather.Temperature], row[weather.Precipitation1h] = weather.Value(next%300), weather.Value(next%7)
			run.Append(next, row...)
			next += 60
		}
		for s := range many {
			if _, err := stations.Observe.Ask(b.Context(), h, fmt.Sprint("s", s), &station.Observe{Run: run, AutoRegister: true}); err != nil {
				b.Fatal(err)
			}
		}
		for h.Stats().TailBytes > 0 && b.Context().Err() == nil {
			<-stored
		}
	}
	observe(500)
	mu.Lock()
	count = true
	mu.Unlock()
	for b.Loop() {
		observe(1)
	}
	mu.Lock()
	defer mu.Unlock()
	b.ReportMetric(float64(took.Nanoseconds())/float64(pages), "ns/page")
	b.ReportMetric(float64(rows)/float64(pages), "rows/page")
	b.ReportMetric(0, "ns/op")
}
