package daemon_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// The benchmarks measure what a node does beside the limit of the same machine
// in the same run: `make bench PKG=./internal/daemon`. The ratio of two lines
// counts, not the figure; see docs/performance.md.

const (
	benchStations = 1000
	inFlight      = 64 << 10 // observations
)

func benchNode(b *testing.B) (*mesonet.Node, *station.Station) {
	b.Helper()
	stations := station.New(weather.Standard())
	cfg := mesonet.DefaultConfig(b.TempDir())
	cfg.Logger = slog.New(slog.DiscardHandler)
	node, err := mesonet.Start(b.Context(), cfg, stations)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	var all sync.WaitGroup
	for i := range benchStations {
		all.Add(1)
		s := weather.NewStation(benchIDs[i])
		stations.Register.Send(b.Context(), node, s.ID, &station.Register{Station: s}, func(_ station.Registration, _ entity.Token, err error) {
			defer all.Done()
			if err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	return node, stations
}

var benchIDs = func() (ids [benchStations]string) {
	for i := range ids {
		ids[i] = fmt.Sprintf("%06d:99999", i)
	}
	return ids
}()

// hours returns rows hourly observations from an hour after 2008-01-01 on.
func hours(from, rows int) *weather.Run {
	begin, _ := weather.MinuteOf(2008, 1, 1, 0, 0)
	run := weather.NewRun(rows, int(weather.Precipitation6h)+1)
	for i := range rows {
		h := from + i
		run.Append(begin+weather.Minute(60*h), weather.Value(h%300), weather.Value(h%200), 10132, weather.Value(h%360+1),
			weather.Value(h%90), weather.Missing, weather.Value(h%9), weather.Value(h%5), weather.Missing)
	}
	return run
}

// BenchmarkObserve is durable observations, from a parsed reading to its
// acknowledgement: every message another station, or in runs of 64.
func BenchmarkObserve(b *testing.B) {
	for _, v := range []struct {
		name string
		rows int
	}{{"interleaved", 1}, {"runs of 64", 64}} {
		b.Run(v.name, func(b *testing.B) {
			node, stations := benchNode(b)
			room := semaphore.NewWeighted(inFlight)
			var failed atomic.Int64
			// The readings are parsed already; stations share runs, which nobody
			// changes.
			runs := make([]*weather.Run, 40_000/v.rows) // 40 M observations before one comes twice
			for i := range runs {
				runs[i] = hours(i*v.rows, v.rows)
			}
			sent := 0
			b.ResetTimer()
			for n := 0; sent < b.N; n++ {
				run := runs[n/benchStations%len(runs)]
				if err := room.Acquire(b.Context(), int64(v.rows)); err != nil {
					b.Fatal(err)
				}
				stations.Observe.Send(b.Context(), node, benchIDs[n%benchStations], &station.Observe{Run: run}, func(_ station.Observed, _ entity.Token, err error) {
					if err != nil {
						failed.Add(1)
					}
					room.Release(int64(v.rows))
				})
				sent += v.rows
			}
			if err := room.Acquire(b.Context(), inFlight); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if failed.Load() > 0 {
				b.Errorf("%d messages failed", failed.Load())
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "obs/s")
		})
	}
}

// BenchmarkRawLog is the limit for BenchmarkObserve: a file with group commit,
// 40 bytes and a goroutine an event.
func BenchmarkRawLog(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw.log"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	type event struct {
		data [40]byte
		done chan struct{}
	}
	queue := make(chan *event, inFlight)
	var committer sync.WaitGroup
	committer.Go(func() {
		var buf []byte
		var group []*event
		for first := range queue {
			buf, group = append(buf[:0], first.data[:]...), append(group[:0], first)
		more:
			for {
				select {
				case e, ok := <-queue:
					if !ok {
						break more
					}
					buf, group = append(buf, e.data[:]...), append(group, e)
				default:
					break more
				}
			}
			if _, err := f.Write(buf); err != nil {
				b.Error(err)
			}
			if err := f.Sync(); err != nil {
				b.Error(err)
			}
			for _, e := range group {
				close(e.done)
			}
		}
	})
	room := semaphore.NewWeighted(inFlight)
	b.ResetTimer()
	for range b.N {
		if err := room.Acquire(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		go func() {
			e := &event{done: make(chan struct{})}
			queue <- e
			<-e.done
			room.Release(1)
		}()
	}
	if err := room.Acquire(b.Context(), inFlight); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	close(queue)
	committer.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "obs/s")
}

// BenchmarkAnnualPrecipitation asks live stations in process, 64 at a time.
func BenchmarkAnnualPrecipitation(b *testing.B) {
	node, stations := benchNode(b)
	for i := range benchStations {
		if _, err := stations.Observe.Ask(b.Context(), node, benchIDs[i], &station.Observe{Run: hours(0, 48)}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		q := &station.Precipitation{Period: station.Period{Year: 2008}}
		for i := 0; pb.Next(); i++ {
			total, err := stations.Precipitation.Ask(context.Background(), node, benchIDs[i%benchStations], q)
			if err != nil || total.N != 48 {
				b.Errorf("%+v, %v", total, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "asks/s")
}

// BenchmarkBareAsk is the limit for BenchmarkAnnualPrecipitation: an actor that
// answers a one-shot ask, one of a thousand.
func BenchmarkBareAsk(b *testing.B) {
	type question struct{ *actors.Reply[int] }
	system, err := actors.NewSystem(actors.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = system.Stop(context.Background()) }()
	props := &actors.Props{New: func() actors.Actor {
		return actors.Func(func(_ *actors.Context, msg any) {
			if q, ok := msg.(question); ok {
				q.Resolve(48)
			}
		})
	}}
	refs := make([]*actors.Ref, benchStations)
	for i := range refs {
		if refs[i], err = system.Spawn(benchIDs[i], props); err != nil {
			b.Fatal(err)
		}
	}
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			n, err := actors.Ask(context.Background(), refs[i%benchStations], func(r *actors.Reply[int]) any { return question{r} })
			if err != nil || n != 48 {
				b.Errorf("%d, %v", n, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "asks/s")
}
