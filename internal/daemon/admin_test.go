package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// get asks an admin listener and returns the code and the text. Its connection
// does not outlive it.
func get(t testing.TB, addr, path string) (int, string) {
	t.Helper()
	code, text, err := tryGet(t.Context(), addr, path)
	if err != nil {
		t.Fatal(err)
	}
	return code, text
}

func tryGet(ctx context.Context, addr, path string) (int, string, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func (c *client) expect(t *testing.T, path string, code int, text string) {
	t.Helper()
	if gotCode, got := get(t, c.AdminAddr(), path); gotCode != code || got != text {
		t.Errorf("%s: %d %q, want %d %q", path, gotCode, got, code, text)
	}
}

// series is what a scrape found, by name and labels as they are written.
type series map[string]float64

var sampleLine = regexp.MustCompile(`^([a-z_]+(?:\{.*\})?) (\S+)$`)

func scrape(t testing.TB, addr string) series {
	t.Helper()
	code, text := get(t, addr, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("scrape: %d %s", code, text)
	}
	found := series{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("this is no sample: %s", line)
		}
		value, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		found[m[1]] = value
	}
	return found
}

func (s series) want(t *testing.T, when string, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if got, ok := s[name]; !ok || got != value {
			t.Errorf("%s: %s is %v (found: %v), want %v", when, name, got, ok, value)
		}
	}
}

// above compares with what is only known to be exceeded.
func (s series) above(t *testing.T, when string, least map[string]float64) {
	t.Helper()
	for name, value := range least {
		if got, ok := s[name]; !ok || got <= value {
			t.Errorf("%s: %s is %v (found: %v), want more than %v", when, name, got, ok, value)
		}
	}
}

// watchHealth returns a function that waits for the next status, and one that
// ends watching. A status that does not come within half a minute fails the test.
func (c *client) watchHealth(t *testing.T) (next func() healthv1.HealthCheckResponse_ServingStatus, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	stream, err := healthv1.NewHealthClient(c.conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return func() healthv1.HealthCheckResponse_ServingStatus {
		r, err := stream.Recv()
		if err != nil {
			t.Fatalf("watching health: %v", err)
		}
		return r.GetStatus()
	}, cancel
}

const (
	serving    = healthv1.HealthCheckResponse_SERVING
	notServing = healthv1.HealthCheckResponse_NOT_SERVING
)

// A node as its operator sees it over a load, while scrapes go on, and over a
// restart.
func TestAdminOverALoad(t *testing.T) {
	dir := t.TempDir()
	all := sample(t)
	cfg := config(dir)
	cfg.AutoRegister, cfg.Version = true, "v1.2.3"
	c := startWith(t, cfg)
	c.expect(t, "/livez", http.StatusOK, "ok\n")
	c.expect(t, "/readyz", http.StatusOK, "ok\n")
	c.expect(t, "/readyz?verbose", http.StatusOK, "[+] daemon: serving\n[+] store: works\n[+] shards: 8 of 8 open\nok\n")
	scrape(t, c.AdminAddr()).want(t, "at first", map[string]float64{
		"mesonet_shards": 8, "mesonet_shards_open": 8, "mesonet_shards_stopped": 0, "mesonet_shard_openings_total": 8,
		`mesonet_entities_awake{kind="station"}`: 0, `mesonet_entity_wakeups_total{kind="station"}`: 0,
		`mesonet_observations_total{outcome="stored"}`: 0, "mesonet_log_frames_total": 1, // of the catalogue of measures
	})

	var loading atomic.Bool
	loading.Store(true)
	var scrapes sync.WaitGroup
	for range 2 {
		scrapes.Go(func() {
			for stored := 0.0; loading.Load(); {
				s := scrape(t, c.AdminAddr())
				if now := s[`mesonet_observations_total{outcome="stored"}`]; now < stored {
					t.Errorf("a counter went from %v to %v", stored, now)
				} else {
					stored = now
				}
			}
		})
	}
	c.load(t, all)
	c.load(t, all[:1000])
	loading.Store(false)
	scrapes.Wait()
	if _, err := c.weather.GetPrecipitation(t.Context(), &mesonetv1.GetPrecipitationRequest{Station: sampledata.NewYork, Year: 2008}); err != nil {
		t.Error(err)
	}
	if _, err := c.weather.GetPrecipitation(t.Context(), &mesonetv1.GetPrecipitationRequest{Station: "9:9", Year: 2008}); err == nil {
		t.Error("a station that is not there answers")
	}
	const rain = `method="mesonet.v1.WeatherService/GetPrecipitation"`
	const ingest = `method="mesonet.v1.IngestService/Ingest"`
	batches := float64((len(all)+499)/500 + 2)
	s := scrape(t, c.AdminAddr())
	s.want(t, "after the load", map[string]float64{
		`mesonet_observations_total{outcome="stored"}`:    float64(len(all)),
		`mesonet_observations_total{outcome="duplicate"}`: 1000,
		`mesonet_observations_total{outcome="corrected"}`: 0,
		`mesonet_observations_total{outcome="refused"}`:   0,
		`mesonet_observations_total{outcome="failed"}`:    0,
		`mesonet_entities_awake{kind="station"}`:          3, // 9:9 was asked
		`mesonet_entity_wakeups_total{kind="station"}`:    3,
		"mesonet_entities_corrupt":                        0,
		"mesonet_shard_losses_total":                      0,
		"mesonet_page_store_errors_total":                 0,

		"mesonet_grpc_requests_total{code=\"OK\"," + rain + "}":                               1,
		"mesonet_grpc_requests_total{code=\"NotFound\"," + rain + "}":                         1,
		"mesonet_grpc_request_duration_seconds_count{" + rain + "}":                           2,
		"mesonet_grpc_requests_total{code=\"OK\"," + ingest + "}":                             2,
		"mesonet_grpc_stream_duration_seconds_count{" + ingest + "}":                          2,
		"mesonet_grpc_stream_messages_total{direction=\"received\"," + ingest + "}":           batches,
		"mesonet_grpc_stream_messages_total{direction=\"sent\"," + ingest + "}":               batches,
		"mesonet_grpc_requests_open{" + ingest + "}":                                          0,
		`mesonet_log_durable_duration_seconds_count`:                                          s["mesonet_log_frames_total"],
		`mesonet_log_durable_duration_seconds_bucket{le="+Inf"}`:                              s["mesonet_log_frames_total"],
		`mesonet_build_info{go_version="` + goVersion(t, s) + `",version="v1.2.3"}`:           1,
		`mesonet_entity_passivations_total{kind="station"}`:                                   0,
		`mesonet_entity_failures_total{kind="station"}`:                                       0,
		`mesonet_shard_recovery_duration_seconds_count`:                                       8,
		`mesonet_shard_recovery_events_total`:                                                 0,
		`mesonet_grpc_request_duration_seconds_bucket{` + rain + `,le="` + "+Inf" + `"` + `}`: 2,
	})
	s.above(t, "after the load", map[string]float64{
		"mesonet_log_frames_total": 1, "mesonet_log_events_total": 2, "mesonet_log_bytes_total": float64(len(all)),
		"go_goroutines": 1, "process_resident_memory_bytes": 1 << 20,
	})
	c.expectNoIDs(t, s, all)
	c.stop(t)
	if _, _, err := tryGet(t.Context(), c.AdminAddr(), "/livez"); err == nil {
		t.Error("a daemon that was stopped still answers")
	}

	c = startWith(t, cfg)
	defer c.stop(t)
	c.expect(t, "/readyz", http.StatusOK, "ok\n")
	scrape(t, c.AdminAddr()).want(t, "after the restart", map[string]float64{
		"mesonet_shards_open": 8, "mesonet_shard_openings_total": 8, "mesonet_log_frames_total": 0,
		`mesonet_entities_awake{kind="station"}`: 0, `mesonet_observations_total{outcome="stored"}`: 0,
	})
}

// goVersion finds the label in the series.
func goVersion(t *testing.T, s series) string {
	t.Helper()
	for name := range s {
		if found := regexp.MustCompile(`^mesonet_build_info\{go_version="(.*?)"`).FindStringSubmatch(name); found != nil {
			return found[1]
		}
	}
	t.Fatal("there is no mesonet_build_info")
	return ""
}

// expectNoIDs fails when the name of a station, or anything that looks like it,
// is in a label.
func (c *client) expectNoIDs(t *testing.T, s series, all []observation) {
	t.Helper()
	ids := map[string]bool{"9:9": true}
	for _, o := range all {
		ids[o.station] = true
	}
	for name := range s {
		for id := range ids {
			if strings.Contains(name, id) {
				t.Errorf("%s names a station", name)
			}
		}
	}
}

// faultyStore is a Pebble store with faults, closed at the end of the test.
func faultyStore(t *testing.T) *persistencetest.Faulty {
	t.Helper()
	cfg := pebble.DefaultConfig(t.TempDir())
	cfg.Shards, cfg.Logger = 8, slog.New(slog.DiscardHandler)
	store, err := pebble.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &persistencetest.Faulty{Store: store}
}

// A node that recovers answers on its admin listener, and is not ready. Mutation
// seen to fail: the admin listener served once the node has started.
func TestAdminWhileStarting(t *testing.T) {
	store := faultyStore(t)
	began, held := make(chan struct{}), make(chan struct{})
	begin, release := sync.OnceFunc(func() { close(began) }), sync.OnceFunc(func() { close(held) })
	store.Hook(persistencetest.Hooks{ReadPage: func(_ context.Context, key persistence.PageKey) error {
		if key.Shard == 3 { // the others are opened meanwhile
			begin()
			<-held
		}
		return nil
	}})
	addr := make(chan string, 1)
	cfg := config("").OnStore(store)
	cfg.Logger = slog.New(catch{slog.DiscardHandler, "health and metrics are served", "admin", addr})
	var starting sync.WaitGroup
	starting.Go(func() {
		d, err := daemon.Start(context.WithoutCancel(t.Context()), cfg)
		if err != nil {
			t.Error(err)
			begin()
			return
		}
		c := connect(t, d)
		c.expect(t, "/readyz", http.StatusOK, "ok\n")
		c.stop(t)
	})
	defer starting.Wait()
	defer release()
	<-began
	select {
	case admin := <-addr:
		if code, _ := get(t, admin, "/livez"); code != http.StatusOK {
			t.Errorf("livez: %d", code)
		}
		if code, text := get(t, admin, "/readyz"); code != http.StatusServiceUnavailable || !strings.HasPrefix(text, "the node is starting; ") {
			t.Errorf("readyz: %d %s", code, text)
		}
		if _, found := scrape(t, admin)["mesonet_shards"]; found {
			t.Error("the metrics tell of a node that is not there")
		}
	default:
		t.Error("nothing is served while the node starts")
	}
}

// catch is a handler that sends an attribute of a message on.
type catch struct {
	slog.Handler
	message, key string
	to           chan<- string
}

func (c catch) Enabled(context.Context, slog.Level) bool { return true }

func (c catch) Handle(_ context.Context, r slog.Record) error {
	if r.Message == c.message {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == c.key {
				c.to <- a.Value.String()
			}
			return true
		})
	}
	return nil
}

// A shard that is lost makes the node not ready, with the reason, until it is
// open again; gRPC health says the same. Mutation seen to fail: log of readiness
// handing the listener on as it is.
func TestReadyzOfALostShard(t *testing.T) {
	store := faultyStore(t)
	cfg := config("").OnStore(store)
	cfg.AutoRegister = true
	c := startWith(t, cfg)
	defer c.stop(t)
	next, _ := c.watchHealth(t)
	if got := next(); got != serving {
		t.Fatalf("health begins with %v", got)
	}
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	store.Hook(persistencetest.Hooks{
		Append: func(context.Context, persistence.Frame) error { return errors.New("the disk was away") },
		ReadPage: func(_ context.Context, key persistence.PageKey) error {
			if key.Kind == "" { // the checkpoint, with which opening begins
				<-held
			}
			return nil
		},
	})
	if outcome := c.send(t, "1:1"); outcome.GetFailure() == nil {
		t.Error("what was not written is acknowledged")
	}
	if got := next(); got != notServing {
		t.Errorf("after the loss, health is %v", got)
	}
	code, text := get(t, c.AdminAddr(), "/readyz")
	if code != http.StatusServiceUnavailable || !regexp.MustCompile(`^shard \d is being opened again: .*the disk was away\n$`).MatchString(text) {
		t.Errorf("readyz: %d %s", code, text)
	}
	c.expect(t, "/livez", http.StatusOK, "ok\n")
	scrape(t, c.AdminAddr()).want(t, "after the loss", map[string]float64{
		"mesonet_shards_open": 7, "mesonet_shard_losses_total": 1, `mesonet_observations_total{outcome="failed"}`: 1,
	})
	store.Hook(persistencetest.Hooks{})
	release()
	if got := next(); got != serving {
		t.Errorf("after the shard came back, health is %v", got)
	}
	c.expect(t, "/readyz", http.StatusOK, "ok\n")
	scrape(t, c.AdminAddr()).want(t, "after the shard came back", map[string]float64{"mesonet_shard_openings_total": 9, "mesonet_shard_losses_total": 1})
}

// send sends one observation and returns what became of it.
func (c *client) send(t *testing.T, station string) *mesonetv1.IngestOutcome {
	t.Helper()
	stream, err := c.ingest.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &mesonetv1.IngestRequest{Readings: []*mesonetv1.Readings{
		{Station: station, Minutes: []int64{20_000_000}, Columns: []*mesonetv1.Column{{Measure: "temperature", Values: []int32{122}}}},
	}}
	if err := errors.Join(stream.Send(request), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last acknowledgement: %v", err)
	}
	return response.GetOutcomes()[0]
}

// A store that has failed makes the node not ready, for good, and alive: it is
// seen what happened, until the daemon is stopped. Mutation seen to fail: fail
// not telling readiness.
func TestReadyzOfAFailedStore(t *testing.T) {
	store := faultyStore(t)
	cfg := config("").OnStore(store)
	cfg.AutoRegister = true
	c := startWith(t, cfg)
	next, end := c.watchHealth(t)
	if got := next(); got != serving {
		t.Fatalf("health begins with %v", got)
	}
	store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error {
		return fmt.Errorf("%w: no space left on device", persistence.ErrFailed)
	}})
	if outcome := c.send(t, "1:1"); outcome.GetFailure() == nil {
		t.Error("what was not written is acknowledged")
	}
	<-c.Done()
	if err := c.Err(); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("the daemon ends with %v", err)
	}
	if got := next(); got != notServing {
		t.Errorf("after the failure, health is %v", got)
	}
	code, text := get(t, c.AdminAddr(), "/readyz?verbose")
	for _, line := range []string{
		`\[-\] daemon: stopping`, `\[-\] store: failed`, `\[-\] shards: 7 of 8 open`,
		`the store can't be used any more: .*no space left on device`, `shard \d .*no space left on device`,
	} {
		if code != http.StatusServiceUnavailable || !regexp.MustCompile(`(?m)^`+line+`$`).MatchString(text) {
			t.Errorf("readyz: %d without a line %s:\n%s", code, line, text)
		}
	}
	c.expect(t, "/livez", http.StatusOK, "ok\n")
	if n := scrape(t, c.AdminAddr())["mesonet_shard_losses_total"]; n != 1 {
		t.Errorf("%v losses were counted, want 1", n)
	}
	store.Hook(persistencetest.Hooks{})
	end()
	c.stop(t)
	if _, _, err := tryGet(t.Context(), c.AdminAddr(), "/livez"); err == nil {
		t.Error("a daemon that was stopped still answers")
	}
}

// beginStop stops the daemon beside the test, and returns once its health says so. The
// watch that tells it is a call under way, until it is ended.
func (c *client) beginStop(t *testing.T) (stopped <-chan error, end func()) {
	t.Helper()
	next, end := c.watchHealth(t)
	if got := next(); got != serving {
		t.Fatalf("health begins with %v", got)
	}
	told := make(chan error, 1)
	go func() { told <- c.Stop(context.WithoutCancel(t.Context())) }()
	if got := next(); got != notServing {
		t.Errorf("health of a daemon that stops is %v", got)
	}
	return told, end
}

// Who asks whether the node is ready is told that it stops while the calls under
// way go on, of which the watch of its health is one. Mutation seen to fail: readiness
// told after the calls have ended.
func TestNotReadyBeforeCallsEnd(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Grace = time.Minute
	c := startWith(t, cfg)
	stopped, end := c.beginStop(t)
	c.expect(t, "/readyz", http.StatusServiceUnavailable, "the node is stopping\n")
	c.expect(t, "/livez", http.StatusOK, "ok\n")
	scrape(t, c.AdminAddr()).want(t, "while it stops", map[string]float64{"mesonet_shard_losses_total": 0})
	select {
	case err := <-stopped:
		t.Errorf("the daemon stopped before the call ended: %v", err)
	default:
	}
	end()
	if err := errors.Join(<-stopped, c.conn.Close()); err != nil {
		t.Error(err)
	}
}

// A stream of readings, which its client would keep open, does not hold up the stop: a
// batch that was sent is acknowledged, and then the client is told to try elsewhere.
//
// Mutations seen to fail: streams are not ended, so that the stop waits for an hour; a
// stream ends before its batches are acknowledged.
func TestStreamsOfReadingsEnd(t *testing.T) {
	store := faultyStore(t)
	cfg := config("").OnStore(store)
	cfg.AutoRegister, cfg.Grace = true, time.Hour
	c := startWith(t, cfg)
	writing, release := make(chan struct{}, 64), make(chan struct{})
	store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error {
		writing <- struct{}{}
		<-release
		return nil
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := c.ingest.Ingest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(batch(1, sample(t)[:1])); err != nil {
		t.Fatal(err)
	}
	<-writing
	stopped, end := c.beginStop(t)
	end()
	close(release)
	if r, err := stream.Recv(); err != nil || r.GetNumber() != 1 || r.GetOutcomes()[0].GetStored() != 1 {
		t.Errorf("the batch that was sent: %v, %v", r, err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "the node stops") {
		t.Errorf("the stream ends with %v", err)
	}
	if err := errors.Join(<-stopped, c.conn.Close()); err != nil {
		t.Error(err)
	}
}

// Profiles are served, and one that is being taken does not hold up the stop: it
// ends early, and is whole. Mutation seen to fail: stop without cancel.
func TestProfiles(t *testing.T) {
	c := start(t, t.TempDir())
	if code, text := get(t, c.AdminAddr(), "/debug/pprof/"); code != http.StatusOK || !strings.Contains(text, "goroutine") {
		t.Errorf("the list of profiles: %d %s", code, text)
	}
	taken := make(chan error, 1)
	go func() {
		code, profile, err := tryGet(t.Context(), c.AdminAddr(), "/debug/pprof/profile?seconds=3600")
		if err == nil && (code != http.StatusOK || len(profile) == 0) {
			err = fmt.Errorf("%d %q", code, profile)
		}
		taken <- err
	}()
	for { // until it is being taken
		_, stacks := get(t, c.AdminAddr(), "/debug/pprof/goroutine?debug=2")
		if strings.Contains(stacks, "pprof.Profile(") {
			break
		}
	}
	c.stop(t)
	if err := <-taken; err != nil {
		t.Errorf("the profile: %v", err)
	}
}

// Without an address there is no admin listener, and only what is served there
// is there.
func TestAdminAddresses(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Admin = ""
	off := startWith(t, cfg)
	defer off.stop(t)
	if addr := off.AdminAddr(); addr != "" {
		t.Errorf("an admin listener at %s that nobody asked for", addr)
	}
	c := start(t, t.TempDir())
	defer c.stop(t)
	if code, text := get(t, c.AdminAddr(), "/"); code != http.StatusOK || !strings.Contains(text, "/metrics") {
		t.Errorf("/: %d %s", code, text)
	}
	if code, _ := get(t, c.AdminAddr(), "/nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d", code)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.AdminAddr()+"/readyz", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /readyz: %d", response.StatusCode)
	}
}
