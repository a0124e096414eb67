package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

// store is a sink that keeps what it is sent, answers after a while, and fails
// as it is told to.
type store struct {
	mu       sync.Mutex
	held     map[string]map[weather.Minute][]weather.Value
	inFlight int // observations taken and not answered
	most     int // of them at any time
	longest  int // run

	delay func() time.Duration                   // before an answer; nil: at once
	fail  func(run StationRun) error             // instead of storing
	send  func(ctx context.Context, n int) error // what Send returns, after n batches
	sent  int                                    // batches
}

func newStore() *store { return &store{held: map[string]map[weather.Minute][]weather.Value{}} }

func (s *store) Send(ctx context.Context, batch []StationRun, done func([]Outcome)) error {
	if s.send != nil { // without the lock, for it may wait
		if err := s.send(ctx, s.sent); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	outcomes := make([]Outcome, len(batch))
	n := 0
	for i, run := range batch {
		outcomes[i] = s.take(run)
		n += run.Run.Len()
		s.longest = max(s.longest, run.Run.Len())
	}
	s.inFlight += n
	s.most = max(s.most, s.inFlight)
	answer := func() {
		s.mu.Lock()
		s.inFlight -= n
		s.mu.Unlock()
		done(outcomes)
		done(nil) // a second time does nothing
	}
	if s.delay == nil {
		go answer()
		return nil
	}
	time.AfterFunc(s.delay(), answer)
	return nil
}

// take stores a run, or does not.
func (s *store) take(run StationRun) (o Outcome) {
	if s.fail != nil {
		if o.Err = s.fail(run); o.Err != nil {
			return o
		}
	}
	return s.keep(run)
}

func (s *store) keep(run StationRun) (o Outcome) {
	held := s.held[run.Station]
	if held == nil {
		held = map[weather.Minute][]weather.Value{}
		s.held[run.Station] = held
	}
	for i, t := range run.Run.Times {
		row := make([]weather.Value, 9)
		for m := range row {
			row[m] = run.Run.Value(i, weather.MeasureID(m))
		}
		switch old, known := held[t]; {
		case !known:
			o.Stored++
		case slices.Equal(old, row):
			o.Duplicates++
		default:
			o.Corrected++
		}
		held[t] = row
	}
	return o
}

// tiny is a configuration in which everything happens with few readings.
func tiny() Config {
	cfg := DefaultConfig()
	cfg.RunLength, cfg.BatchLength, cfg.Buffer, cfg.InFlight = 3, 5, 20, 10
	return cfg
}

func TestLoadSample(t *testing.T) {
	s := newStore()
	archive := write(t, "sample.csv.gz", sampledata.ObservationsArchive())
	file := openOne(t, archive)
	var last Progress
	cfg := DefaultConfig()
	cfg.Progress = func(p Progress) { last = p }
	again := Memory("again", observations(t))
	got, err := Load(t.Context(), []Source{file, again}, s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{
		Files: 2, Lines: 35_136, Bytes: 2 * file.Size(), Readings: 35_136, Stored: 17_568, Duplicates: 17_568,
		Elapsed: got.Elapsed, Rate: got.Rate,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || got.Rate <= 0 || got.Elapsed <= 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s.longest > DefaultConfig().RunLength || s.most > 1<<16 {
		t.Errorf("runs of %d, %d in flight", s.longest, s.most)
	}
	if last.FilesDone != 2 || last.Files != 2 || last.File != "again" || last.BytesRead != last.BytesTotal ||
		last.Readings != 35_136 || last.Acknowledged != 35_136 || last.Left != 0 {
		t.Errorf("the last progress is %+v", last)
	}
	if len(s.held) != 2 || len(s.held[sampledata.NewYork]) != 8784 {
		t.Errorf("%d stations", len(s.held))
	}
}

// lines of the format for a few stations and hours, of which many repeat with
// another temperature: what is stored depends on the order.
func contested(t *rapid.T) (text string, want *store) {
	var b strings.Builder
	want = newStore()
	k := NewKillrWeather()
	for range rapid.IntRange(0, 120).Draw(t, "lines") {
		line := fmt.Sprintf("s%d,2008,1,1,%d,%d.0,1.0,1000.0,10,1.0,1,0.0,0.0",
			rapid.IntRange(0, 3).Draw(t, "station"), rapid.IntRange(0, 5).Draw(t, "hour"), rapid.IntRange(1, 30).Draw(t, "temperature"))
		var r Reading
		if err := k.Parse([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		run := &weather.Run{}
		run.Append(r.Time, r.Values...)
		want.take(StationRun{r.Station, run})
		b.WriteString(line + "\n")
	}
	return b.String(), want
}

// Whatever fails for a while and however late answers come, in the end each
// station holds what it would had its readings come one by one.
func TestLoadKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, want := contested(rt)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		failures := rapid.IntRange(0, 50).Draw(rt, "percent of failures")
		batches := rapid.Bool().Draw(rt, "batches fail too")
		s := unreliable(random, failures, batches)
		half := len(text) / 2
		half += strings.IndexByte(text[half:], '\n') + 1
		sources := []Source{Memory("a", []byte(text[:half])), Stream("b", strings.NewReader(text[half:]))}
		var summary Summary
		var err error
		synctest.Test(t, func(t *testing.T) { summary, err = Load(t.Context(), sources, s, tiny()) })
		if err != nil {
			rt.Fatal(err)
		}
		if n := int64(strings.Count(text, "\n")); summary.Readings != n || summary.Acknowledged() != n {
			rt.Fatalf("%d readings, %d acknowledged; want %d", summary.Readings, summary.Acknowledged(), n)
		}
		if s.most > 10 || s.longest > 3 {
			rt.Fatalf("%d in flight, runs of %d", s.most, s.longest)
		}
		for station, held := range want.held {
			for when, row := range held {
				if !slices.Equal(s.held[station][when], row) {
					rt.Fatalf("%s holds %v at %s, want %v", station, s.held[station][when], when, row)
				}
			}
		}
	})
}

// unreliable returns a store that answers late and fails in so many cases of a
// hundred. In half of them what failed has taken effect all the same.
func unreliable(random *rand.Rand, failures int, batches bool) *store {
	s := newStore()
	s.delay = func() time.Duration { return time.Duration(random.IntN(100)) * time.Millisecond }
	s.fail = func(run StationRun) error {
		if random.IntN(100) >= failures {
			return nil
		}
		if random.IntN(2) == 0 {
			s.keep(run)
		}
		return fmt.Errorf("a shard moves: %w", ErrRetry)
	}
	s.send = func(context.Context, int) error {
		if batches && random.IntN(100) < failures {
			return fmt.Errorf("overloaded: %w", ErrRetry)
		}
		return nil
	}
	return s
}

const unknownStation = "no such station: register it first"

func TestLoadCountsWhatIsRefused(t *testing.T) {
	s := newStore()
	s.fail = func(run StationRun) error {
		if run.Station == sampledata.SanFrancisco {
			return errors.New(unknownStation)
		}
		return nil
	}
	text := slices.Concat(observations(t), []byte("garbage\nmore,garbage\n"))
	cfg := DefaultConfig()
	cfg.MaxErrors = 1
	var malformed []Quarantined
	refused := map[int64]Quarantined{}
	cfg.Quarantine = func(q Quarantined) error {
		if q.Reading == nil {
			malformed = append(malformed, q)
		} else {
			refused[q.Line] = q
		}
		return nil
	}
	got, err := Load(t.Context(), []Source{Memory("sample", text)}, s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Refusal{{sampledata.SanFrancisco, unknownStation, 8784}}; !slices.Equal(got.Refusals, want) || got.Refused != 8784 || got.Stored != 8784 {
		t.Errorf("refused %d, %v; stored %d", got.Refused, got.Refusals, got.Stored)
	}
	if got.Malformed != 2 || len(got.LineErrors) != 1 || got.LineErrors[0].Line != 17_569 || got.LineErrors[0].File != "sample" {
		t.Errorf("%d malformed: %v", got.Malformed, got.LineErrors)
	}
	want := []Quarantined{
		{Source: "sample", Line: 17_569, Text: []byte("garbage"), Reason: "1 columns, where the killrweather format has 13", Format: "killrweather"},
		{Source: "sample", Line: 17_570, Text: []byte("more,garbage"), Reason: "2 columns, where the killrweather format has 13", Format: "killrweather"},
	}
	if diff := cmp.Diff(want, malformed); diff != "" {
		t.Errorf("the quarantine of malformed lines is not what is wanted:\n%s", diff)
	}
	checkRefused(t, bytes.Split(text, []byte("\n")), refused)
}

// checkRefused compares readings that were refused with the lines they are of.
func checkRefused(t *testing.T, lines [][]byte, refused map[int64]Quarantined) {
	t.Helper()
	if len(refused) != 8784 {
		t.Errorf("%d readings are in the quarantine, want 8,784", len(refused))
	}
	k := NewKillrWeather()
	for number, got := range refused {
		var r Reading
		if err := k.Parse(lines[number-1], &r); err != nil {
			t.Fatal(err)
		}
		want := Quarantined{Source: "sample", Line: number, Reason: unknownStation, Format: "killrweather", Reading: &r}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("line %d:\n%s", number, diff)
		}
	}
}

// Reasons that are all different must not fill the memory.
func TestRefusalsAreBounded(t *testing.T) {
	r := refusals{counts: map[Refusal]int64{}, most: 2}
	for i := range int64(10) {
		r.add("s", fmt.Sprint(9-i), 1)
		r.add("s", "9", 1)
	}
	want := []Refusal{{"s", "8", 1}, {"s", "9", 11}, {"", "more stations and reasons than are told apart", 8}}
	if got := r.list(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoadGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("shard 7 has no owner")
		s := newStore()
		s.fail = func(run StationRun) error {
			if run.Station == sampledata.NewYork {
				return fmt.Errorf("%w: %w", away, ErrRetry)
			}
			return nil
		}
		begun := time.Now()
		got, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, s, DefaultConfig())
		if took := time.Since(begun); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("it took %s, want 2 minutes and a pause", took)
		}
		if !errors.Is(err, away) || !strings.Contains(err.Error(), sampledata.NewYork) {
			t.Errorf("got %v", err)
		}
		if got.Stored == 0 || got.Stored != int64(len(s.held[sampledata.SanFrancisco])) || len(s.held[sampledata.NewYork]) != 0 {
			t.Errorf("%d stored, but %d are held", got.Stored, len(s.held[sampledata.SanFrancisco]))
		}
	})
}

// A store that comes back is found in time, with pauses that grow.
func TestLoadOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, begun, attempts := newStore(), time.Now(), 0
		s.send = func(context.Context, int) error {
			if attempts++; time.Since(begun) < time.Minute {
				return fmt.Errorf("the store restarts: %w", ErrRetry)
			}
			return nil
		}
		cfg := tiny()
		got, err := Load(t.Context(), []Source{Memory("sample", observations(t)[:10_000])}, s, cfg)
		if err != nil || got.Acknowledged() != got.Readings-got.Refused || got.Stored == 0 {
			t.Errorf("%+v, %v", got, err)
		}
		// 0.05+0.1+…+3.2 s and then 5 s each: 6 and 11 pauses, for 4 batches in flight.
		if n := attempts - s.sent; n < 10 || n > 100 {
			t.Errorf("%d attempts failed", n)
		}
	})
}

func TestLoadHonoursItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupted")
		s := newStore()
		s.delay = func() time.Duration { return time.Hour } // no answer comes in time
		time.AfterFunc(time.Second, func() { cancel(interrupted) })
		got, err := Load(ctx, []Source{Memory("sample", observations(t))}, s, DefaultConfig())
		if !errors.Is(err, interrupted) || got.Acknowledged() != 0 {
			t.Errorf("%d acknowledged, %v", got.Acknowledged(), err)
		}
		if s.most > 1<<16 {
			t.Errorf("%d in flight", s.most)
		}
		<-time.After(2 * time.Hour) // the answers come when nobody waits for them
		synctest.Wait()
	})
}

// A sink that waits in Send holds the load up, and not for longer than ctx.
func TestLoadWaitsForTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := newStore()
		s.send = func(ctx context.Context, n int) error {
			if n < 2 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		var reports []time.Duration
		cfg := DefaultConfig()
		cfg.Progress = func(p Progress) { reports = append(reports, p.Elapsed) }
		got, err := Load(ctx, []Source{Memory("sample", observations(t))}, s, cfg)
		held := int64(len(s.held[sampledata.NewYork]) + len(s.held[sampledata.SanFrancisco]))
		if !errors.Is(err, context.DeadlineExceeded) || s.sent != 2 || got.Stored != held {
			t.Errorf("%d batches sent, %d stored, %v; want 2 and %d", s.sent, got.Stored, err, held)
		}
		if len(reports) < 500 || len(reports) > 601 {
			t.Errorf("%d reports in a minute, want one each 100 ms", len(reports))
		}
	})
}

func TestLoadEndsWithTheSink(t *testing.T) {
	full := errors.New("disk full")
	for name, s := range map[string]*store{
		"at once": {send: func(context.Context, int) error { return full }},
		"later": {held: newStore().held, send: func(_ context.Context, n int) error {
			if n < 2 {
				return nil
			}
			return full
		}},
	} {
		if _, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, s, DefaultConfig()); !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, mute{}, DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), "0 outcomes for 16 runs") {
		t.Errorf("a sink that answers nothing: %v", err)
	}
}

type mute struct{}

func (mute) Send(_ context.Context, _ []StationRun, done func([]Outcome)) error {
	done(nil)
	return nil
}

// What was read before a source fails is stored.
func TestLoadStoresWhatWasRead(t *testing.T) {
	broken := errors.New("broken disk")
	half := observations(t)[:500_000]
	half = half[:bytes.LastIndexByte(half, '\n')+1]
	s := newStore()
	sources := []Source{
		Stream("first", io.MultiReader(bytes.NewReader(half), iotest.ErrReader(broken))),
		Memory("second", observations(t)),
	}
	got, err := Load(t.Context(), sources, s, DefaultConfig())
	if want := int64(bytes.Count(half, []byte("\n"))); !errors.Is(err, broken) || !strings.Contains(err.Error(), "first") || got.Stored != want || got.Files != 0 {
		t.Errorf("%d stored of %d files, %v; want %d", got.Stored, got.Files, err, want)
	}
	used := Stream("used", strings.NewReader(""))
	if _, err := used.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), []Source{used}, s, DefaultConfig()); err == nil || !strings.Contains(err.Error(), "opening used") {
		t.Errorf("a source that does not open: %v", err)
	}
}

func TestLoadOfNothing(t *testing.T) {
	calls := 0
	cfg := DefaultConfig()
	cfg.Progress = func(Progress) { calls++ }
	got, err := Load(t.Context(), nil, newStore(), cfg)
	if err != nil || got.Readings != 0 || calls != 1 {
		t.Errorf("%+v, %v, %d reports; want one", got, err, calls)
	}
}

func TestProgressLeft(t *testing.T) {
	p := Progress{BytesRead: 500, BytesTotal: 1000, Readings: 100, Acknowledged: 50, Elapsed: time.Minute}
	if got := p.left(); got != 3*time.Minute { // a quarter took a minute
		t.Errorf("%s are left, want 3 minutes", got)
	}
	for _, p := range []Progress{{}, {BytesRead: 5, BytesTotal: -1, Readings: 1, Acknowledged: 1}, {BytesTotal: 5, Readings: 5}} {
		if got := p.left(); got != -1 {
			t.Errorf("%+v: %s are left", p, got)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	good := DefaultConfig()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"Format":        func(c *Config) { c.Format = nil },
		"RunLength":     func(c *Config) { c.RunLength = 0 },
		"BatchLength":   func(c *Config) { c.BatchLength = 63 },
		"Buffer":        func(c *Config) { c.Buffer = 0 },
		"InFlight":      func(c *Config) { c.InFlight = 4095 },
		"RetryFirst":    func(c *Config) { c.RetryFirst = 0 },
		"RetryMost":     func(c *Config) { c.RetryMost = time.Millisecond },
		"RetryFor":      func(c *Config) { c.RetryFor = -1 },
		"MaxErrors":     func(c *Config) { c.MaxErrors = -1 },
		"ResumeEvery":   func(c *Config) { c.ResumeEvery = 0 },
		"ProgressEvery": func(c *Config) { c.ProgressEvery = 0 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := Load(t.Context(), nil, newStore(), cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a wrong %s: %v", name, err)
		}
	}
}

// instant is a sink that takes everything and keeps nothing.
type instant struct{}

func (instant) Send(_ context.Context, batch []StationRun, done func([]Outcome)) error {
	outcomes := make([]Outcome, len(batch))
	for i, run := range batch {
		outcomes[i].Stored = run.Run.Len()
	}
	done(outcomes)
	return nil
}

func BenchmarkLoad(b *testing.B) {
	text := bytes.Repeat(observations(b), 10)
	n := int64(0)
	for b.Loop() {
		s, err := Load(b.Context(), []Source{Memory("sample", text)}, instant{}, DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		n += s.Readings
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
}
