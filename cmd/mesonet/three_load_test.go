package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	remote "github.com/mesonet/mesonet/client"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// told is what a client was told of one reading.
type told uint8

const (
	unsent  told = iota
	absent       // unavailable: it did not happen
	perhaps      // unknown, or still to be answered
	acked
)

// perLoader is how many stations a loader has: enough for several shards.
const perLoader = 4

// loader sends readings, an hour of each of its stations at a time, and keeps for
// each what it was told. Reading n is of station n%perLoader. Every reading has
// 1 mm of rain, so that a sum of rain is a number of readings.
type loader struct {
	name     string
	patience time.Duration // what a call may take, 0 for any time
	again    bool          // sends again what was not acknowledged
	batches  bool          // sends over IngestService
	retries  bool          // its client sends again by itself what may have been stored

	// via sends readings in another way than these, when it is set.
	via func(ctx context.Context, l *loader, numbers []int) (fresh []bool, errs []error)

	load   *load
	client *client
	stream mesonetv1.IngestService_IngestClient

	mu    sync.Mutex
	told  []told
	sent  map[year]int
	acked map[year]int
}

// year is a station's.
type year struct {
	station string
	year    int
}

func (l *loader) station(n int) string { return fmt.Sprintf("%s:%d", l.name, n%perLoader) }

func hourOf(n int) time.Time { return rainBegin.Add(time.Duration(n/perLoader) * time.Hour) }

func (l *loader) yearOf(n int) year { return year{l.station(n), hourOf(n).Year()} }

// tenths of a degree that a reading has tell it from its neighbours.
func tenths(n int) int32 { return int32(n % 307) }

func (l *loader) run(ctx context.Context) {
	for !l.load.stopping.Load() && ctx.Err() == nil {
		l.mu.Lock()
		first := len(l.told)
		l.mu.Unlock()
		numbers := make([]int, perLoader)
		for i := range numbers {
			numbers[i] = first + i
		}
		for len(numbers) > 0 && ctx.Err() == nil {
			if numbers = l.send(ctx, numbers); len(numbers) == 0 {
				continue
			}
			if !l.again || l.load.stopping.Load() {
				numbers = nil
			}
			select {
			case <-time.After(50 * time.Millisecond): // a server that is not there refuses at once
			case <-ctx.Done():
			}
		}
	}
}

// send sends readings and returns those that were not acknowledged.
func (l *loader) send(ctx context.Context, numbers []int) (open []int) {
	was := make([]told, len(numbers))
	l.mu.Lock()
	for i, n := range numbers {
		if n == len(l.told) {
			l.told = append(l.told, unsent)
			l.sent[l.yearOf(n)]++
		}
		was[i], l.told[n] = l.told[n], perhaps
	}
	l.mu.Unlock()
	if l.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.patience)
		defer cancel()
	}
	outcomes := l.call
	switch {
	case l.via != nil:
		outcomes = func(ctx context.Context, numbers []int) ([]bool, []error) { return l.via(ctx, l, numbers) }
	case l.batches:
		outcomes = l.batch
	}
	news, errs := outcomes(ctx, numbers)
	for i, n := range numbers {
		if !l.learn(n, was[i], news[i], errs[i]) {
			open = append(open, n)
		}
	}
	return open
}

// learn takes down what was told of a reading, and whether it was new.
func (l *loader) learn(n int, was told, fresh bool, err error) (done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		if !fresh && was != perhaps && !l.retries {
			l.load.fail("%s at %s was stored, and could not have been there before", l.station(n), hourOf(n))
		}
		l.told[n] = acked
		l.acked[l.yearOf(n)]++
		l.load.acked.Add(1)
		return true
	case errors.Is(err, remote.ErrUnknown):
		l.load.unknown.Add(1)
	case errors.Is(err, remote.ErrUnavailable), errors.Is(err, remote.ErrOverloaded):
		l.load.unavailable.Add(1)
		if was != perhaps {
			l.told[n] = absent
		}
	default:
		l.load.fail("a reading of %s came to %v", l.station(n), err)
	}
	return false
}

// call records the readings in one call.
func (l *loader) call(ctx context.Context, numbers []int) (fresh []bool, errs []error) {
	fresh, errs = make([]bool, len(numbers)), make([]error, len(numbers))
	request := &mesonetv1.RecordObservationsRequest{}
	for _, n := range numbers {
		request.Observations = append(request.Observations, &mesonetv1.Observation{
			Station: l.station(n), Time: timestamppb.New(hourOf(n)),
			Values: map[string]float64{"precipitation_1h": 1, "temperature": float64(tenths(n)) / 10},
		})
	}
	r, err := l.client.RecordObservations(ctx, request)
	for i := range numbers {
		if errs[i] = err; err != nil {
			continue
		}
		outcome := r.GetOutcomes()[i]
		errs[i] = remote.OfFailure(outcome.GetFailure())
		fresh[i] = outcome.GetStatus() == mesonetv1.RecordOutcome_STATUS_STORED
		if outcome.GetStatus() == mesonetv1.RecordOutcome_STATUS_CORRECTED {
			l.load.fail("a reading of %s took the place of another", l.station(numbers[i]))
		}
	}
	return fresh, errs
}

// batch sends the readings on a stream, which it opens again when it has broken.
func (l *loader) batch(ctx context.Context, numbers []int) (fresh []bool, errs []error) {
	fresh, errs = make([]bool, len(numbers)), make([]error, len(numbers))
	request := &mesonetv1.IngestRequest{Number: uint64(numbers[0])}
	for _, n := range numbers {
		request.Readings = append(request.Readings, &mesonetv1.Readings{
			Station: l.station(n), Minutes: []int64{hourOf(n).Unix() / 60},
			Columns: []*mesonetv1.Column{
				{Measure: "precipitation_1h", Values: []int32{10}},
				{Measure: "temperature", Values: []int32{tenths(n)}},
			},
		})
	}
	r, err := l.exchange(ctx, request)
	if err == nil && (r.GetNumber() != request.GetNumber() || len(r.GetOutcomes()) != len(numbers)) {
		l.load.fail("batch %d is answered by %v", request.GetNumber(), r)
	}
	for i := range numbers {
		if errs[i] = err; err == nil {
			errs[i] = remote.OfFailure(r.GetOutcomes()[i].GetFailure())
			fresh[i] = r.GetOutcomes()[i].GetStored() == 1
		}
	}
	return fresh, errs
}

func (l *loader) exchange(ctx context.Context, request *mesonetv1.IngestRequest) (r *mesonetv1.IngestResponse, err error) {
	if l.stream == nil {
		if l.stream, err = mesonetv1.NewIngestServiceClient(l.client.Conn()).Ingest(ctx); err != nil {
			l.stream = nil
			return nil, err
		}
	}
	// What broke a stream is told when one receives.
	if err = l.stream.Send(request); err == nil || errors.Is(err, io.EOF) {
		r, err = l.stream.Recv()
	}
	if err != nil {
		l.stream = nil
	}
	return r, err
}

// load is several loaders at one server, beside somebody who asks.
type load struct {
	loaders              []*loader
	asker                *client
	running              sync.WaitGroup
	stopping             atomic.Bool
	acked                atomic.Int64
	unknown, unavailable atomic.Int64
	answered, unanswered atomic.Int64

	mu     sync.Mutex
	failed []string // what must not be, the first few
}

// newLoad returns a load on the server at addr: one who waits as long as it takes,
// one who has little patience and does not come back to what was not acknowledged,
// one who does, and one with a stream.
func newLoad(t *testing.T, addr string) *load {
	t.Helper()
	w := &load{}
	for _, l := range []*loader{
		{name: "waits", patience: 5 * time.Minute, again: true},
		{name: "hurries", patience: 2 * time.Second},
		{name: "returns", patience: 2 * time.Second, again: true},
		{name: "streams", batches: true, again: true},
	} {
		l.load, l.client, l.sent, l.acked = w, clientOf(t, addr), make(map[year]int), make(map[year]int)
		w.loaders = append(w.loaders, l)
	}
	w.asker = clientOf(t, addr)
	return w
}

func clientOf(t *testing.T, addr string) *client {
	t.Helper()
	c, err := dial(addr, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// start starts the load; it runs until stop is called, or ctx ends.
func (w *load) start(ctx context.Context, seed uint64) {
	w.stopping.Store(false)
	for _, l := range w.loaders {
		w.running.Go(func() { l.run(ctx) })
	}
	w.running.Go(func() { w.ask(ctx, rand.New(rand.NewPCG(seed, 1))) })
}

// stop returns when all calls have been answered.
func (w *load) stop() {
	w.stopping.Store(true)
	w.running.Wait()
}

// fail takes down what must not be; the test fails with it.
func (w *load) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failed) < 10 {
		w.failed = append(w.failed, fmt.Sprintf(format, args...))
	}
}

func (w *load) failures() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// ask asks for sums of rain. An answer has all readings that were acknowledged
// before the question, and none that was not sent by the time it comes.
func (w *load) ask(ctx context.Context, rng *rand.Rand) {
	for !w.stopping.Load() && ctx.Err() == nil {
		l := w.loaders[rng.IntN(len(w.loaders))]
		l.mu.Lock()
		n := len(l.told)
		if n == 0 {
			l.mu.Unlock()
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		y := l.yearOf(rng.IntN(n))
		least := l.acked[y]
		l.mu.Unlock()
		patience, cancel := context.WithTimeout(ctx, 2*time.Second)
		r, err := w.asker.GetPrecipitation(patience, &mesonetv1.GetPrecipitationRequest{
			Station: y.station, Year: int32(y.year), Read: &mesonetv1.Read{Consistency: mesonetv1.Consistency(1 + rng.IntN(2))},
		})
		cancel()
		l.mu.Lock()
		most := l.sent[y]
		l.mu.Unlock()
		switch {
		case err == nil:
			w.answered.Add(1)
			if got := int(r.GetObservations()); got < least || got > most || r.GetMillimetres() != float64(got) {
				w.fail("%s has %v mm of %d readings in %d, and %d were acknowledged and %d sent", y.station, r.GetMillimetres(), got, y.year, least, most)
			}
		case errors.Is(err, remote.ErrUnavailable), errors.Is(err, remote.ErrOverloaded):
			w.unanswered.Add(1)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		case errors.Is(err, remote.ErrNotFound):
			if least > 0 {
				w.fail("%s is said to have no rain in %d, and %d readings were acknowledged: %v", y.station, y.year, least, err)
			}
		default:
			w.fail("the rain of %s came to %v", y.station, err)
		}
	}
}

// check compares what the server holds with what was told. What is found is known
// to be there from then on.
func (w *load) check(t *testing.T, addr string) {
	t.Helper()
	c := clientOf(t, addr)
	total := map[told]int{}
	found := 0
	for _, l := range w.loaders {
		for s := range min(perLoader, len(l.told)) {
			for _, n := range l.held(t, c, s) {
				if was := l.told[n]; was == unsent || was == absent {
					t.Errorf("%s at %s is there, and nothing was sent or it was said not to have happened", l.station(n), hourOf(n))
				} else if was == perhaps {
					l.told[n] = acked
					l.acked[l.yearOf(n)]++
				}
				total[l.told[n]]--
				found++
			}
		}
		for _, is := range l.told {
			total[is]++
		}
	}
	if lost := total[acked]; lost != 0 {
		t.Errorf("%d readings were acknowledged and are gone", lost)
	}
	t.Logf("%d readings are there; %d are not of which it was unknown, and %d that were said not to be; told in all: unknown %d, unavailable %d; questions answered %d, not %d",
		found, total[perhaps], total[absent], w.unknown.Load(), w.unavailable.Load(), w.answered.Load(), w.unanswered.Load())
}

// held returns the numbers of the readings that the server has of a station.
func (l *loader) held(t *testing.T, c *client, s int) (numbers []int) {
	t.Helper()
	seen := make(map[int]bool)
	request := &mesonetv1.ListObservationsRequest{Station: l.station(s), PageSize: 10000}
	give := time.Now().Add(3 * time.Minute)
	for {
		r, err := c.ListObservations(t.Context(), request)
		switch {
		case errors.Is(err, remote.ErrNotFound) && len(l.acked) == 0:
			return nil
		case errors.Is(err, remote.ErrUnavailable) && time.Now().Before(give): // a shard may begin anew
			<-time.After(50 * time.Millisecond)
			continue
		case err != nil:
			t.Fatalf("%s can't be listed: %v", l.station(s), err)
		}
		for _, o := range r.GetObservations() {
			n := int(o.GetTime().AsTime().Sub(rainBegin)/time.Hour)*perLoader + s
			if n < 0 || n >= len(l.told) || seen[n] || !o.GetTime().AsTime().Equal(hourOf(n)) {
				t.Fatalf("%s has an observation of %s that was not sent, or twice", l.station(s), o.GetTime().AsTime())
			}
			got := o.GetValues()
			if weather.Value(got["temperature"]*10+0.5) != weather.Value(tenths(n)) || got["precipitation_1h"] != 1 {
				t.Errorf("%s at %s has %v", l.station(s), hourOf(n), got)
			}
			seen[n] = true
			numbers = append(numbers, n)
		}
		if request.PageToken = r.GetNextPageToken(); request.GetPageToken() == "" {
			return numbers
		}
	}
}

// count is how many readings were acknowledged.
func (l *loader) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.acked {
		n += of
	}
	return n
}

// more returns what reports whether each loader had n readings more acknowledged.
func (w *load) more(n int) func() bool {
	want := make([]int, len(w.loaders))
	for i, l := range w.loaders {
		want[i] = l.count() + n
	}
	return func() bool {
		for i, l := range w.loaders {
			if l.count() < want[i] {
				return false
			}
		}
		return true
	}
}
