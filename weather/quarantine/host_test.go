package quarantine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/weather/quarantine"
)

// hosted is a kind on a host that stores pages all the time and has memory for
// next to none of them.
type hosted struct {
	*quarantine.Quarantine
	store   persistence.Store
	host    *entity.Host
	evicted atomic.Int64
}

func host(t testing.TB, q *quarantine.Quarantine) *hosted {
	t.Helper()
	store, err := memory.New(2)
	if err != nil {
		t.Fatal(err)
	}
	h := &hosted{Quarantine: q, store: store}
	h.open(t)
	return h
}

func (h *hosted) open(t testing.TB) {
	t.Helper()
	cfg := entity.DefaultHostConfig(h.store, "n", h.Kind)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.CheckpointBytes, cfg.CheckpointEvery = 1, time.Millisecond
	cfg.Memory, cfg.MemoryEvery = 1<<20, time.Millisecond
	cfg.Listener.PagesEvicted = func(pages int, _ int64) { h.evicted.Add(int64(pages)) }
	cfg.Listener.EntityFailed = func(path string, err error) { t.Errorf("%s: %v", path, err) }
	cfg.Listener.EntityCorrupt = func(id entity.ID, err error) { t.Errorf("%s: %v", id, err) }
	var err error
	if h.host, err = entity.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func (h *hosted) close(t testing.TB) {
	t.Helper()
	if err := h.host.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// ask asks a source, again and again while the host has no memory to wake it.
func ask[C, R any](t testing.TB, h *hosted, handle *entity.Handle[C, R], source string, command C) (R, error) {
	for {
		r, err := handle.Ask(t.Context(), h.host, quarantine.ID(source), command)
		if !errors.Is(err, entity.ErrOverloaded) {
			return r, err
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // in a synctest bubble, where it costs nothing
	}
}

// verify looks whether the store, which is closed, holds what its events make.
func (h *hosted) verify(t testing.TB) {
	t.Helper()
	_, err := entity.Verify(t.Context(), h.store, []*entity.Kind{h.Kind}, entity.DefaultVerifyConfig(),
		func(f inspect.Finding) { t.Errorf("the store has %v", f) })
	if err != nil {
		t.Error(err)
	}
}

// names lists the sources after one.
func (h *hosted) names(t testing.TB, after string) (all []string) {
	t.Helper()
	for name, err := range h.Sources(t.Context(), h.host, after) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	return all
}

// Names of any kind are kept apart, listed as they are and in their order, and
// mean nothing to the store. Mutations seen to fail: keys that are the names; keys
// in the usual base32, whose order is another.
func TestHostileNames(t *testing.T) { synctest.Test(t, testHostileNames) }

func testHostileNames(t *testing.T) {
	h := host(t, standard(t))
	defer func() { h.close(t) }()
	all := []string{
		"a", "a/", "a/b", "a/b/../../../etc/passwd", "..", ".", "/", "//", " ", "\x00", "\n", "a\x00", "a\x00b", "a\r\n\x1b[2J", "\u202egnp.exe",
		"a b", "A", "ä", "日本.csv", "\U0010ffff", "~", "%2e%2e", "'; drop table", "<script>", "load.zip!2008/ny.csv", "name/a", "index/quarantine/name",
		strings.Repeat("x", quarantine.MaxSource), strings.Repeat("x", quarantine.MaxSource-1) + "y", strings.Repeat("/", quarantine.MaxSource),
	}
	keepAll := func(name string) {
		t.Helper()
		if _, err := ask(t, h, h.Keep, name, &quarantine.Keep{Source: name, Lines: []quarantine.Line{line(1, name)}, Now: begin}); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	}
	for _, name := range all {
		if err := entity.CheckID(quarantine.ID(name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		keepAll(name)
	}
	slices.Sort(all)
	for range 2 {
		for i, after := range append([]string{""}, all...) {
			if got := h.names(t, after); !slices.Equal(got, all[i:]) {
				t.Fatalf("after %q are %q, want %q", after, got, all[i:])
			}
		}
		for _, name := range all {
			got, err := ask(t, h, h.Lines, name, &quarantine.GetLines{Source: name, Limit: 9})
			if want := (quarantine.Lines{Lines: []quarantine.Line{at(line(1, name), begin)}}); err != nil || !cmp.Equal(got, want) {
				t.Errorf("%q has %v, %v", name, got, err)
			}
		}
		h.close(t)
		h.open(t)
	}
	for i, name := range all {
		if _, err := ask(t, h, h.Release, name, &quarantine.Release{Source: name, All: true}); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if got := h.names(t, ""); !slices.Equal(got, all[i+1:]) {
			t.Fatalf("without %q there are %q", all[:i+1], got)
		}
	}
}

// The largest command that there may be fits the log, a page with the longest
// lines is below 1 MiB, and a source as large as may be is listed, released line by
// line and in the end gone, though its pages leave memory all the time. Mutation
// seen to fail: pages of twice as many slots.
func TestLargest(t *testing.T) { synctest.Test(t, testLargest) }

func testLargest(t *testing.T) {
	h := host(t, standard(t))
	defer func() { h.close(t) }()
	name := strings.Repeat("n", quarantine.MaxSource)
	id := quarantine.ID(name)
	widest := quarantine.Line{Text: strings.Repeat("t", quarantine.MaxText), Reason: strings.Repeat("r", quarantine.MaxReason), Format: strings.Repeat("f", quarantine.MaxFormat)}
	const each = quarantine.MaxBytes / (quarantine.MaxText + quarantine.MaxReason + quarantine.MaxFormat)
	kept, number := 0, ^uint32(0)
	for {
		k := &quarantine.Keep{Source: name, Now: begin}
		for range each {
			widest.Number = number
			k.Lines = append(k.Lines, widest)
			number -= 3
		}
		done, err := ask(t, h, h.Keep, name, k)
		if err != nil {
			t.Fatal(err)
		}
		kept += done.Kept
		if done.Dropped > 0 {
			break
		}
	}
	if want := (16 << 20) / 5376; kept != want {
		t.Errorf("%d of the widest lines are kept, want %d", kept, want)
	}
	h.close(t)
	h.open(t)
	d, err := h.host.Describe(t.Context(), entity.ID{Kind: quarantine.KindName, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Pages {
		if p.Bytes >= 1<<20 {
			t.Errorf("page %s has %d bytes", p.Name, p.Bytes)
		}
	}
	if want := 2 + (kept+127)/128; len(d.Pages) != want {
		t.Errorf("there are %d pages, want %d", len(d.Pages), want)
	}
	for left := kept; left > 0; {
		page, err := ask(t, h, h.Lines, name, &quarantine.GetLines{Source: name, Limit: quarantine.MaxLines})
		if err != nil || len(page.Lines) == 0 || page.More != (len(page.Lines) < left) {
			t.Fatalf("of %d there are %d, more %v, %v", left, len(page.Lines), page.More, err)
		}
		r := &quarantine.Release{Source: name}
		for _, l := range page.Lines {
			if l.Text != widest.Text || l.Time != begin {
				t.Fatalf("line %d is another", l.Number)
			}
			r.Lines = append(r.Lines, l.Number)
		}
		n, err := ask(t, h, h.Release, name, r)
		if err != nil || n != len(r.Lines) {
			t.Fatalf("%d of %d are released, %v", n, len(r.Lines), err)
		}
		left -= n
	}
	if got := h.names(t, ""); len(got) > 0 {
		t.Errorf("there are still %q", got)
	}
	if h.evicted.Load() == 0 {
		t.Error("no page ever left memory")
	}
}

// Sources have what plain maps have, and are listed while they have something,
// whether their pages are in memory, stored or read again, and after every start.
// Mutations seen to fail: keep leaving the name out when a source comes again; a
// release of the last line leaving the entity.
func TestRestarts(t *testing.T) {
	var evicted atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		const most, room = 300, 1 << 20
		q, plan := kind(t, most, room), drawPlan(rt, most, room)
		var wrong error
		synctest.Test(t, func(t *testing.T) { // where nothing may fail rt
			h := host(t, q)
			defer func() {
				h.close(t)
				h.verify(t)
				evicted.Add(h.evicted.Load())
			}()
			for i, step := range plan {
				if wrong = step(t, h); wrong != nil {
					wrong = fmt.Errorf("step %d: %w", i, wrong)
					return
				}
			}
		})
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
	if evicted.Load() == 0 {
		t.Error("no page ever left memory")
	}
}

// step does something with a host and returns what is wrong with it.
type step func(t testing.TB, h *hosted) error

// drawPlan draws steps, with what plain maps say to each.
func drawPlan(rt *rapid.T, most, room int) (plan []step) {
	names := []string{"b.csv", "a.csv", "a/b.csv", "\n"}
	twins := map[string]*twin{}
	for _, name := range names {
		twins[name] = &twin{lines: map[uint32]quarantine.Line{}, most: most, room: room}
	}
	for range rapid.IntRange(1, 20).Draw(rt, "steps") {
		name := rapid.SampledFrom(names).Draw(rt, "source")
		w := twins[name]
		there := len(w.lines) > 0
		switch rapid.SampledFrom([]string{"keep", "keep", "release", "lines", "source", "names", "fill", "start"}).Draw(rt, "what") {
		case "keep":
			k := drawKeep(rt, name)
			plan = append(plan, expect(func(h *hosted) *entity.Handle[*quarantine.Keep, quarantine.Kept] { return h.Keep }, name, k, w.keep(k), true))
		case "release":
			r := drawRelease(rt, w, name)
			plan = append(plan, expect(func(h *hosted) *entity.Handle[*quarantine.Release, int] { return h.Release }, name, r, w.release(r), there))
		case "lines":
			g := &quarantine.GetLines{Source: name, After: rapid.Uint32Range(0, 600).Draw(rt, "after"), Limit: rapid.SampledFrom([]int{1, 50, 1000}).Draw(rt, "limit")}
			plan = append(plan, expect(func(h *hosted) *entity.Handle[*quarantine.GetLines, quarantine.Lines] { return h.Lines }, name, g, w.after(g.After, g.Limit), there))
		case "source":
			want := quarantine.Source{Name: name, Lines: len(w.lines), Dropped: w.dropped, Last: w.last}
			plan = append(plan, expect(func(h *hosted) *entity.Handle[*quarantine.GetSource, quarantine.Source] { return h.Source }, name, &quarantine.GetSource{Source: name}, want, there))
		case "names":
			plan = append(plan, expectNames(twins, rapid.SampledFrom(append(names, "")).Draw(rt, "after")))
		case "fill": // so that others leave memory
			name := fmt.Sprint("filler", rapid.IntRange(0, 3).Draw(rt, "which"))
			k := &quarantine.Keep{Source: name, Lines: series(1, quarantine.MaxBytes/quarantine.MaxText, quarantine.MaxText)}
			plan = append(plan, func(t testing.TB, h *hosted) error {
				_, err := ask(t, h, h.Keep, name, k)
				return err
			})
		case "start":
			plan = append(plan, func(t testing.TB, h *hosted) error {
				h.close(t)
				h.open(t)
				return nil
			})
		}
	}
	return plan
}

// expect asks a source and expects a reply, or, unless it is there, the refusal.
func expect[C, R any](handle func(*hosted) *entity.Handle[C, R], name string, command C, want R, there bool) step {
	return func(t testing.TB, h *hosted) error {
		got, err := ask(t, h, handle(h), name, command)
		if !there {
			if r := (*entity.Rejection)(nil); !errors.As(err, &r) || r.Reason != quarantine.NotQuarantined {
				return fmt.Errorf("%T of %q, which has no lines: %v, %w", command, name, got, err)
			}
			return nil
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			return fmt.Errorf("%T of %q: %w (-want +got)\n%s", command, name, err, diff)
		}
		return nil
	}
}

// expectNames lists the sources that have lines now.
func expectNames(twins map[string]*twin, after string) step {
	var want []string
	for _, name := range slices.Sorted(maps.Keys(twins)) {
		if len(twins[name].lines) > 0 && name > after {
			want = append(want, name)
		}
	}
	return func(t testing.TB, h *hosted) error {
		got := slices.DeleteFunc(h.names(t, after), func(name string) bool { return strings.HasPrefix(name, "filler") })
		if !slices.Equal(got, want) {
			return fmt.Errorf("after %q are %q, want %q", after, got, want)
		}
		return nil
	}
}
