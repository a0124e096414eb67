package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// client is a daemon and a connection to it.
type client struct {
	*daemon.Daemon
	stations mesonetv1.StationServiceClient
	ingest   mesonetv1.IngestServiceClient
	weather  mesonetv1.WeatherServiceClient
	conn     *grpc.ClientConn
}

func config(dir string) daemon.Config {
	cfg := daemon.DefaultConfig(dir)
	cfg.Listen, cfg.Admin, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Shards = 8
	cfg.CheckpointBytes = 16 << 10 // so that pages are stored while the tests go on
	cfg.Logger = slog.New(slog.DiscardHandler)
	return cfg
}

func start(t *testing.T, dir string) *client {
	t.Helper()
	return startWith(t, config(dir))
}

func startWith(t *testing.T, cfg daemon.Config) *client {
	t.Helper()
	d, err := daemon.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, d)
}

func connect(t *testing.T, d *daemon.Daemon) *client {
	t.Helper()
	conn, err := grpc.NewClient(d.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	return &client{
		d, mesonetv1.NewStationServiceClient(conn), mesonetv1.NewIngestServiceClient(conn), mesonetv1.NewWeatherServiceClient(conn), conn,
	}
}

func (c *client) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(c.conn.Close(), c.Stop(context.WithoutCancel(t.Context()))); err != nil {
		t.Error(err)
	}
}

func (c *client) register(t *testing.T, ids ...string) {
	t.Helper()
	request := &mesonetv1.RegisterStationsRequest{}
	for _, id := range ids {
		request.Stations = append(request.Stations, &mesonetv1.Station{Id: id, Name: "station " + id, Country: "US"})
	}
	response, err := c.stations.RegisterStations(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range response.GetOutcomes() {
		if o.GetFailure() != nil {
			t.Fatalf("%s: %v", o.GetStation(), o.GetFailure())
		}
	}
}

// observation is a line of the sample.
type observation struct {
	station string
	time    weather.Minute
	values  []weather.Value
}

func sample(t *testing.T) []observation {
	t.Helper()
	text, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	r := ingest.NewReader(sampledata.ObservationsName, bytes.NewReader(text), ingest.NewKillrWeather())
	var all []observation
	var reading ingest.Reading
	for {
		err := r.Read(&reading)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, observation{reading.Station, reading.Time, append([]weather.Value(nil), reading.Values...)})
	}
}

// load sends observations in batches of runs, and returns the sum of the
// outcomes and the last token of each station.
func (c *client) load(t *testing.T, all []observation) (*mesonetv1.IngestOutcome, map[string]*mesonetv1.Token) {
	t.Helper()
	stream, err := c.ingest.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan int)
	go func() {
		n := 0
		for begin := 0; begin < len(all); begin += 500 {
			n++
			if err := stream.Send(batch(uint64(n), all[begin:min(begin+500, len(all))])); err != nil {
				t.Error(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Error(err)
		}
		sent <- n
	}()
	sum := &mesonetv1.IngestOutcome{}
	tokens := map[string]*mesonetv1.Token{}
	acks := 0
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if acks++; r.GetNumber() != uint64(acks) {
			t.Errorf("acknowledgement %d is of batch %d", acks, r.GetNumber())
		}
		for _, o := range r.GetOutcomes() {
			if o.GetFailure() != nil {
				t.Fatalf("%s: %v", o.GetStation(), o.GetFailure())
			}
			sum.Stored += o.GetStored()
			sum.Duplicates += o.GetDuplicates()
			sum.Corrected += o.GetCorrected()
			tokens[o.GetStation()] = o.GetToken()
		}
	}
	if n := <-sent; acks != n {
		t.Errorf("%d batches were acknowledged, %d sent", acks, n)
	}
	return sum, tokens
}

// batch groups observations by station.
func batch(number uint64, all []observation) *mesonetv1.IngestRequest {
	catalogue := weather.Standard()
	readings := map[string]*mesonetv1.Readings{}
	request := &mesonetv1.IngestRequest{Number: number}
	for _, o := range all {
		r := readings[o.station]
		if r == nil {
			r = &mesonetv1.Readings{Station: o.station}
			for _, m := range catalogue {
				r.Columns = append(r.Columns, &mesonetv1.Column{Measure: m.Name})
			}
			readings[o.station] = r
			request.Readings = append(request.Readings, r)
		}
		r.Minutes = append(r.Minutes, int64(o.time))
		for m, column := range r.GetColumns() {
			v := weather.Missing
			if m < len(o.values) {
				v = o.values[m]
			}
			column.Values = append(column.Values, int32(v))
		}
	}
	return request
}

// The answers about a real year are right, however it came: in the order of the
// file, twice, or shuffled and in pieces; and after a restart.
func TestGoldenAnswers(t *testing.T) {
	all := sample(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	shuffled := append(append([]observation(nil), all...), all[:5000]...)
	rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, v := range []struct {
		name       string
		loads      [][]observation
		duplicates int
	}{
		{"in order", [][]observation{all}, 0},
		{"twice", [][]observation{all, all}, len(all)},
		{"shuffled, with duplicates", [][]observation{shuffled}, 5000},
	} {
		t.Run(v.name, func(t *testing.T) {
			dir := t.TempDir()
			c := start(t, dir)
			c.register(t, sampledata.SanFrancisco, sampledata.NewYork)
			var stored, duplicates, corrected int
			var tokens map[string]*mesonetv1.Token
			for _, l := range v.loads {
				var sum *mesonetv1.IngestOutcome
				sum, tokens = c.load(t, l)
				stored += int(sum.GetStored())
				duplicates += int(sum.GetDuplicates())
				corrected += int(sum.GetCorrected())
			}
			if stored != len(all) || duplicates != v.duplicates || corrected != 0 {
				t.Errorf("stored %d, duplicates %d, corrected %d; want %d, %d, 0", stored, duplicates, corrected, len(all), v.duplicates)
			}
			c.checkAnswers(t, tokens)
			c.stop(t)
			c = start(t, dir)
			defer c.stop(t)
			c.checkAnswers(t, tokens)
		})
	}
}

// checkAnswers compares every figure that one station answers with what is
// expected. Means and what follows from them are rounded to six decimals there.
func (c *client) checkAnswers(t *testing.T, tokens map[string]*mesonetv1.Token) {
	t.Helper()
	want, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	figures := 0
	exact := func(what, key string, got, want float64) {
		figures++
		if got != want {
			t.Errorf("%s of %s is %v, want %v", what, key, got, want)
		}
	}
	rounded := func(what, key string, got, want float64) {
		figures++
		if math.Abs(got-want) > 5.1e-7 {
			t.Errorf("%s of %s is %v, want %v", what, key, got, want)
		}
	}
	temperature := func(key string, got *mesonetv1.Temperature, want sampledata.Temperature) {
		exact("observations", key, float64(got.GetObservations()), float64(want.N))
		exact("high", key, got.GetHigh(), want.High)
		exact("low", key, got.GetLow(), want.Low)
		rounded("mean", key, got.GetMean(), want.Mean)
		rounded("variance", key, got.GetVariance(), want.Variance)
		rounded("stdev", key, got.GetStdev(), want.Stdev)
	}
	for _, id := range []string{sampledata.SanFrancisco, sampledata.NewYork} {
		read := &mesonetv1.Read{Tokens: []*mesonetv1.Token{tokens[id]}}
		key := sampledata.YearKey(id, 2008)
		year, err := c.weather.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: id, Year: 2008, Read: read})
		if err != nil {
			t.Fatal(err)
		}
		exact("precipitation", key, year.GetMillimetres(), want.Annual[key].OneHour)
		exact("observations", key, float64(year.GetObservations()), float64(want.Annual[key].Observations))
		exact("trace hours", key, float64(year.GetTraceHours()), float64(want.Annual[key].TraceHours))
		for month := 1; month <= 12; month++ {
			key := sampledata.MonthKey(id, 2008, month)
			rain, err := c.weather.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: id, Year: 2008, Month: int32(month), Read: read})
			if err != nil {
				t.Fatal(err)
			}
			exact("precipitation", key, rain.GetMillimetres(), want.Monthly[key])
			warmth, err := c.weather.GetMonthlyTemperature(ctx, &mesonetv1.GetMonthlyTemperatureRequest{Station: id, Year: 2008, Month: int32(month), Read: read})
			if err != nil {
				t.Fatal(err)
			}
			temperature(key, warmth.GetTemperature(), want.Months[key])
			byDay := 0.0
			for day := 1; day <= weather.DaysInMonth(2008, month); day++ {
				key := sampledata.DayKey(id, 2008, month, day)
				warmth, err := c.weather.GetDailyTemperature(ctx, &mesonetv1.GetDailyTemperatureRequest{Station: id, Year: 2008, Month: int32(month), Day: int32(day), Read: read})
				if err != nil {
					t.Fatal(err)
				}
				temperature(key, warmth.GetTemperature(), want.Days[key])
				rain, err := c.weather.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: id, Year: 2008, Month: int32(month), Day: int32(day), Read: read})
				if err != nil {
					t.Fatal(err)
				}
				byDay += rain.GetMillimetres()
				for _, top := range want.TopDays[sampledata.YearKey(id, 2008)] {
					if top.Day == fmt.Sprintf("2008-%02d-%02d", month, day) {
						exact("precipitation", key, rain.GetMillimetres(), top.Millimetres)
					}
				}
			}
			rounded("precipitation by day", key, byDay, want.Monthly[key])
		}
	}
	if figures < 2*(366+12)*6 {
		t.Errorf("only %d figures were compared", figures)
	}
}

// Bad input gets a clear error with a reason for programs, and changes nothing.
func TestBadInput(t *testing.T) {
	c := start(t, t.TempDir())
	defer c.stop(t)
	c.register(t, "725030:14732")
	ctx := t.Context()
	rain := func(r *mesonetv1.GetPrecipitationRequest) error {
		_, err := c.weather.GetPrecipitation(ctx, r)
		return err
	}
	foreign := &mesonetv1.Read{Tokens: []*mesonetv1.Token{{Store: 1, Position: 1}}}
	for _, v := range []struct {
		name   string
		err    error
		code   codes.Code
		reason string
		says   string
	}{
		{"unknown station", rain(&mesonetv1.GetPrecipitationRequest{Station: "1:2", Year: 2008}), codes.NotFound, "UNKNOWN_STATION", "not registered"},
		{"bad id", rain(&mesonetv1.GetPrecipitationRequest{Station: "a b", Year: 2008}), codes.InvalidArgument, "BAD_ID", "space"},
		{"no id", rain(&mesonetv1.GetPrecipitationRequest{Year: 2008}), codes.InvalidArgument, "BAD_ID", "1 to"},
		{"a year without data", rain(&mesonetv1.GetPrecipitationRequest{Station: "725030:14732", Year: 1999}), codes.NotFound, "NO_DATA", "1999"},
		{"no year", rain(&mesonetv1.GetPrecipitationRequest{Station: "725030:14732"}), codes.InvalidArgument, "BAD_PERIOD", "year"},
		{"impossible date", rain(&mesonetv1.GetPrecipitationRequest{Station: "725030:14732", Year: 2008, Month: 2, Day: 30}), codes.InvalidArgument, "BAD_PERIOD", "2008-02-30"},
		{"another store's token", rain(&mesonetv1.GetPrecipitationRequest{Station: "725030:14732", Year: 2008, Read: foreign}), codes.InvalidArgument, "WRONG_STORE", "another store"},
		{"a day without a month", func() error {
			_, err := c.weather.GetDailyTemperature(ctx, &mesonetv1.GetDailyTemperatureRequest{Station: "725030:14732", Year: 2008, Day: 3})
			return err
		}(), codes.InvalidArgument, "INVALID_REQUEST", "a year, a month and a day"},
		{"a month without a month", func() error {
			_, err := c.weather.GetMonthlyTemperature(ctx, &mesonetv1.GetMonthlyTemperatureRequest{Station: "725030:14732", Year: 2008})
			return err
		}(), codes.InvalidArgument, "INVALID_REQUEST", "a year and a month"},
		{"a page too large", func() error {
			_, err := c.stations.ListStations(ctx, &mesonetv1.ListStationsRequest{PageSize: 5000})
			return err
		}(), codes.InvalidArgument, "INVALID_REQUEST", "1000"},
		{"a made-up page token", func() error {
			_, err := c.stations.ListStations(ctx, &mesonetv1.ListStationsRequest{PageToken: "?"})
			return err
		}(), codes.InvalidArgument, "INVALID_REQUEST", "page_token"},
	} {
		st := status.Convert(v.err)
		if st.Code() != v.code || !strings.Contains(st.Message(), v.says) {
			t.Errorf("%s: %s %q; want %s with %q", v.name, st.Code(), st.Message(), v.code, v.says)
		}
		reason := ""
		for _, d := range st.Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "mesonet" {
				reason = info.GetReason()
			}
		}
		if reason != v.reason {
			t.Errorf("%s: reason %q, want %q", v.name, reason, v.reason)
		}
	}
}

// What is wrong in a batch is refused part by part; the rest stands.
func TestBadReadings(t *testing.T) {
	c := start(t, t.TempDir())
	defer c.stop(t)
	c.register(t, "1:1")
	good := func(station string) *mesonetv1.Readings {
		return &mesonetv1.Readings{Station: station, Minutes: []int64{20_000_000}, Columns: []*mesonetv1.Column{{Measure: "temperature", Values: []int32{122}}}}
	}
	bad := func(spoil func(*mesonetv1.Readings)) *mesonetv1.Readings {
		r := good("1:1")
		spoil(r)
		return r
	}
	stream, err := c.ingest.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &mesonetv1.IngestRequest{Number: 7, Readings: []*mesonetv1.Readings{
		good("9:9"),
		bad(func(r *mesonetv1.Readings) { r.Columns[0].Measure = "happiness" }),
		bad(func(r *mesonetv1.Readings) { r.Columns[0].Values = nil }),
		bad(func(r *mesonetv1.Readings) { r.Columns = append(r.Columns, r.GetColumns()[0]) }),
		bad(func(r *mesonetv1.Readings) { r.Minutes[0] = math.MaxInt64 }),
		bad(func(r *mesonetv1.Readings) { r.Columns[0].Values[0] = 9999 }),
		bad(func(r *mesonetv1.Readings) { r.Station = "no/slash" }),
		bad(func(r *mesonetv1.Readings) { r.Minutes, r.Columns[0].Values = nil, nil }),
		good("1:1"),
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
	want := []string{
		"UNKNOWN_STATION", "BAD_OBSERVATION", "BAD_OBSERVATION", "BAD_OBSERVATION", "BAD_OBSERVATION", "BAD_OBSERVATION", "BAD_ID", "", "",
	}
	for i, o := range response.GetOutcomes() {
		if got := o.GetFailure().GetReason(); got != want[i] {
			t.Errorf("readings %d: %q (%s), want %q", i, got, o.GetFailure().GetMessage(), want[i])
		}
	}
	if last := response.GetOutcomes()[8]; last.GetStored() != 1 || response.GetNumber() != 7 {
		t.Errorf("the good readings: %v", last)
	}
	got, err := c.stations.GetStation(t.Context(), &mesonetv1.GetStationRequest{Station: "1:1"})
	if err != nil || got.GetStation().GetObservations() != 1 {
		t.Errorf("the station has %d observations, %v; want 1", got.GetStation().GetObservations(), err)
	}
	scrape(t, c.AdminAddr()).want(t, "counted", map[string]float64{
		`mesonet_observations_total{outcome="stored"}`: 1, `mesonet_observations_total{outcome="refused"}`: 7, // one was empty
		`mesonet_observations_total{outcome="failed"}`: 0,
	})
}

func TestStations(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir)
	text, err := sampledata.Stations()
	if err != nil {
		t.Fatal(err)
	}
	request := &mesonetv1.RegisterStationsRequest{}
	for line := range strings.Lines(string(text[:20_000])) {
		if f := strings.Split(strings.TrimSpace(line), ","); len(f) == 8 {
			request.Stations = append(request.Stations, &mesonetv1.Station{Id: f[0], Name: f[1], Country: f[2]})
		}
	}
	request.Stations = append(request.Stations, &mesonetv1.Station{Id: "bad id"}, &mesonetv1.Station{Id: "0:1", Latitude: new(float64)})
	n := len(request.GetStations())
	response, err := c.stations.RegisterStations(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range response.GetOutcomes() {
		want := mesonetv1.RegistrationOutcome_STATUS_REGISTERED
		if i >= n-2 {
			want = mesonetv1.RegistrationOutcome_STATUS_REFUSED
		}
		if o.GetStatus() != want {
			t.Errorf("%s: %v", o.GetStation(), o)
		}
	}
	for range 2 { // the second time after a restart
		seen := map[string]bool{}
		last := ""
		for page := ""; ; {
			r, err := c.stations.ListStations(t.Context(), &mesonetv1.ListStationsRequest{PageSize: 77, PageToken: page, Country: "NO"})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range r.GetStations() {
				if s.GetId() <= last || s.GetCountry() != "NO" {
					t.Errorf("%s (%s) comes after %s", s.GetId(), s.GetCountry(), last)
				}
				last = s.GetId()
				seen[last] = true
			}
			if page = r.GetNextPageToken(); page == "" {
				break
			}
			if len(r.GetStations()) != 77 {
				t.Errorf("a page of %d that is not the last", len(r.GetStations()))
			}
		}
		want := 0
		for _, s := range request.GetStations() {
			if s.GetCountry() == "NO" {
				want++
			}
		}
		if len(seen) != want || want < 78 {
			t.Errorf("listed %d stations of Norway, want %d", len(seen), want)
		}
		c.stop(t)
		c = start(t, dir)
	}
	c.stop(t)
}

func TestHealthAndReflection(t *testing.T) {
	c := start(t, t.TempDir())
	defer c.stop(t)
	r, err := healthv1.NewHealthClient(c.conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || r.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v, %v", r.GetStatus(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	services, err := stream.Recv()
	if err != nil || !strings.Contains(services.String(), "mesonet.v1.WeatherService") {
		t.Errorf("reflection lists %v, %v", services, err)
	}
}

// A folder that can't be served is refused with what to do, and nothing else is
// left behind.
func TestStartIsRefused(t *testing.T) {
	taken := t.TempDir()
	c := start(t, taken)
	defer c.stop(t)
	if _, err := daemon.Start(t.Context(), config(taken)); !errors.Is(err, persistence.ErrLocked) {
		t.Errorf("a folder in use: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letter.txt"), []byte("Dear Ada"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.Start(t.Context(), config(other)); !errors.Is(err, persistence.ErrFormat) {
		t.Errorf("a folder of something else: %v", err)
	}
	cfg := config(t.TempDir())
	cfg.Listen = c.Addr()
	var taking *daemon.ListenError
	if _, err := daemon.Start(t.Context(), cfg); !errors.As(err, &taking) || taking.Surface != daemon.SurfaceAPI || taking.Addr != c.Addr() {
		t.Errorf("a port in use: %v", err)
	}
	cfg.Listen, cfg.Admin = "127.0.0.1:0", c.AdminAddr()
	if _, err := daemon.Start(t.Context(), cfg); !errors.As(err, &taking) || taking.Surface != daemon.SurfaceAdmin || taking.Addr != c.AdminAddr() {
		t.Errorf("the admin's port in use: %v", err)
	}
	cfg.Admin, cfg.HTTP = "", c.HTTPAddr()
	if _, err := daemon.Start(t.Context(), cfg); !errors.As(err, &taking) || taking.Surface != daemon.SurfaceHTTP || taking.Addr != c.HTTPAddr() {
		t.Errorf("the port of JSON in use: %v", err)
	}
	cfg.HTTP = ""
	if names, err := os.ReadDir(cfg.Dir); err != nil || len(names) > 0 {
		t.Errorf("the folder was touched before the ports: %v, %v", names, err)
	}
	for _, listen := range []string{"0.0.0.0:0", "somewhere", ":7210"} {
		cfg.Listen, cfg.Admin = listen, ""
		if _, err := daemon.Start(t.Context(), cfg); err == nil {
			t.Errorf("listening on %q was accepted", listen)
		}
		cfg.Listen, cfg.Admin = "127.0.0.1:0", listen
		if _, err := daemon.Start(t.Context(), cfg); err == nil {
			t.Errorf("serving metrics on %q was accepted", listen)
		}
		cfg.Admin, cfg.HTTP = "", listen
		if _, err := daemon.Start(t.Context(), cfg); err == nil {
			t.Errorf("serving JSON on %q was accepted", listen)
		}
		cfg.HTTP = ""
	}
}
