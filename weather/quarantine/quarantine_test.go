package quarantine_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"
	"github.com/mesonet/mesonet/weather/quarantine"
)

const source = "load/ny-2008.csv"

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// kind returns the kind with some limits.
func kind(t testing.TB, lines, bytes int) *quarantine.Quarantine {
	t.Helper()
	q, err := quarantine.New(quarantine.Config{Lines: lines, Bytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func standard(t testing.TB) *quarantine.Quarantine {
	cfg := quarantine.DefaultConfig()
	return kind(t, cfg.Lines, cfg.Bytes)
}

func line(number uint32, text string) quarantine.Line {
	return quarantine.Line{Number: number, Text: text, Reason: "the hour 25 does not exist", Format: "killrweather"}
}

func keep(lines ...quarantine.Line) *quarantine.Keep {
	return &quarantine.Keep{Source: source, Lines: lines, Now: begin}
}

// series returns lines of some numbers on, each with a text of some bytes.
func series(from uint32, n, bytes int) []quarantine.Line {
	all := make([]quarantine.Line, n)
	for i := range all {
		all[i] = quarantine.Line{Number: from + uint32(i), Text: strings.Repeat("x", bytes)}
	}
	return all
}

// all is how a source is asked for as many lines as a reply may have.
func all(after uint32) *quarantine.GetLines {
	return &quarantine.GetLines{Source: source, After: after, Limit: quarantine.MaxLines}
}

func at(l quarantine.Line, when time.Time) quarantine.Line {
	l.Time = when
	return l
}

func TestKeepListRelease(t *testing.T) {
	c := entitytest.Given(t, standard(t))
	c.When(keep(line(7, "725030:14732,2008,1,1,25"), line(3, "\xff\x00,"), line(7, "later"))).Replies(quarantine.Kept{Kept: 2})
	c.When(all(0)).Replies(quarantine.Lines{Lines: []quarantine.Line{at(line(3, "\xff\x00,"), begin), at(line(7, "later"), begin)}})
	c.When(&quarantine.GetLines{Source: source, Limit: 1}).Replies(quarantine.Lines{Lines: []quarantine.Line{at(line(3, "\xff\x00,"), begin)}, More: true})
	c.When(all(5)).Replies(quarantine.Lines{Lines: []quarantine.Line{at(line(7, "later"), begin)}})
	c.When(all(7)).Replies(quarantine.Lines{})

	again := &quarantine.Keep{Source: source, Lines: []quarantine.Line{{Number: 3, Reason: "no station"}, line(4, "")}, Now: begin.Add(time.Hour)}
	c.When(again).Replies(quarantine.Kept{Kept: 2})
	c.When(&quarantine.GetSource{Source: source}).Replies(quarantine.Source{Name: source, Lines: 3, Last: begin.Add(time.Hour)})
	c.When(&quarantine.GetLines{Source: source, Limit: 1}).Replies(quarantine.Lines{Lines: []quarantine.Line{{Number: 3, Reason: "no station", Time: begin.Add(time.Hour)}}, More: true})

	c.When(&quarantine.Release{Source: source, Lines: []uint32{9, 3, 3, 0}}).Replies(1)
	c.When(&quarantine.Release{Source: source, Lines: []uint32{3}}).Then().Replies(0)
	c.When(&quarantine.Release{Source: source}).Then().Replies(0)
	c.When(&quarantine.Release{Source: source, Lines: []uint32{7, 4}}).Then(entity.Delete()).Replies(2)
	for _, gone := range []any{all(0), &quarantine.GetSource{Source: source}, &quarantine.Release{Source: source, All: true}} {
		c.When(gone).Then().Refuses(entity.NotFound, `"load/ny-2008.csv"`)
	}
	c.When(keep(line(1, "anew"))).Replies(quarantine.Kept{Kept: 1})
	c.When(&quarantine.Release{Source: source, All: true}).Then(entity.Delete()).Replies(1)
	c.When(keep()).Then().Replies(quarantine.Kept{})
}

// Of one source no more is kept than the limits say, what has no room is counted,
// and there is room again for what is released. Mutations seen to fail: keep not
// counting the lines that it adds; release not taking off the bytes; a line that
// takes the place of another not being weighed.
func TestBounds(t *testing.T) {
	c := entitytest.Given(t, standard(t))
	for i := range 10 {
		c.When(keep(series(uint32(1000*i+1), 1000, 10)...)).Replies(quarantine.Kept{Kept: 1000})
	}
	c.When(keep(line(10_001, ""), line(10_000, "better"))).Replies(quarantine.Kept{Kept: 1, Dropped: 1})
	c.When(&quarantine.GetSource{Source: source}).Replies(quarantine.Source{Name: source, Lines: 10_000, Dropped: 1, Last: begin})
	c.When(&quarantine.Release{Source: source, Lines: []uint32{5}}).Replies(1)
	c.When(keep(series(20_000, 3, 0)...)).Replies(quarantine.Kept{Kept: 1, Dropped: 2})
	c.When(&quarantine.Release{Source: source, All: true}).Replies(10_000)
	c.When(keep(line(1, ""))).When(&quarantine.GetSource{Source: source}).Replies(quarantine.Source{Name: source, Lines: 1, Last: begin})

	const room = 6000
	c = entitytest.Given(t, kind(t, 10, room))
	c.When(keep(series(1, 3, 1900)...)).Replies(quarantine.Kept{Kept: 3})
	c.When(keep(series(4, 1, 301)...)).Replies(quarantine.Kept{Dropped: 1})
	c.When(keep(series(4, 1, 300)...)).Replies(quarantine.Kept{Kept: 1})
	c.When(keep(quarantine.Line{Number: 2, Reason: strings.Repeat("r", 1000), Text: strings.Repeat("y", 901)})).Replies(quarantine.Kept{Dropped: 1})
	c.When(all(1)).Matches(func(reply any) error {
		if got := reply.(quarantine.Lines).Lines[0]; got.Text != strings.Repeat("x", 1900) || got.Reason != "" {
			return fmt.Errorf("the line for whose successor there was no room is %.20q, %.20q", got.Text, got.Reason)
		}
		return nil
	})
	c.When(keep(series(2, 1, 0)...)).Replies(quarantine.Kept{Kept: 1})
	c.When(keep(series(5, 1, 1900)...)).Replies(quarantine.Kept{Kept: 1})
	c.When(&quarantine.Release{Source: source, Lines: []uint32{5}}).Replies(1)
	c.When(keep(series(6, 2, 1900)...)).Replies(quarantine.Kept{Kept: 1, Dropped: 1})
}

// A source that has more than new limits allow may still get smaller. Mutation seen
// to fail: keep weighing what gets smaller too.
func TestLowerLimits(t *testing.T) {
	var past []any
	twin := entity.NewTwin(kind(t, 10, 40_000))
	events, _, err := twin.Decide(keep(series(1, 8, 4000)...))
	if err != nil {
		t.Fatal(err)
	}
	past = append(past, events...)
	c := entitytest.Given(t, kind(t, 4, 6000), past...)
	c.When(keep(series(3, 2, 3000)...)).Replies(quarantine.Kept{Kept: 2})
	c.When(keep(series(3, 1, 3001)...)).Replies(quarantine.Kept{Dropped: 1})
	c.When(keep(series(9, 1, 0)...)).Replies(quarantine.Kept{Dropped: 1})
	c.When(&quarantine.GetSource{Source: source}).Replies(quarantine.Source{Name: source, Lines: 8, Dropped: 2, Last: begin})
}

// A reply has no more than it may, and at least one line. Mutation seen to fail:
// lines not counting bytes.
func TestReplyIsBounded(t *testing.T) {
	c := entitytest.Given(t, standard(t))
	for i := range 3 {
		c.When(keep(series(uint32(100*i+1), 100, quarantine.MaxText)...))
	}
	var got []uint32
	want := []int{128, 128, 44}
	for after, more := uint32(0), true; more; {
		c.When(all(after)).Matches(func(reply any) error {
			r := reply.(quarantine.Lines)
			if n := len(r.Lines); len(want) == 0 || n != want[0] {
				return fmt.Errorf("a reply has %d lines of 4 KiB, want %v", n, want)
			}
			want = want[1:]
			for _, l := range r.Lines {
				got = append(got, l.Number)
			}
			after, more = got[len(got)-1], r.More
			return nil
		})
	}
	if len(got) != 300 || got[299] != 300 || !slices.IsSorted(got) {
		t.Errorf("page by page there are %d: %v", len(got), got)
	}
}

func TestRefuses(t *testing.T) {
	long := strings.Repeat("x", quarantine.MaxSource)
	for _, c := range []struct {
		name    string
		command any
		says    string
	}{
		{"no name", &quarantine.Keep{Lines: series(1, 1, 1)}, "1 to 1024 bytes, this one has 0"},
		{"a long name", &quarantine.Keep{Source: long + "x"}, "1 to 1024 bytes, this one has 1025"},
		{"a name that is not UTF-8", &quarantine.Keep{Source: "a\xffb"}, `"a\xffb" of a source is not UTF-8`},
		{"no name to ask for", &quarantine.GetLines{Limit: 1}, "1 to 1024 bytes"},
		{"no name to ask about", &quarantine.GetSource{Source: "\xff"}, "is not UTF-8"},
		{"no name to release", &quarantine.Release{Source: "\xff", All: true}, "is not UTF-8"},
		{"line 0", keep(line(1, ""), line(0, "")), "no line 0"},
		{"a long text", keep(series(5, 1, quarantine.MaxText+1)...), "the text of line 5 has 4097 bytes, over the limit of 4096; cut it"},
		{"a long reason", keep(quarantine.Line{Number: 1, Reason: strings.Repeat("r", 1025)}), "the reason of line 1"},
		{"a long format", keep(quarantine.Line{Number: 1, Format: strings.Repeat("f", 257)}), "the format of line 1"},
		{"a reason that is not UTF-8", keep(quarantine.Line{Number: 1, Reason: "\xff"}), "not UTF-8"},
		{"many lines", keep(series(1, 1001, 0)...), "1001 lines are too many at once; send at most 1000"},
		{"many bytes", keep(append(series(1, 128, 4096), line(200, ""))...), "are too many at once; send at most 524288"},
		{"a page of none", &quarantine.GetLines{Source: source}, "1 to 1000, not 0"},
		{"a page of many", &quarantine.GetLines{Source: source, Limit: 1001}, "1 to 1000, not 1001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			entitytest.Given(t, standard(t)).When(c.command).Then().Refuses(entity.Invalid, c.says)
		})
	}
	entitytest.Given(t, standard(t)).When(keep(line(1, ""))).
		When(&quarantine.Release{Source: source, Lines: make([]uint32, 1001)}).Then().Refuses(entity.Invalid, "1001 lines are too many")
	entitytest.Given(t, standard(t)).When(&quarantine.Keep{Source: long, Lines: series(1, 1000, 500), Now: begin}).Replies(quarantine.Kept{Kept: 1000})
	for _, cfg := range []quarantine.Config{{}, {Lines: 1, Bytes: 5375}, {Lines: 100_001, Bytes: 6000}, {Lines: 1, Bytes: 1 << 29}} {
		if _, err := quarantine.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// twin is a source as a plain map.
type twin struct {
	lines   map[uint32]quarantine.Line
	dropped uint64
	last    time.Time
	most    int
	room    int
}

func size(l quarantine.Line) int { return len(l.Text) + len(l.Reason) + len(l.Format) }

func (w *twin) bytes() (n int) {
	for _, l := range w.lines {
		n += size(l)
	}
	return n
}

func (w *twin) keep(k *quarantine.Keep) (kept quarantine.Kept) {
	last := map[uint32]quarantine.Line{}
	for _, l := range k.Lines {
		last[l.Number] = at(l, k.Now)
	}
	for _, number := range slices.Sorted(maps.Keys(last)) {
		old, known := w.lines[number]
		if !known && len(w.lines) == w.most || w.bytes()-size(old)+size(last[number]) > w.room {
			kept.Dropped++
			continue
		}
		w.lines[number] = last[number]
		kept.Kept++
	}
	w.dropped += uint64(kept.Dropped)
	if len(k.Lines) > 0 {
		w.last = k.Now
	}
	return kept
}

func (w *twin) release(r *quarantine.Release) (released int) {
	for _, number := range r.Lines {
		if _, ok := w.lines[number]; ok {
			delete(w.lines, number)
			released++
		}
	}
	if r.All {
		released = len(w.lines)
		clear(w.lines)
	}
	if len(w.lines) == 0 {
		w.dropped, w.last = 0, time.Time{}
	}
	return released
}

func (w *twin) after(number uint32, limit int) (r quarantine.Lines) {
	for _, n := range slices.Sorted(maps.Keys(w.lines)) {
		if n <= number {
			continue
		}
		if r.More = len(r.Lines) == limit; r.More {
			break
		}
		r.Lines = append(r.Lines, w.lines[n])
	}
	return r
}

// drawKeep and drawRelease draw commands whose lines meet again and again: some
// alone, and some that fill pages.
func drawKeep(rt *rapid.T, name string) *quarantine.Keep {
	k := &quarantine.Keep{Source: name, Now: begin.Add(time.Duration(rapid.IntRange(0, 9).Draw(rt, "minutes")) * time.Minute)}
	for range rapid.IntRange(0, 5).Draw(rt, "runs") {
		from := rapid.Uint32Range(1, 500).Draw(rt, "from")
		if rapid.IntRange(0, 9).Draw(rt, "far") == 0 {
			from = ^uint32(0) - 200
		}
		l := quarantine.Line{
			Reason: rapid.SampledFrom([]string{"", "no such hour"}).Draw(rt, "reason"),
			Format: rapid.SampledFrom([]string{"", "csv/river"}).Draw(rt, "format"),
		}
		texts := []string{"", "a", "\xfe,1,2", strings.Repeat("t", 700)}
		rest := rapid.IntRange(0, 3).Draw(rt, "text")
		for i := range rapid.SampledFrom([]uint32{1, 1, 2, 130}).Draw(rt, "lines") {
			l.Number, l.Text = from+i, texts[(rest+int(i))%len(texts)]
			k.Lines = append(k.Lines, l)
		}
	}
	return k
}

func drawRelease(rt *rapid.T, w *twin, name string) *quarantine.Release {
	r := &quarantine.Release{Source: name, All: rapid.IntRange(0, 9).Draw(rt, "all") == 0}
	there := slices.Sorted(maps.Keys(w.lines))
	switch {
	case r.All:
	case rapid.IntRange(0, 7).Draw(rt, "every") == 0:
		r.Lines = there
	default:
		for range rapid.IntRange(0, 40).Draw(rt, "lines") {
			number := rapid.Uint32Range(0, 600).Draw(rt, "line")
			if len(there) > 0 && rapid.Bool().Draw(rt, "there") {
				number = rapid.SampledFrom(there).Draw(rt, "which")
			}
			r.Lines = append(r.Lines, number)
		}
	}
	return r
}

// Whatever is kept and released, a source has what a plain map has. Mutations seen
// to fail: a free slot that is taken already; put keeping the earlier place.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &twin{lines: map[uint32]quarantine.Line{}, most: rapid.SampledFrom([]int{3, 140, 300}).Draw(rt, "most"), room: 60_000}
		c := entitytest.Given(t, kind(t, w.most, w.room))
		for range rapid.IntRange(1, 12).Draw(rt, "commands") {
			if k := drawKeep(rt, source); rapid.IntRange(0, 2).Draw(rt, "release") > 0 {
				c.When(k).Replies(w.keep(k))
			} else if r := drawRelease(rt, w, source); len(w.lines) == 0 {
				c.When(r).Refuses(entity.NotFound, source)
			} else {
				c.When(r).Replies(w.release(r))
			}
			g := &quarantine.GetLines{Source: source, After: rapid.Uint32Range(0, 600).Draw(rt, "after"), Limit: rapid.SampledFrom([]int{1, 50, 1000}).Draw(rt, "limit")}
			if len(w.lines) == 0 {
				c.When(g).Refuses(entity.NotFound, source)
				continue
			}
			c.When(g).Replies(w.after(g.After, g.Limit))
			c.When(all(0)).Replies(w.after(0, 1000))
			c.When(&quarantine.GetSource{Source: source}).Replies(quarantine.Source{Name: source, Lines: len(w.lines), Dropped: w.dropped, Last: w.last})
		}
	})
}

// What is read from a store is as it was written, or refused.
func FuzzDecode(f *testing.F) {
	families := []string{"head", "contents", "lines", "quarantined", "released"}
	f.Add(0, []byte("\x0a\x01a"))
	f.Add(1, []byte("\x0a\x02\x01\x05\x12\x02\x00\x01\x1a\x02\x00\x07"))
	f.Add(2, []byte("\x0a\x06\x08\x01\x1a\x01x\x22\x00"))
	f.Add(3, []byte("\x12\x05\x08\x01\x1a\x01x\x22\x00"))
	f.Add(4, []byte("\x0a\x01\x01\x12\x01\x00\x1a\x00"))
	f.Fuzz(func(t *testing.T, which int, b []byte) {
		family := families[uint(which)%uint(len(families))]
		again, err := quarantine.Decode(family, b)
		if err != nil {
			return
		}
		twice, err := quarantine.Decode(family, again)
		if err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%s %x is %x, and that is %x, %v", family, b, again, twice, err)
		}
	})
}

// What contradicts itself is refused: a page would take it as it is.
func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		family string
		b      string
	}{
		"a head without a name":            {"head", ""},
		"contents with a slot too few":     {"contents", "\x0a\x02\x01\x05\x12\x01\x00\x1a\x02\x00\x07"},
		"contents with a slot twice":       {"contents", "\x0a\x02\x01\x05\x12\x02\x01\x01\x1a\x02\x00\x07"},
		"contents with a line twice":       {"contents", "\x0a\x02\x01\x00\x12\x02\x00\x01\x1a\x02\x00\x07"},
		"contents with a line too high":    {"contents", "\x0a\x06\x01\xff\xff\xff\xff\x0f\x12\x02\x00\x01\x1a\x02\x00\x07"},
		"a page with a slot of another":    {"lines", "\x0a\x05\x08\x01\x10\x80\x01"},
		"a page with slots upside down":    {"lines", "\x0a\x04\x08\x01\x10\x02\x0a\x04\x08\x01\x10\x01"},
		"a page with line 0":               {"lines", "\x0a\x02\x10\x02"},
		"lines without totals":             {"quarantined", "\x12\x02\x08\x01"},
		"lines upside down":                {"quarantined", "\x12\x02\x08\x02\x12\x04\x08\x01\x10\x01\x22\x00"},
		"a release with a slot too few":    {"released", "\x0a\x02\x01\x02\x12\x01\x00\x1a\x00"},
		"a release of a line twice":        {"released", "\x0a\x02\x01\x01\x12\x02\x00\x01\x1a\x00"},
		"a release that is no message":     {"released", "\x0a"},
		"lines in a slot that can't be":    {"quarantined", "\x12\x06\x08\x01\x10\xff\xff\x7f\x22\x00"},
		"contents that are no message":     {"contents", "\x0a"},
		"a page of lines that is no page":  {"lines", "\x0a"},
		"a head with a name that can't be": {"head", "\x0a\x01\xff"},
	} {
		if again, err := quarantine.Decode(c.family, []byte(c.b)); err == nil {
			t.Errorf("%s is read as %x", name, again)
		}
	}
}
