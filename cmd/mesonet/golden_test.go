package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mesonet/mesonet/internal/sampledata"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// held is a dumb twin of a network: what is held of each station and time.
type held map[string]map[weather.Minute][]weather.Value

// readSample returns the readings of the sample, in their order.
func readSample(t *testing.T) (all []ingest.Reading) {
	t.Helper()
	text, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	r := ingest.NewReader("sample", bytes.NewReader(text), ingest.NewKillrWeather())
	for {
		var reading ingest.Reading
		switch err := r.Read(&reading); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		reading.Values = slices.Clone(reading.Values)
		all = append(all, reading)
	}
}

func (h held) take(r ingest.Reading) {
	if h[r.Station] == nil {
		h[r.Station] = map[weather.Minute][]weather.Value{}
	}
	h[r.Station][r.Time] = r.Values
}

// answers computes from the observations what the answers' file has of the sample,
// in the plainest way.
func (h held) answers() *sampledata.Expected {
	e := &sampledata.Expected{
		Annual: map[string]sampledata.Precipitation{}, Monthly: map[string]float64{},
		Days: map[string]sampledata.Temperature{}, Months: map[string]sampledata.Temperature{},
		TopHours: map[string][]sampledata.Hour{}, TopDays: map[string][]sampledata.Day{}, Sky: map[string]int{},
		Network: map[string][]sampledata.Rank{},
	}
	for station, rows := range h {
		days, months := map[string][]int{}, map[string][]int{}
		rain, monthly := map[string]int{}, map[string]int{}
		var one, six, n, traces int
		var hours []sampledata.Hour
		for _, at := range slices.Sorted(maps.Keys(rows)) {
			year, month, day := at.Date()
			row := rows[at]
			if v := row[weather.Temperature]; v.Plain() {
				days[sampledata.DayKey(station, year, month, day)] = append(days[sampledata.DayKey(station, year, month, day)], int(v))
				months[sampledata.MonthKey(station, year, month)] = append(months[sampledata.MonthKey(station, year, month)], int(v))
			}
			if v := row[weather.Precipitation1h]; v != weather.Missing {
				n++
				if v == weather.Trace {
					traces, v = traces+1, 0
				}
				one += int(v)
				monthly[sampledata.MonthKey(station, year, month)] += int(v)
				rain[at.Day().String()] += int(v)
				if v > 0 {
					hours = append(hours, sampledata.Hour{At: at.String(), Millimetres: float64(v) / 10})
				}
			}
			if v := row[weather.Precipitation6h]; v.Plain() {
				six += int(v)
			}
			if v := row[weather.SkyCondition]; v.Plain() {
				e.Sky[sampledata.SkyKey(station, year, int(v))]++
			}
		}
		e.Annual[sampledata.YearKey(station, 2008)] = sampledata.Precipitation{
			Observations: n, OneHour: float64(one) / 10, SixHour: float64(six) / 10, TraceHours: traces,
		}
		for key, sum := range monthly {
			e.Monthly[key] = float64(sum) / 10
		}
		for key, values := range days {
			e.Days[key] = describe(values)
		}
		for key, values := range months {
			e.Months[key] = describe(values)
		}
		var wet []sampledata.Day
		for day, sum := range rain {
			if sum > 0 {
				wet = append(wet, sampledata.Day{Day: day, Millimetres: float64(sum) / 10})
			}
		}
		slices.SortFunc(hours, func(a, b sampledata.Hour) int {
			return cmp.Or(cmp.Compare(b.Millimetres, a.Millimetres), strings.Compare(a.At, b.At))
		})
		slices.SortFunc(wet, func(a, b sampledata.Day) int {
			return cmp.Or(cmp.Compare(b.Millimetres, a.Millimetres), strings.Compare(a.Day, b.Day))
		})
		e.TopHours[sampledata.YearKey(station, 2008)] = hours[:min(10, len(hours))]
		e.TopDays[sampledata.YearKey(station, 2008)] = wet[:min(10, len(wet))]
		e.Network["2008"] = append(e.Network["2008"], sampledata.Rank{Station: station, Millimetres: float64(one) / 10})
	}
	slices.SortFunc(e.Network["2008"], func(a, b sampledata.Rank) int {
		return cmp.Or(cmp.Compare(b.Millimetres, a.Millimetres), strings.Compare(a.Station, b.Station))
	})
	return e
}

func describe(tenths []int) sampledata.Temperature {
	t := sampledata.Temperature{N: len(tenths), High: float64(slices.Max(tenths)) / 10, Low: float64(slices.Min(tenths)) / 10}
	for _, v := range tenths {
		t.Mean += float64(v) / 10 / float64(t.N)
	}
	for _, v := range tenths {
		d := float64(v)/10 - t.Mean
		t.Variance += d * d / float64(t.N)
	}
	t.Stdev = math.Sqrt(t.Variance)
	return t
}

// surface is a way to ask: by gRPC, by JSON, or by the command line. Each returns
// the figure that the answers' file has.
type surface struct {
	name    string
	annual  func(station string, year int) sampledata.Precipitation
	monthly func(station string, year, month int) float64
	day     func(station string, year, month, day int) sampledata.Temperature
	month   func(station string, year, month int) sampledata.Temperature
	hours   func(station string, year int) []sampledata.Hour
	days    func(station string, year int) []sampledata.Day
	sky     func(station string, year int) map[int]int
	network func(year string) []sampledata.Rank
}

// check asks for every figure that is wanted.
func (s *surface) check(t *testing.T, want *sampledata.Expected) {
	t.Helper()
	got := &sampledata.Expected{
		Annual: map[string]sampledata.Precipitation{}, Monthly: map[string]float64{},
		Days: map[string]sampledata.Temperature{}, Months: map[string]sampledata.Temperature{},
		TopHours: map[string][]sampledata.Hour{}, TopDays: map[string][]sampledata.Day{}, Sky: map[string]int{},
		Network: map[string][]sampledata.Rank{},
	}
	part := func(key string) (string, [3]int) {
		var n [3]int
		fields := strings.Split(key, "|")
		for i, field := range fields[1:] {
			if _, err := fmt.Sscan(field, &n[i]); err != nil {
				t.Fatal(err)
			}
		}
		return fields[0], n
	}
	for key := range want.Annual {
		station, n := part(key)
		got.Annual[key] = s.annual(station, n[0])
		got.TopHours[key], got.TopDays[key] = s.hours(station, n[0]), s.days(station, n[0])
		for code, count := range s.sky(station, n[0]) {
			got.Sky[sampledata.SkyKey(station, n[0], code)] = count
		}
	}
	for key := range want.Network {
		got.Network[key] = s.network(key)
	}
	for key := range want.Monthly {
		station, n := part(key)
		got.Monthly[key] = s.monthly(station, n[0], n[1])
	}
	for key := range want.Days {
		station, n := part(key)
		got.Days[key] = s.day(station, n[0], n[1], n[2])
	}
	for key := range want.Months {
		station, n := part(key)
		got.Months[key] = s.month(station, n[0], n[1])
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateApprox(0, 6e-7)); diff != "" { // the file has six decimals
		t.Errorf("by %s (-want +got)\n%s", s.name, diff)
	}
}

// byGRPC asks the generated clients.
func byGRPC(t *testing.T, c *client) *surface {
	ctx := context.WithoutCancel(t.Context())
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	temperature := func(m *mesonetv1.Temperature) sampledata.Temperature {
		return sampledata.Temperature{N: int(m.GetObservations()), High: m.GetHigh(), Low: m.GetLow(), Mean: m.GetMean(), Variance: m.GetVariance(), Stdev: m.GetStdev()}
	}
	top := func(station string, year int, span mesonetv1.Span) []*mesonetv1.WetSpan {
		r, err := c.GetTopPrecipitation(ctx, &mesonetv1.GetTopPrecipitationRequest{Station: station, Year: int32(year), Span: span})
		fail(err)
		return r.GetWettest()
	}
	return &surface{
		name: "gRPC",
		annual: func(station string, year int) sampledata.Precipitation {
			one, err := c.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: station, Year: int32(year)})
			fail(err)
			six, err := c.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: station, Year: int32(year), Method: mesonetv1.PrecipitationMethod_PRECIPITATION_METHOD_SIX_HOUR})
			fail(err)
			return sampledata.Precipitation{Observations: int(one.GetObservations()), OneHour: one.GetMillimetres(), SixHour: six.GetMillimetres(), TraceHours: int(one.GetTraceHours())}
		},
		monthly: func(station string, year, month int) float64 {
			r, err := c.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: station, Year: int32(year), Month: int32(month)})
			fail(err)
			return r.GetMillimetres()
		},
		day: func(station string, year, month, day int) sampledata.Temperature {
			r, err := c.GetDailyTemperature(ctx, &mesonetv1.GetDailyTemperatureRequest{Station: station, Year: int32(year), Month: int32(month), Day: int32(day)})
			fail(err)
			return temperature(r.GetTemperature())
		},
		month: func(station string, year, month int) sampledata.Temperature {
			r, err := c.GetMonthlyTemperature(ctx, &mesonetv1.GetMonthlyTemperatureRequest{Station: station, Year: int32(year), Month: int32(month)})
			fail(err)
			return temperature(r.GetTemperature())
		},
		hours: func(station string, year int) (hours []sampledata.Hour) {
			for _, w := range top(station, year, mesonetv1.Span_SPAN_HOUR) {
				hours = append(hours, sampledata.Hour{At: w.GetTime().AsTime().Format("2006-01-02T15:04Z"), Millimetres: w.GetMillimetres()})
			}
			return hours
		},
		days: func(station string, year int) (days []sampledata.Day) {
			for _, w := range top(station, year, mesonetv1.Span_SPAN_DAY) {
				days = append(days, sampledata.Day{Day: w.GetTime().AsTime().Format(time.DateOnly), Millimetres: w.GetMillimetres()})
			}
			return days
		},
		sky: func(station string, year int) map[int]int {
			r, err := c.CountSkyConditions(ctx, &mesonetv1.CountSkyConditionsRequest{Station: station, Year: int32(year)})
			fail(err)
			counts := map[int]int{}
			for _, m := range r.GetCounts() {
				counts[int(m.GetSkyCondition().GetCode())] = int(m.GetObservations())
			}
			return counts
		},
		network: func(year string) (ranks []sampledata.Rank) {
			n, err := strconv.Atoi(year)
			fail(err)
			r, err := c.GetTopStations(ctx, &mesonetv1.GetTopStationsRequest{Measure: "precipitation_1h", Year: int32(n)})
			fail(err)
			for _, rank := range r.GetRanks() {
				ranks = append(ranks, sampledata.Rank{Station: rank.GetStation(), Millimetres: rank.GetValue()})
			}
			return ranks
		},
	}
}

// documents is a way to ask that answers with JSON documents, with the names of the
// API.
type documents struct {
	name        string
	temperature func(station, period string) []byte
	rain        func(station, period string, six bool) []byte
	top         func(station, period string, days bool) []byte
	sky         func(station, period string) []byte
	network     func(year string) []byte
}

func (d *documents) surface(t *testing.T) *surface {
	read := func(text []byte, into any) {
		t.Helper()
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v in %s", d.name, err, text)
		}
	}
	temperature := func(station, period string) sampledata.Temperature {
		var m struct {
			Temperature struct {
				Observations                     int
				High, Low, Mean, Variance, Stdev float64
			}
		}
		read(d.temperature(station, period), &m)
		v := m.Temperature
		return sampledata.Temperature{N: v.Observations, High: v.High, Low: v.Low, Mean: v.Mean, Variance: v.Variance, Stdev: v.Stdev}
	}
	type rain struct {
		Observations int
		Millimetres  float64
		TraceHours   int `json:"trace_hours"`
	}
	sum := func(station, period string, six bool) (r rain) {
		read(d.rain(station, period, six), &r)
		return r
	}
	type wet struct {
		Time        time.Time
		Millimetres float64
	}
	top := func(station string, year int, days bool) []wet {
		var m struct{ Wettest []wet }
		read(d.top(station, fmt.Sprint(year), days), &m)
		return m.Wettest
	}
	return &surface{
		name: d.name,
		annual: func(station string, year int) sampledata.Precipitation {
			one, six := sum(station, fmt.Sprint(year), false), sum(station, fmt.Sprint(year), true)
			return sampledata.Precipitation{Observations: one.Observations, OneHour: one.Millimetres, SixHour: six.Millimetres, TraceHours: one.TraceHours}
		},
		monthly: func(station string, year, month int) float64 {
			return sum(station, fmt.Sprintf("%d-%02d", year, month), false).Millimetres
		},
		day: func(station string, year, month, day int) sampledata.Temperature {
			return temperature(station, fmt.Sprintf("%d-%02d-%02d", year, month, day))
		},
		month: func(station string, year, month int) sampledata.Temperature {
			return temperature(station, fmt.Sprintf("%d-%02d", year, month))
		},
		hours: func(station string, year int) (hours []sampledata.Hour) {
			for _, w := range top(station, year, false) {
				hours = append(hours, sampledata.Hour{At: w.Time.Format("2006-01-02T15:04Z"), Millimetres: w.Millimetres})
			}
			return hours
		},
		days: func(station string, year int) (days []sampledata.Day) {
			for _, w := range top(station, year, true) {
				days = append(days, sampledata.Day{Day: w.Time.Format(time.DateOnly), Millimetres: w.Millimetres})
			}
			return days
		},
		sky: func(station string, year int) map[int]int {
			var m struct {
				Counts []struct {
					SkyCondition struct{ Code int } `json:"sky_condition"`
					Observations int
				}
			}
			read(d.sky(station, fmt.Sprint(year)), &m)
			counts := map[int]int{}
			for _, c := range m.Counts {
				counts[c.SkyCondition.Code] = c.Observations
			}
			return counts
		},
		network: func(year string) (ranks []sampledata.Rank) {
			var m struct {
				Ranks []struct {
					Station string
					Value   float64
				}
			}
			read(d.network(year), &m)
			for _, rank := range m.Ranks {
				ranks = append(ranks, sampledata.Rank{Station: rank.Station, Millimetres: rank.Value})
			}
			return ranks
		},
	}
}

// byJSON asks over HTTP.
func byJSON(t *testing.T, addr string) *surface {
	get := func(station, path, query string) []byte {
		return []byte(httpGet(t, fmt.Sprintf("http://%s/v1/stations/%s/%s?%s", addr, url.PathEscape(station), path, query)))
	}
	slashes := func(period string) string { return strings.ReplaceAll(period, "-", "/") }
	d := &documents{
		name:        "JSON",
		temperature: func(station, period string) []byte { return get(station, "temperature/"+slashes(period), "") },
		rain: func(station, period string, six bool) []byte {
			return get(station, "precipitation/"+slashes(period), map[bool]string{true: "method=PRECIPITATION_METHOD_SIX_HOUR"}[six])
		},
		top: func(station, period string, days bool) []byte {
			return get(station, "top-precipitation/"+slashes(period), map[bool]string{true: "span=SPAN_DAY", false: "k=10"}[days])
		},
		sky: func(station, period string) []byte { return get(station, "sky-conditions/"+slashes(period), "") },
		network: func(year string) []byte {
			return []byte(httpGet(t, fmt.Sprintf("http://%s/v1/top-stations/precipitation_1h/%s", addr, year)))
		},
	}
	return d.surface(t)
}

// byCommand asks by the command line.
func byCommand(t *testing.T, addr string) *surface {
	run := func(args ...string) []byte {
		r := runArgs(t, append(args, "-o", "json", "--addr", addr)...)
		if r.code != 0 {
			t.Fatalf("mesonet %v ends with %d: %s", args, r.code, r.stderr)
		}
		return []byte(r.stdout)
	}
	d := &documents{
		name:        "command line",
		temperature: func(station, period string) []byte { return run("temperature", station, period) },
		rain: func(station, period string, six bool) []byte {
			if six {
				return run("precip", station, period, "--method", "six-hour")
			}
			return run("precip", station, period)
		},
		top: func(station, period string, days bool) []byte {
			if days {
				return run("top", "precipitation", station, period, "-k", "10", "--days")
			}
			return run("top", "precipitation", station, period, "-k", "10")
		},
		sky:     func(station, period string) []byte { return run("sky", station, period) },
		network: func(year string) []byte { return run("top-stations", "precipitation", year) },
	}
	return d.surface(t)
}

// golden is a server, a process of its own, that is asked in every way.
type golden struct {
	t      *testing.T
	store  []string // its flags
	server *process
	client *client
}

// inFolder are the flags of a store in a folder.
func inFolder(dir string) []string { return []string{"--data", dir, "--shards", "4"} }

func (g *golden) start() {
	g.t.Helper()
	g.server = startProcess(g.t, "/v1/stations", append([]string{"server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--admin", ""}, g.store...)...)
	var err error
	if g.client, err = dial(g.server.addr, time.Minute, false); err != nil {
		g.t.Fatal(err)
	}
}

// stop lets go of the server and waits until it is gone.
func (g *golden) stop(signal os.Signal) {
	g.t.Helper()
	g.client.close()
	if err := g.server.Process.Signal(signal); err != nil {
		g.t.Error(err)
	}
	if code, rest := g.server.end(g.t); code != exitOK && signal != syscall.SIGKILL {
		g.t.Errorf("the server ended with %d: %s%s", code, rest, g.server.stderr.String())
	}
}

func (g *golden) check(want *sampledata.Expected) {
	g.t.Helper()
	byGRPC(g.t, g.client).check(g.t, want)
	byJSON(g.t, g.server.http).check(g.t, want)
	byCommand(g.t, g.server.addr).check(g.t, want)
}

// load sends readings in their order, until there are so many answers: then the
// server is killed, while more is under way.
func (g *golden) load(readings []ingest.Reading, most int64) {
	g.t.Helper()
	var text bytes.Buffer
	for _, r := range readings {
		text.WriteString(lineOf(r))
	}
	ctx, cancel := context.WithCancel(g.t.Context())
	defer cancel()
	sink := g.client.Ingest(ctx, weather.Standard())
	defer sink.Close()
	cfg := ingest.DefaultConfig()
	cfg.BatchLength, cfg.InFlight = 256, 4096 // much less than there is
	killed := false
	cfg.ProgressEvery = time.Millisecond
	cfg.Progress = func(p ingest.Progress) {
		if p.Acknowledged >= most && !killed {
			killed = true
			g.stop(syscall.SIGKILL)
			cancel()
		}
	}
	done, err := ingest.Load(ctx, []ingest.Source{ingest.Memory("sample", text.Bytes())}, sink, cfg)
	if killed != (err != nil) {
		g.t.Fatalf("the load ended with %v, the server killed: %v", err, killed)
	}
	if killed {
		g.t.Logf("killed when %d readings of %d were acknowledged", done.Acknowledged(), len(readings))
	}
}

// lineOf writes a reading as KillrWeather does.
func lineOf(r ingest.Reading) string {
	year, month, day := r.Time.Date()
	hour, _ := r.Time.Clock()
	show := func(m weather.MeasureID, decimals int, missing string) string {
		switch v := r.Values[m]; v {
		case weather.Missing:
			return missing
		case weather.Trace:
			return "-0.1"
		default:
			return v.Format(decimals)
		}
	}
	return fmt.Sprintf("%s,%d,%d,%d,%d,%s,%s,%s,%s,%s,%s,%s,%s\n", r.Station, year, month, day, hour,
		show(weather.Temperature, 1, "0.0"), show(weather.DewPoint, 1, "999.9"), show(weather.SeaLevelPressure, 1, "0.0"),
		show(weather.WindDirection, 0, "0"), show(weather.WindSpeed, 1, "0.0"), show(weather.SkyCondition, 0, "0"),
		show(weather.Precipitation1h, 2, "0.0"), show(weather.Precipitation6h, 2, "0.0"))
}

// Every figure of the answers' file comes out by gRPC, by JSON and by the command
// line: of the sample shuffled and doubled, loaded until the server is killed
// half-way, and loaded again; of observations that are corrected to
// nonsense and back, or retracted and sent again; and with other values the figures
// are those that the plainest program computes.
func TestGoldenAnswers(t *testing.T) {
	testGoldenAnswers(t, inFolder(filepath.Join(t.TempDir(), "node"))...)
}

// So they do when the node keeps its data in Cassandra.
func TestGoldenAnswersOnCassandra(t *testing.T) {
	t.Parallel() // it mostly waits
	testGoldenAnswers(t, "--store", newKeyspace(t), "--node", "golden")
}

func testGoldenAnswers(t *testing.T, store ...string) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	want, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	sample := readSample(t)
	twin := held{}
	for _, r := range sample {
		twin.take(r)
	}
	computed := twin.answers()
	computed.Network = want.Network
	if diff := gocmp.Diff(want, computed, cmpopts.EquateApprox(0, 6e-7)); diff != "" {
		t.Fatalf("the twin is wrong (-want +got)\n%s", diff)
	}

	g := &golden{t: t, store: store}
	g.start()
	for station := range twin {
		if _, err := g.client.RegisterStations(t.Context(), &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: station}}}); err != nil {
			t.Fatal(err)
		}
	}
	doubled := slices.Concat(sample, sample)
	rng.Shuffle(len(doubled), func(i, j int) { doubled[i], doubled[j] = doubled[j], doubled[i] })
	g.load(doubled, int64(len(doubled)/2))
	g.start()
	g.load(doubled, math.MaxInt64)
	g.check(want)

	some := slices.Clone(sample)
	rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	some = some[:600]
	for i := range some {
		if some[i].Values = slices.Clone(some[i].Values); i < 300 {
			some[i].Values[weather.Temperature] = weather.Value(rng.IntN(600) - 200)
			some[i].Values[weather.Precipitation1h] = weather.Value(rng.IntN(100))
			some[i].Values[weather.Precipitation6h] = weather.Trace
		}
	}
	g.record(some[:300])
	for _, r := range some[300:] {
		g.retract(r)
		delete(twin[r.Station], r.Time)
	}
	for _, r := range some[:300] {
		twin.take(r)
	}
	g.check(twin.answers())
	g.stop(syscall.SIGKILL) // and what is stored of it
	g.start()
	byGRPC(t, g.client).check(t, twin.answers())
	g.load(sample, math.MaxInt64)
	g.check(want)
	g.stop(syscall.SIGTERM)
}

// record sends observations one by one, with all that they have.
func (g *golden) record(readings []ingest.Reading) {
	g.t.Helper()
	catalogue := weather.Standard()
	r := &mesonetv1.RecordObservationsRequest{}
	for _, reading := range readings {
		o := &mesonetv1.Observation{Station: reading.Station, Time: timestamppb.New(reading.Time.Time()), Values: map[string]float64{}}
		for i, v := range reading.Values {
			switch v {
			case weather.Missing:
			case weather.Trace:
				o.Traces = append(o.Traces, catalogue[i].Name)
			default:
				o.Values[catalogue[i].Name] = v.Float(catalogue[i].Decimals)
			}
		}
		r.Observations = append(r.Observations, o)
	}
	done, err := mesonetv1.NewObservationServiceClient(g.client.Conn()).RecordObservations(g.t.Context(), r)
	if err != nil {
		g.t.Fatal(err)
	}
	for i, o := range done.GetOutcomes() {
		if s := o.GetStatus(); s != mesonetv1.RecordOutcome_STATUS_CORRECTED && s != mesonetv1.RecordOutcome_STATUS_DUPLICATE {
			g.t.Fatalf("observation %v: %v", r.GetObservations()[i], o)
		}
	}
}

func (g *golden) retract(r ingest.Reading) {
	g.t.Helper()
	_, err := mesonetv1.NewObservationServiceClient(g.client.Conn()).RetractObservation(g.t.Context(),
		&mesonetv1.RetractObservationRequest{Station: r.Station, Time: timestamppb.New(r.Time.Time()), Reason: "a test"})
	if err != nil {
		g.t.Fatal(err)
	}
}
