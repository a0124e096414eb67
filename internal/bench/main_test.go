package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// TestMain makes this test binary a child where it is started as one.
func TestMain(m *testing.M) {
	if code, is := asChild(os.Stdin, os.Stdout, os.Stderr); is {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// runIn runs the program with a folder for temporary files of its own, and
// returns what it left there.
func runIn(ctx context.Context, t *testing.T, args ...string) (code int, stdout, stderr string, left []string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var out, err bytes.Buffer
	code = run(ctx, args, &out, &err)
	entries, readErr := os.ReadDir(dir)
	if readErr != nil {
		t.Fatal(readErr)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") { // of package servers, which all share
			left = append(left, e.Name())
		}
	}
	return code, out.String(), err.String(), left
}

// Every row is measured, at sizes that say nothing, and comes out as programs
// and people read it.
func TestRun(t *testing.T) { testRun(t, embeddedRows()) }

// Those of Cassandra that differ from the embedded ones in more than the store, on a
// real one.
func TestRunOnCassandra(t *testing.T) {
	serverstest.Require(t)
	testRun(t, []string{"cassandra-recovery", "cassandra-views"})
}

func testRun(t *testing.T, rows []string) {
	t.Helper()
	code, stdout, stderr, left := runIn(t.Context(), t, "-quick", "-time", "20ms", "-stations", "300", "-run", "^("+strings.Join(rows, "|")+")$", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	var rep report
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rep); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if dec.More() {
		t.Error("more than one document")
	}
	checkMachine(t, rep.Machine)
	want := settings{Time: 0.02, Shards: 32, Stations: 300, HourlyStations: 100_000, Days: 8, RecoverEach: 20, Quick: true}
	if rep.Settings != want {
		t.Errorf("settings are %+v, want %+v", rep.Settings, want)
	}
	var got []string
	for _, r := range rep.Rows {
		got = append(got, r.ID)
		checkRow(t, r)
		if !strings.Contains(stderr, "\n"+r.ID+" ") {
			t.Errorf("no progress of row %s", r.ID)
		}
	}
	if !slices.Equal(got, rows) {
		t.Errorf("rows are %v, want %v", got, rows)
	}
	checkTable(t, &rep)
}

// embeddedRows are those that need no server.
func embeddedRows() (names []string) {
	for _, b := range benchmarks() {
		if !b.server {
			names = append(names, b.id)
		}
	}
	return names
}

func checkMachine(t *testing.T, m machine) {
	t.Helper()
	if m.Go == "" || m.OS == "" || m.CPU == "" || m.Cores < 1 || m.GOMAXPROCS < 1 || m.FileSystem == "" || m.FsyncP50 <= 0 {
		t.Errorf("the machine is not described: %+v", m)
	}
	if _, err := time.Parse(time.RFC3339, m.Started); err != nil {
		t.Error(err)
	}
}

// goals are the rows that have one, and whether it is of the ratio.
var goals = map[string]goal{
	"observe-interleaved": {Of: ofRatio, Must: atLeast, Value: 1},
	"observe-runs":        {Of: ofRatio, Must: atLeast, Value: 2.5},
	"ask":                 {Of: ofRatio, Must: atLeast, Value: 0.5},
	"top-hours":           {Of: ofRatio, Must: atLeast, Value: 0.25},
	"top-days":            {Of: ofRatio, Must: atLeast, Value: 0.25},
	"grpc-1":              {Of: ofRatio, Must: atLeast, Value: 0.7},
	"grpc-4":              {Of: ofRatio, Must: atLeast, Value: 0.7},
	"transport":           {Of: ofRatio, Must: atLeast, Value: 0.7},
	"across":              {Of: ofRatio, Must: atLeast, Value: 0.7},
	"stream":              {Of: ofHere, Must: atLeast, Value: 500_000},
	"files-killrweather":  {Of: ofRatio, Must: atLeast, Value: 0.5},
	"files-isd-lite":      {Of: ofRatio, Must: atLeast, Value: 0.5},
	"recovery":            {Of: ofHere, Must: below, Value: 1},
	"memory":              {Of: ofHere, Must: below, Value: 2000},
	"pages":               {Of: ofHere, Must: atMost, Value: 30},

	"cassandra-interleaved": {Of: ofRatio, Must: atLeast, Value: 0.5},
	"cassandra-recovery":    {Of: ofHere, Must: below, Value: 2},
	"cassandra-runs":        {Of: ofRatio, Must: atLeast, Value: 0.6},
}

func checkRow(t *testing.T, r row) {
	t.Helper()
	if r.Work == "" || r.Unit == "" || r.Here <= 0 {
		t.Errorf("row %s: %+v", r.ID, r)
	}
	if l := r.Limit; l == nil {
		if r.ID != "pages" || r.Ratio != 0 {
			t.Errorf("row %s has no limit, and the ratio %v", r.ID, r.Ratio)
		}
	} else if l.What == "" || l.Before <= 0 || l.After <= 0 || l.Mean != (l.Before+l.After)/2 || math.Abs(r.Ratio-r.Here/l.Mean) > 1e-9 {
		t.Errorf("row %s: here %v, ratio %v, limit %+v", r.ID, r.Here, r.Ratio, *l)
	}
	want, has := goals[r.ID]
	if has != (r.Goal != nil) {
		t.Fatalf("row %s: goal %v, want %v", r.ID, r.Goal, want)
	}
	if has {
		figure := r.Here
		if want.Of == ofRatio {
			figure = r.Ratio
		}
		want.Reached = want.met(figure)
		if *r.Goal != want {
			t.Errorf("row %s: goal %+v, want %+v", r.ID, *r.Goal, want)
		}
	}
	for _, f := range r.Also {
		if f.Name == "" || f.Unit == "" || f.Value < 0 {
			t.Errorf("row %s: figure %+v", r.ID, f)
		}
	}
}

// checkTable looks for every figure in its line, and for every outcome in words.
func checkTable(t *testing.T, rep *report) {
	t.Helper()
	table, err := rep.render("table")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(table, "\n")
	for _, r := range rep.Rows {
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, r.ID+" ") })
		if i < 0 {
			t.Fatalf("no row %s in\n%s", r.ID, table)
		}
		outcome := "no goal"
		if r.Goal != nil {
			outcome = map[bool]string{true: "reached", false: "missed"}[r.Goal.Reached]
		}
		if line := lines[i]; !strings.Contains(line, " "+r.Unit.format(r.Here)+" ") || !strings.HasSuffix(line, "  "+outcome) {
			t.Errorf("row %s: here %s, %s, in %q", r.ID, r.Unit.format(r.Here), outcome, line)
		}
		if lines[i+1] != "    "+r.Work {
			t.Errorf("below row %s is %q", r.ID, lines[i+1])
		}
	}
}

// -run, -keep, -o table and the profiles.
func TestRunSome(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr, _ := runIn(t.Context(), t, "-quick", "-time", "10ms", "-run", "^observe-r", "-keep", dir+"/stores",
		"-cpuprofile", dir+"/cpu", "-memprofile", dir+"/mem")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if !strings.Contains(stdout, "\nobserve-runs ") || strings.Contains(stdout, "observe-interleaved") || strings.Contains(stdout, "\nask ") {
		t.Errorf("rows are not those asked for:\n%s", stdout)
	}
	stores, err := os.ReadDir(dir + "/stores")
	if err != nil || len(stores) < 3 {
		t.Errorf("kept are %v, %v", stores, err)
	}
	for _, name := range []string{"/cpu", "/mem"} {
		if info, err := os.Stat(dir + name); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v, %v", name, info, err)
		}
	}
	if code, _, stderr, _ := runIn(t.Context(), t, "-keep", dir+"/stores"); code != exitUsage || !strings.Contains(stderr, "not empty") {
		t.Errorf("kept twice: %d, %s", code, stderr)
	}
}

// What can't give a figure says why.
func TestRunFails(t *testing.T) {
	code, stdout, stderr, left := runIn(t.Context(), t, "-quick", "-time", "10ms", "-run", "pages", "-hourly-stations", "1")
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "-hourly-stations") || len(left) > 0 {
		t.Errorf("a load too small for a page: %d, %q, %q, %v", code, stdout, stderr, left)
	}
	blocked := t.TempDir() + "/file"
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr, _ := runIn(t.Context(), t, "-keep", blocked); code != exitUsage || !strings.Contains(stderr, "-keep") {
		t.Errorf("a file to keep stores in: %d, %q", code, stderr)
	}
	if code, _, stderr, left := runIn(t.Context(), t, "-cpuprofile", blocked+"/cpu"); code != exitFailed || !strings.Contains(stderr, "-cpuprofile") || len(left) > 0 {
		t.Errorf("a profile that can't be: %d, %q, %v", code, stderr, left)
	}
}

// watcher is told what goes to stderr, and cancels when it sees a word.
type watcher struct {
	mu     sync.Mutex
	text   strings.Builder
	word   string
	cancel func()
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if strings.Contains(w.text.String(), w.word) {
		w.cancel()
	}
	return len(b), nil
}

// A run that is interrupted, in whatever step of whatever row, ends at once,
// says so, shows no figures, and leaves no file, process or goroutine (the last
// two by goleak, as a process is waited for by one). Each step is interrupted at
// its beginning, and those that would last an hour in their middle.
//
// Mutations seen to fail: the folder is not removed; hammer, feed or the raw log
// doesn't look at its context; the process that loads is not killed.
func TestInterrupted(t *testing.T) {
	for _, test := range []struct {
		row, time, at string
	}{
		{"observe-interleaved", "1h", "limit, before"},
		{"observe-interleaved", "10ms", "here"},
		{"observe-runs", "10ms", "half load"},
		{"ask", "1h", "limit, before"},
		{"ask", "10ms", "here"},
		{"top-hours", "10ms", "here"},
		{"top-days", "1h", "limit, before"},
		{"grpc-1", "1h", "limit, before"},
		{"grpc-4", "10ms", "here"},
		{"transport", "1h", "limit, before"},
		{"transport", "10ms", "here"},
		{"stream", "1h", "observing a year"},
		{"stream", "1h", "limit, before"},
		{"stream", "10ms", "here"},
		{"files-killrweather", "1h", "writing files"},
		{"files-killrweather", "1h", "limit, before"},
		{"files-killrweather", "10ms", "here"},
		{"files-isd-lite", "1h", "limit, before"},
		{"recovery", "1h", "loading"},
		{"recovery", "1h", "limit, before"},
		{"recovery", "1h", "here"},
		{"busy", "1h", "limit, before"},
		{"busy", "10ms", "here"},
		{"memory", "1h", "registering"},
		{"memory", "1h", "limit, before"},
		{"memory", "1h", "here"},
		{"pages", "1h", "loading"},
		{"pages", "1h", "reporting hourly"},
	} {
		for _, delay := range []time.Duration{0, 30 * time.Millisecond} {
			t.Run(test.row+"/"+test.at+"/"+delay.String(), func(t *testing.T) {
				dir := t.TempDir()
				t.Setenv("TMPDIR", dir)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := &watcher{word: test.at, cancel: cancel}
				if delay > 0 {
					w.cancel = func() { time.AfterFunc(delay, cancel) }
				}
				var stdout bytes.Buffer
				args := []string{"-quick", "-stations", "300", "-time", test.time, "-run", "^" + test.row + "$"}
				code := run(ctx, args, &stdout, w)
				if code == exitOK && test.time == "10ms" && delay > 0 {
					t.Skip("it was done before")
				}
				if code != exitInterrupted || stdout.Len() > 0 || !strings.HasSuffix(w.text.String(), "bench: interrupted\n") {
					t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout.String(), w.text.String())
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		}
	}
}
