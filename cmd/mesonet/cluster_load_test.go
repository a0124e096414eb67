package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// clientOfAll returns a client as a program of a user has it: it knows all nodes, and
// tries again what may be.
func clientOfAll(t *testing.T, addrs []string) *client {
	t.Helper()
	cfg := remote.DefaultConfig(addrs...)
	cfg.Timeout, cfg.AttemptTimeout = time.Minute, 5*time.Second
	c, err := remote.Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return newClient(c, cfg.Timeout)
}

// newClusterLoad returns a load on a cluster: one that records single readings, and
// one that sends them by a stream, each of which begins with another node.
func newClusterLoad(t *testing.T, addrs []string) *load {
	t.Helper()
	w := &load{}
	for i, l := range []*loader{{name: "records", again: true}, {name: "streams", again: true, via: sunk(t)}} {
		l.load, l.retries, l.sent, l.acked = w, true, make(map[year]int), make(map[year]int)
		l.client = clientOfAll(t, slices.Concat(addrs[i:], addrs[:i]))
		w.loaders = append(w.loaders, l)
	}
	w.asker = clientOfAll(t, addrs)
	return w
}

// newLocalLoad returns a load of loaders that know one node each, as programs do that
// run beside it, send every reading by itself, and give up soon. They go on at a node
// that is cut off, and what such a node says that it has stored is what a client that
// goes elsewhere never hears.
func newLocalLoad(t *testing.T, nodes []*clusterNode) *load {
	t.Helper()
	w := &load{}
	for i := range 2 * len(nodes) {
		n := nodes[i%len(nodes)]
		w.loaders = append(w.loaders, &loader{
			name: fmt.Sprintf("beside-%s-%d", n.id, i), patience: time.Second, retries: true, via: singly,
			load: w, client: clientOf(t, n.listen), sent: make(map[year]int), acked: make(map[year]int),
		})
	}
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.listen)
	}
	w.asker = clientOfAll(t, addrs)
	return w
}

// singly sends each reading in a call of its own, and then rests a little.
func singly(ctx context.Context, l *loader, numbers []int) (fresh []bool, errs []error) {
	fresh, errs = make([]bool, len(numbers)), make([]error, len(numbers))
	var calls sync.WaitGroup
	for i, n := range numbers {
		calls.Go(func() {
			f, e := l.call(ctx, []int{n})
			fresh[i], errs[i] = f[0], e[0]
		})
	}
	calls.Wait()
	_ = clock.Sleep(ctx, clock.System(), 20*time.Millisecond)
	return fresh, errs
}

// sunk returns what sends readings by the sink of a client, and again for as long as
// it says that they may be.
func sunk(t *testing.T) func(context.Context, *loader, []int) ([]bool, []error) {
	var sink *remote.Sink
	t.Cleanup(func() {
		if sink != nil {
			sink.Close()
		}
	})
	return func(ctx context.Context, l *loader, numbers []int) (fresh []bool, errs []error) {
		if sink == nil {
			sink = l.client.Ingest(context.WithoutCancel(t.Context()), weather.Standard())
		}
		fresh, errs = make([]bool, len(numbers)), make([]error, len(numbers))
		open := make([]int, len(numbers)) // indexes of those not acknowledged
		for i := range open {
			open[i] = i
		}
		for len(open) > 0 && ctx.Err() == nil {
			var batch []ingest.StationRun
			for _, i := range open {
				batch = append(batch, runOf(l, numbers[i]))
			}
			told := make(chan []ingest.Outcome, 1)
			if err := sink.Send(ctx, batch, func(o []ingest.Outcome) { told <- o }); err != nil {
				if !errors.Is(err, ingest.ErrRetry) {
					l.load.fail("a batch of %s can't be sent: %v", l.name, err)
					return fresh, errs
				}
				_ = clock.Sleep(ctx, clock.System(), 50*time.Millisecond)
				continue
			}
			var left []int
			for k, o := range <-told {
				i := open[k]
				switch errs[i] = o.Err; {
				case o.Err == nil:
					fresh[i] = o.Stored == 1
				case errors.Is(o.Err, ingest.ErrRetry):
					left = append(left, i)
				}
			}
			if open = left; len(open) > 0 {
				_ = clock.Sleep(ctx, clock.System(), 50*time.Millisecond)
			}
		}
		return fresh, errs
	}
}

// runOf is a reading of a loader as sources give it.
func runOf(l *loader, n int) ingest.StationRun {
	run := &weather.Run{Times: []weather.Minute{weather.Minute(hourOf(n).Unix() / 60)}, Columns: make([][]weather.Value, len(weather.Standard()))}
	run.Columns[weather.Precipitation1h] = []weather.Value{10}
	run.Columns[weather.Temperature] = []weather.Value{weather.Value(tenths(n))}
	return ingest.StationRun{Station: l.station(n), Run: run}
}

// askers ask, one for each shard, for the rain of a station whose sum is known. They
// go on until they are stopped, and keep what answers took.
type askers struct {
	stations []string // one of each shard
	client   *client
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	n      int
	worst  time.Duration // since mark
	failed []string      // since mark, the first few
	fails  int
}

// newAskers gives each shard a station with 1 mm of rain.
func newAskers(t *testing.T, addrs []string) *askers {
	t.Helper()
	a := &askers{client: clientOfAll(t, addrs)}
	of := make(map[persistence.Shard]string)
	for n := 0; len(of) < shardsOfCluster; n++ {
		id := fmt.Sprintf("asked:%d", n)
		if s := persistence.ShardOf("station", id, shardsOfCluster); of[s] == "" {
			of[s] = id
			a.stations = append(a.stations, id)
		}
	}
	for _, id := range a.stations {
		if _, err := a.client.RecordObservations(t.Context(), &mesonetv1.RecordObservationsRequest{Observations: []*mesonetv1.Observation{
			{Station: id, Time: timestamppb.New(hourOf(0)), Values: map[string]float64{"precipitation_1h": 1}},
		}}); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	return a
}

// ask asks for the rain of a station, which is known.
func (a *askers) ask(ctx context.Context, c *client, station string, consistency mesonetv1.Consistency) error {
	r, err := c.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{
		Station: station, Year: int32(rainBegin.Year()), Read: &mesonetv1.Read{Consistency: consistency},
	})
	if err == nil && (r.GetObservations() != 1 || r.GetMillimetres() != 1) {
		err = fmt.Errorf("station %s has %v mm of %d readings, want 1 of 1", station, r.GetMillimetres(), r.GetObservations())
	}
	return err
}

// start starts the askers; they run until stop is called or ctx ends.
func (a *askers) start(ctx context.Context) {
	ctx, a.cancel = context.WithCancel(ctx)
	for _, station := range a.stations {
		a.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				begun := time.Now()
				// A question that is under way when the test is over is answered all
				// the same.
				err := a.ask(context.WithoutCancel(ctx), a.client, station, mesonetv1.Consistency(1+n%2))
				a.took(station, time.Since(begun), err)
				_ = clock.Sleep(ctx, clock.System(), 50*time.Millisecond)
			}
		})
	}
}

func (a *askers) took(station string, took time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.worst = max(a.worst, took)
	if err != nil {
		if a.fails++; a.fails <= 5 {
			a.failed = append(a.failed, fmt.Sprintf("%s after %v: %v", station, took, err))
		}
	}
}

// mark returns what failed since it was called last, and what an answer took at the
// most.
func (a *askers) mark() (fails int, failed []string, worst time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fails, failed, worst = a.fails, a.failed, a.worst
	a.fails, a.failed, a.worst = 0, nil, 0
	return fails, failed, worst
}

func (a *askers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}

func (a *askers) stop() {
	if a.cancel != nil {
		a.cancel()
		a.running.Wait()
	}
}

// outage asks the nodes at addrs for a station of every shard, all at once, and
// returns when the last has answered. The stations' answers rest on a check that is
// begun after the question.
func (a *askers) outage(t *testing.T, addrs []string) time.Duration {
	t.Helper()
	begun := time.Now()
	var asking sync.WaitGroup
	errs := make([]error, len(a.stations))
	for i, station := range a.stations {
		c := clientOfAll(t, slices.Concat(addrs[i%len(addrs):], addrs[:i%len(addrs)]))
		asking.Go(func() {
			errs[i] = a.ask(t.Context(), c, station, mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE)
		})
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("not every station answers: %v", err)
	}
	return time.Since(begun)
}
