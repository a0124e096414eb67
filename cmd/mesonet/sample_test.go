package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
)

// newNode starts a node in this process, and returns its address.
func newNode(t *testing.T) string {
	t.Helper()
	cfg := daemon.DefaultConfig(t.TempDir())
	cfg.Listen, cfg.Admin, cfg.HTTP, cfg.Shards, cfg.Logger = "127.0.0.1:0", "", "", 4, slog.New(slog.DiscardHandler)
	node, err := daemon.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(context.WithoutCancel(t.Context()), node); err != nil {
			t.Error(err)
		}
	})
	return node.Addr()
}

// loadSample loads the year of two stations.
func loadSample(t *testing.T, addr string) {
	t.Helper()
	two, err := twoStations()
	if err != nil {
		t.Fatal(err)
	}
	readings, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct {
		text    []byte
		command []string
	}{{two, []string{"station", "load", "-"}}, {readings, []string{"load", "-"}}} {
		if r := runIn(t.Context(), bytes.NewReader(file.text), append(file.command, "--addr", addr)...); r.code != exitOK {
			t.Fatalf("%v ends with %d: %s", file.command, r.code, r.stderr)
		}
	}
}

// rowsOf runs a command that answers with csv, and returns its rows as maps.
func rowsOf(t *testing.T, addr string, args ...string) []map[string]string {
	t.Helper()
	r := runArgs(t, append(args, "-o", "csv", "--addr", addr)...)
	if r.code != exitOK {
		t.Fatalf("%v ends with %d: %s", args, r.code, r.stderr)
	}
	all, err := csv.NewReader(strings.NewReader(r.stdout)).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%v writes %q: %v", args, r.stdout, err)
	}
	var rows []map[string]string
	for _, cells := range all[1:] {
		row := make(map[string]string)
		for i, name := range all[0] {
			row[name] = cells[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// near compares with what is rounded to six decimals.
func near(t *testing.T, what, got string, want float64) {
	t.Helper()
	if v, err := strconv.ParseFloat(got, 64); err != nil || math.Abs(v-want) > 5.1e-7 {
		t.Errorf("%s is %q, want %v", what, got, want)
	}
}

func nearAll(t *testing.T, what string, row map[string]string, want sampledata.Temperature) {
	t.Helper()
	for name, v := range map[string]float64{
		"observations": float64(want.N), "high": want.High, "low": want.Low, "mean": want.Mean, "variance": want.Variance, "stdev": want.Stdev,
	} {
		near(t, what+" "+name, row[name], v)
	}
}

// keyed splits the key of an answer: a station, then a year, a month and a day.
func keyed(key string) (station, period string) {
	parts := strings.Split(key, "|")
	for i, part := range parts[2:] {
		parts[i+2] = fmt.Sprintf("%02s", part)
	}
	return parts[0], strings.Join(parts[1:], "-")
}

// Every figure that is known of the sample comes out of the command line as it
// should, except the ranking of stations, which is no question of theirs.
func TestSampleAnswers(t *testing.T) {
	want, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	addr := newNode(t)
	loadSample(t, addr)
	for key, rain := range want.Annual {
		station, year := keyed(key)
		hours := rowsOf(t, addr, "precip", station, year)[0]
		near(t, key, hours["millimetres"], rain.OneHour)
		near(t, key+" traces", hours["trace_hours"], float64(rain.TraceHours))
		near(t, key+" observations", hours["observations"], float64(rain.Observations))
		near(t, key+" by six hours", rowsOf(t, addr, "precip", station, year, "--method", "six-hour")[0]["millimetres"], rain.SixHour)
		near(t, key+" as any measure", rowsOf(t, addr, "statistics", station, "precipitation_1h", year)[0]["sum"], rain.OneHour)
	}
	for key, millimetres := range want.Monthly {
		station, month := keyed(key)
		near(t, key, rowsOf(t, addr, "precip", station, month)[0]["millimetres"], millimetres)
	}
	for key, figures := range want.Months {
		station, month := keyed(key)
		nearAll(t, key, rowsOf(t, addr, "temperature", station, month)[0], figures)
		nearAll(t, key+" as any measure", rowsOf(t, addr, "statistics", station, "temperature", month)[0], figures)
		for _, day := range rowsOf(t, addr, "hilow", station, month) {
			d, err := time.Parse(time.DateOnly, day["date"])
			if err != nil {
				t.Fatal(err)
			}
			of := want.Days[sampledata.DayKey(station, d.Year(), int(d.Month()), d.Day())]
			near(t, day["date"]+" high", day["high"], of.High)
			near(t, day["date"]+" low", day["low"], of.Low)
			near(t, day["date"]+" observations", day["observations"], float64(of.N))
		}
	}
	for key, hours := range want.TopHours {
		station, year := keyed(key)
		rows := rowsOf(t, addr, "top", "precipitation", station, year)
		for i, hour := range hours {
			near(t, key, rows[i]["millimetres"], hour.Millimetres)
			if got := strings.Replace(rows[i]["time"], ":00Z", "Z", 1); got != hour.At || len(rows) != len(hours) {
				t.Errorf("%s: place %d of %d is %s, want %s", key, i+1, len(rows), got, hour.At)
			}
		}
	}
	for key, days := range want.TopDays {
		station, year := keyed(key)
		rows := rowsOf(t, addr, "top", "precipitation_1h", station, year, "--days")
		for i, day := range days {
			near(t, key, rows[i]["value"], day.Millimetres)
			if got, _, _ := strings.Cut(rows[i]["time"], "T"); got != day.Day || len(rows) != len(days) {
				t.Errorf("%s: place %d of %d is %s, want %s", key, i+1, len(rows), got, day.Day)
			}
		}
	}
	sky := make(map[string]int)
	for key := range want.Annual {
		station, year := keyed(key)
		for _, row := range rowsOf(t, addr, "sky", station, year) {
			n, err := strconv.Atoi(row["observations"])
			if err != nil {
				t.Fatal(err)
			}
			sky[station+"|"+year+"|"+row["code"]] = n
		}
	}
	if !maps.Equal(sky, want.Sky) {
		t.Errorf("the sky was %v, want %v", sky, want.Sky)
	}
	checkDays(t, addr, want)
}

// checkDays asks for each day in one go.
func checkDays(t *testing.T, addr string, want *sampledata.Expected) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(want.Days))
	var questions bytes.Buffer
	for _, key := range keys {
		parts := strings.Split(key, "|")
		fmt.Fprintf(&questions, `{"daily_temperature":{"station":%q,"year":%s,"month":%s,"day":%s}}`+"\n", parts[0], parts[1], parts[2], parts[3])
	}
	r := runIn(t.Context(), &questions, "ask", "-", "--addr", addr)
	if r.code != exitOK {
		t.Fatalf("ask ends with %d: %s", r.code, r.stderr)
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != len(keys) {
		t.Fatalf("%d answers to %d questions", len(lines), len(keys))
	}
	for i, key := range keys {
		var answer struct {
			Daily struct {
				Temperature map[string]any `json:"temperature"`
			} `json:"daily_temperature"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &answer); err != nil {
			t.Fatal(err)
		}
		row := make(map[string]string)
		for name, v := range answer.Daily.Temperature {
			row[name] = fmt.Sprint(v)
		}
		nearAll(t, key, row, want.Days[key])
	}
}
