package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/race"
	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

func openResume(t testing.TB, path string) *Resume {
	t.Helper()
	r, err := OpenResume(path, "server")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// folder of all kinds of files, with bad lines here and there, and how many
// lines and bad ones there are.
func mixedFolder(t testing.TB) (path string, lines, bad int) {
	all := sample(t)
	path = t.TempDir()
	spoilt := bytes.Clone(observations(t)[:600_000])
	spoilt = spoilt[:bytes.LastIndexByte(spoilt, '\n')+1]
	var b bytes.Buffer
	for i, line := range bytes.SplitAfter(spoilt, []byte("\n")) {
		if i%1000 == 500 {
			b.WriteString("garbage\n\n")
			bad++
		}
		b.Write(line)
	}
	lines += bytes.Count(b.Bytes(), []byte("\n"))
	csv := asCSV(all[:5000])
	csv = append(csv, "\"a\nrecord\",of,several,lines\n"...)
	bad++
	lines += bytes.Count(csv, []byte("\n"))
	isd := asISDLite(all[:8784])
	lines += 8784
	table, err := os.ReadFile("testdata/year.parquet")
	if err != nil {
		t.Fatal(err)
	}
	lines += 17_568
	for name, data := range map[string][]byte{"a.csv.gz": gz(t.(*testing.T), b.Bytes()), "b.csv": csv, "c/724940-23234-2008.zst": zst(t, isd), "d.parquet": table} {
		file := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, lines, bad
}

// Loads that are killed anywhere, and resumed, store everything in the end, put
// every bad line into the quarantine, and send little twice. (Seen to fail with a
// tracker.upTo that calls all done that was read: readings were lost; and with a
// producer.flush that begins again after it was given up.)
func TestResumeAfterKills(t *testing.T) {
	folder, lines, bad := mixedFolder(t)
	formats, err := NewFormats(weather.Standard(), otherUnits, Mapping{Name: "tables", Format: ParquetName, Trace: []string{"-0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	all := sample(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := 3
	if race.Enabled {
		rounds = 1
	}
	for range rounds {
		path := filepath.Join(t.TempDir(), "resume")
		s := newStore()
		quarantine := map[string]bool{}
		total, kills := int64(0), 0
		for done := false; !done; {
			if kills > 200 {
				t.Fatal("it does not come to its end")
			}
			synctest.Test(t, func(t *testing.T) {
				got, killed := killed(t, folder, formats, path, s, quarantine, random)
				total += got.Readings
				done = !killed
				if killed {
					kills++
				} else if got.Lines != int64(lines) || got.Files != 4 {
					t.Errorf("%d lines of %d files, want %d of 4", got.Lines, got.Files, lines)
				}
			})
		}
		for _, r := range all {
			if !slices.Equal(s.held[r.Station][r.Time], r.Values) {
				t.Fatalf("after %d kills %s holds %v at %s, want %v", kills, r.Station, s.held[r.Station][r.Time], r.Time, r.Values)
			}
		}
		if len(quarantine) != bad {
			t.Errorf("after %d kills %d lines are in the quarantine, want %d", kills, len(quarantine), bad)
		}
		// What is in the window is read again, and what was sent since the
		// last save.
		if most := int64(lines + kills*(2000+3000+2<<blockBits)); total > most {
			t.Errorf("after %d kills %d readings were read, of %d: at most %d", kills, total, lines, most)
		}
		t.Logf("%d kills: %d readings of %d lines", kills, total, lines)
	}
}

// killed loads until a kill at a random batch, after which only what the disk had
// then remains, or to the end.
func killed(t *testing.T, folder string, formats *Formats, path string, s *store, quarantine map[string]bool, random *rand.Rand) (Summary, bool) {
	found, err := Open(t.Context(), folder, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Format = formats.Recognise
	cfg.RunLength, cfg.BatchLength, cfg.Buffer, cfg.InFlight = 16, 200, 2000, 1000
	cfg.Resume, cfg.ResumeEvery = openResume(t, path), 10*time.Millisecond
	cfg.Quarantine = func(q Quarantined) error {
		quarantine[fmt.Sprint(q.Source, q.Line)] = true
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.sent = 0
	last := random.IntN(80) + 1
	var disk []byte
	dead := false
	s.send = func(ctx context.Context, n int) error {
		time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond) //nolint:forbidigo // costs nothing in a bubble
		if n < last || dead {
			return ctx.Err()
		}
		dead = true
		disk, err = os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		cancel()
		return ctx.Err()
	}
	s.delay = func() time.Duration { return time.Duration(random.IntN(30)) * time.Millisecond }
	got, err := Load(ctx, found.Sources, s, cfg)
	synctest.Wait()
	<-time.After(time.Second) // late answers
	if !dead {
		if err != nil {
			t.Fatal(err)
		}
		return got, false
	}
	if disk == nil {
		_ = os.Remove(path)
	} else if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return got, true
}

// Once all is loaded, nothing is read again; a source that has changed, or is
// read by another mapping, is.
func TestResumeOfWhatIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resume")
	csv := write(t, "x.csv", []byte("station,time,temperature\na,2008-01-01T00:00Z,1.0\n"))
	load := func(m Mapping, want Summary) {
		t.Helper()
		found, err := Open(t.Context(), csv, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		m.Name = "m"
		cfg.Format = Only(mustMap(t, m))
		cfg.Resume = openResume(t, path)
		// A stream can't be resumed, and what comes twice is read twice.
		sources := append(found.Sources, found.Sources[0], Stream("s", strings.NewReader("station,time,temperature\n")))
		got, err := Load(t.Context(), sources, newStore(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got.Files != 3 || got.Finished != want.Finished || got.Resumed != want.Resumed || got.Readings != want.Readings || got.Lines != 5 {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	load(Mapping{}, Summary{Readings: 2})
	load(Mapping{}, Summary{Readings: 1, Finished: 1, Resumed: 2})
	load(Mapping{Round: true}, Summary{Readings: 2})
	load(Mapping{Round: true}, Summary{Readings: 1, Finished: 1, Resumed: 2})
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(csv, later, later); err != nil {
		t.Fatal(err)
	}
	load(Mapping{Round: true}, Summary{Readings: 2})
}

func TestOpenResumeRefuses(t *testing.T) {
	good := filepath.Join(t.TempDir(), "resume")
	cfg := DefaultConfig()
	cfg.Resume = openResume(t, good)
	if _, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, newStore(), cfg); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenResume(good, "another"); !errors.Is(err, ErrResume) || !strings.Contains(err.Error(), "a load into server, not another") {
		t.Errorf("another target: %v", err)
	}
	if _, err := OpenResume(t.TempDir(), "server"); !errors.Is(err, ErrResume) {
		t.Errorf("a folder: %v", err)
	}
	body := data[bytes.IndexByte(data, '\n')+1:]
	signed := func(body string) []byte {
		return []byte(resumeMagic + sumOf([]byte(body)) + "\n" + body)
	}
	for want, wrong := range map[string][]byte{
		"is not a resume file":       []byte("hello\n"),
		"not a resume file":          {},
		"by another version":         bytes.Replace(data, []byte("resume 1 "), []byte("resume 2 "), 1),
		"its checksum is wrong":      bytes.Replace(data, []byte(`"done"`), []byte(`"dome"`), 1),
		"checksum is wrong":          data[:len(data)-1],
		"is damaged: unexpected end": signed(string(body[:len(body)-1])),
		"a source has no lines":      signed(`{"target":"server","sources":[null]}`),
		"source has no lines":        signed(`{"target":"server","sources":[{"lines":-1}]}`),
	} {
		path := write(t, "resume", wrong)
		if _, err := OpenResume(path, "server"); !errors.Is(err, ErrResume) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	// A place that can't be written to ends the load.
	cfg.Resume = openResume(t, filepath.Join(t.TempDir(), "missing", "resume"))
	if _, err := Load(t.Context(), []Source{Memory("sample", observations(t))}, newStore(), cfg); !errors.Is(err, ErrResume) {
		t.Errorf("no folder: %v", err)
	}
	left, err := filepath.Glob(good + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("files are left behind: %v, %v", left, err)
	}
}

// What the tracker calls done is what a slow one does. (Seen to fail with
// newTracker that forgets what was resumed at.)
func TestTrackerAgainstASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		resumed := rapid.Int64Range(0, 3000).Draw(t, "resumed")
		in := &input{identity: &identity{}, resume: resumed}
		tr := newTracker([]*input{{identity: &identity{}}, in})
		open := map[int64]bool{}
		line, read := resumed, resumed
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "read") {
				var places []place
				for range rapid.IntRange(0, 300).Draw(t, "readings") {
					line += rapid.Int64Range(1, 30).Draw(t, "gap")
					places = append(places, placeOf(1, line))
					open[line] = true
				}
				tr.reached(1, line)
				tr.opened(places)
				read = line
			} else {
				var places []place
				for line := range open {
					if rapid.IntRange(0, 2).Draw(t, "answered") > 0 {
						places = append(places, placeOf(1, line))
						delete(open, line)
					}
				}
				tr.acknowledged(places)
			}
			got := tr.upTo(1).line
			least := read
			for line := range open {
				least = min(least, line-1)
			}
			if got > least || got < max(resumed, least-1<<blockBits) {
				t.Fatalf("done up to %d; up to %d is, of %d", got, least, read)
			}
		}
	})
}

func FuzzOpenResume(f *testing.F) {
	f.Add([]byte(`{"target":"server","sources":[{"name":"a","size":1,"head":2,"format":"csv","lines":3}]}`), true)
	f.Add([]byte(sampledata.NewYork), false)
	f.Fuzz(func(t *testing.T, body []byte, sign bool) {
		if sign {
			body = slices.Concat([]byte(resumeMagic), []byte(sumOf(body)), []byte("\n"), body)
		}
		file, err := parseResume(body)
		if err != nil {
			return
		}
		for _, p := range file.Sources {
			if p.Lines < 0 {
				t.Fatalf("%+v", p)
			}
		}
	})
}
