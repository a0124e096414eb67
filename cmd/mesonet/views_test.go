package main

import (
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/weather/view"
)

// tablesOf reads tables for others.
type tablesOf struct {
	*testing.T
	views  *cassandra.Views
	tables []*persistence.Table
}

// openTables opens the tables that are beside a store.
func openTables(t *testing.T, url string) *tablesOf {
	t.Helper()
	cfg, err := cassandra.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	store, err := cassandra.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	vc := view.Beside(store.Keyspace(), "", view.All())
	o := &tablesOf{T: t, tables: view.Tables(vc)}
	if o.views, err = store.Views(t.Context(), vc.Keyspace, o.tables); err != nil {
		t.Fatal(err)
	}
	return o
}

// rows returns the rows of a table that are of an id, by the names of their columns.
func (o *tablesOf) rows(table, id string) (rows []map[string]any) {
	o.Helper()
	def := o.tables[slices.IndexFunc(o.tables, func(t *persistence.Table) bool { return t.Name == table })]
	data, err := o.views.Rows(o.Context(), def, id)
	if err != nil {
		o.Fatal(err)
	}
	for values := range slices.Chunk(data, len(def.Columns)) {
		row := make(map[string]any)
		for i, c := range def.Columns {
			row[c.Name] = values[i].Value()
		}
		rows = append(rows, row)
	}
	return rows
}

// sum adds up a column over the rows of an id.
func (o *tablesOf) sum(table, column, id string) (sum float64) {
	o.Helper()
	for _, row := range o.rows(table, id) {
		if v, ok := row[column].(float64); ok {
			sum += v
		}
	}
	return sum
}

// have waits until the stations have so many rows in a table.
func (o *tablesOf) have(want int, table string) {
	o.Helper()
	has := -1
	o.Cleanup(func() {
		if has != want {
			o.Logf("%s has %d rows, want %d", table, has, want)
		}
	})
	waitUntil(o.T, func() bool {
		has = len(o.rows(table, sampledata.NewYork)) + len(o.rows(table, sampledata.SanFrancisco))
		return has == want
	})
}

// rained waits until all tables say that it has rained so much in New York.
func (o *tablesOf) rained(want float64) {
	o.Helper()
	for table, column := range map[string]string{view.YearlyPrecip: "precipitation", view.DailyPrecip: "precipitation", view.Observations: "one_hour_precip"} {
		waitUntil(o.T, func() bool { return math.Abs(o.sum(table, column, sampledata.NewYork)-want) <= 1e-6 })
	}
}

// A server that keeps tables for others has in them what it answers, after
// duplicates, a correction, a retraction and a kill; one that keeps none leaves them,
// and a copy of the store takes none of it along.
//
// Mutation seen to fail: package transfer takes the marks of views for pages ("this
// program does not know what it is").
func TestViewsOfServer(t *testing.T) {
	t.Parallel() // it mostly waits
	url := keyspaceURL(t)
	if got := runArgs(t, "schema", "apply", url, "--shards", "4", "--views", "all"); got.code != exitOK || !strings.Contains(got.stdout, "year_cumulative_precip") {
		t.Fatalf("mesonet schema apply ends with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	tables := openTables(t, url)
	server := func(views string) *process {
		// Pages are stored, and with them rows, as soon as they have changed.
		return startProcess(t, "ask it", "server", "--store", url, "--node", "a", "--views", views, "--auto-register",
			"--checkpoint-bytes", "1", "--listen", "127.0.0.1:0", "--http", "none", "--admin", "none")
	}
	run := func(args ...string) string {
		t.Helper()
		got := runArgs(t, args...)
		if got.code != exitOK {
			t.Fatalf("mesonet %s ends with %d: %s%s", strings.Join(args, " "), got.code, got.stdout, got.stderr)
		}
		return got.stdout
	}
	stop := func(p *process, by syscall.Signal) {
		t.Helper()
		if err := p.Process.Signal(by); err != nil {
			t.Fatal(err)
		}
		if code, rest := p.end(t); by == syscall.SIGTERM && code != exitOK {
			t.Fatalf("the server ended with %d: %s%s", code, rest, p.stderr.String())
		}
	}
	text, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	readings := write(t, t.TempDir(), "readings.csv", string(text))

	p := server("all")
	run("load", readings, "--addr", p.addr)
	tables.have(2, view.Stations)
	tables.have(8784*2, view.Observations)
	tables.have(366*2, view.DailyTemperature)
	tables.have(366*2, view.DailyPrecip)
	rained := func() float64 {
		t.Helper()
		var sum struct{ Millimetres float64 }
		if err := json.Unmarshal([]byte(run("precip", sampledata.NewYork, "2008", "--addr", p.addr, "-o", "json")), &sum); err != nil {
			t.Fatal(err)
		}
		return sum.Millimetres
	}
	before := rained()
	tables.rained(before)
	stop(p, syscall.SIGTERM)

	// All of it again, and what changes it: an hour of much rain, and one that is gone. The
	// server is killed, so that the next one makes the rows from the log.
	p = server("all")
	run("load", readings, "--addr", p.addr)
	run("observe", sampledata.NewYork, "2008-07-04T12:00Z", "temperature=20", "precipitation_1h=105", "--addr", p.addr)
	run("retract", sampledata.SanFrancisco, "2008-07-04T12:00Z", "--addr", p.addr)
	after := rained()
	if after < before+90 {
		t.Errorf("after 105 mm in an hour the sum goes from %v to %v", before, after)
	}
	stop(p, syscall.SIGKILL)
	p = server("all")
	tables.rained(after)
	tables.have(8784*2-1, view.Observations)
	tables.have(366*2, view.DailyTemperature)
	row := slices.IndexFunc(tables.rows(view.Observations, sampledata.NewYork), func(r map[string]any) bool {
		return r["month"] == int32(7) && r["day"] == int32(4) && r["hour"] == int32(12) && r["one_hour_precip"] == 105.0
	})
	if row < 0 {
		t.Error("the hour that was corrected is not there")
	}
	stop(p, syscall.SIGTERM)

	// Without tables the server leaves them; with them again they follow.
	p = server("none")
	run("retract", sampledata.SanFrancisco, "2008-07-04T13:00Z", "--addr", p.addr)
	stop(p, syscall.SIGTERM)
	tables.have(8784*2-1, view.Observations)
	p = server("all")
	tables.have(8784*2-2, view.Observations)
	stop(p, syscall.SIGTERM)

	folder := t.TempDir() + "/copy"
	run("store", "copy", url, folder)
	run("store", "verify", folder)
	p = startProcess(t, "ask it", "server", "--data", folder, "--listen", "127.0.0.1:0", "--http", "none", "--admin", "none")
	if got := rained(); got != after {
		t.Errorf("the copy says %v mm, and the server said %v", got, after)
	}
	stop(p, syscall.SIGTERM)
}
