package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

// book keeps the pages of every station, as the network would.
type book struct {
	months map[string]map[weather.YearMonth]*weather.Month
	years  map[string]map[int]*weather.Year
}

func newBook() *book {
	return &book{map[string]map[weather.YearMonth]*weather.Month{}, map[string]map[int]*weather.Year{}}
}

func (b *book) month(station string, id weather.YearMonth) *weather.Month {
	if b.months[station] == nil {
		b.months[station] = map[weather.YearMonth]*weather.Month{}
	}
	if b.months[station][id] == nil {
		b.months[station][id] = weather.NewMonth(id)
	}
	return b.months[station][id]
}

func (b *book) year(station string, id int) *weather.Year {
	if b.years[station] == nil {
		b.years[station] = map[int]*weather.Year{}
	}
	if b.years[station][id] == nil {
		b.years[station][id] = weather.NewYear(weather.Standard(), id)
	}
	return b.years[station][id]
}

// put adds a run, of which what is known must be a duplicate, and returns how
// many of its observations were new.
func (b *book) put(t *testing.T, station string, r *weather.Run) int {
	t.Helper()
	if err := r.Check(weather.Standard()); err != nil {
		t.Fatal(err)
	}
	c := weather.Compare(r, func(id weather.YearMonth) *weather.Month { return b.months[station][id] })
	if c.Replaced > 0 {
		t.Fatalf("%d observations of %s replace others", c.Replaced, station)
	}
	news := c.FreshOf(r)
	for _, id := range news.Months() {
		b.month(station, id).Put(news)
	}
	for _, id := range news.Years() {
		if err := b.year(station, id).Add(news); err != nil {
			t.Fatal(err)
		}
	}
	return c.Stored
}

// fold reads lines and puts them into a book, in runs of 64.
func fold(t *testing.T, text []byte) (b *book, fresh int) {
	t.Helper()
	b = newBook()
	w := newWindow(1 << 12)
	flush := func() {
		for run := range w.runs(64) {
			fresh += b.put(t, run.Station, run.Run)
		}
	}
	r := NewReader("sample", bytes.NewReader(text), NewKillrWeather())
	for {
		var reading Reading
		err := r.Read(&reading)
		if errors.Is(err, io.EOF) {
			flush()
			return b, fresh
		}
		if err != nil {
			t.Fatal(err)
		}
		if w.add(&reading, 0); w.full() {
			flush()
		}
	}
}

func observations(t testing.TB) []byte {
	t.Helper()
	text, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// shuffled returns the lines of a text in another order.
func shuffled(text []byte, seed uint64) []byte {
	lines := slices.Collect(bytes.Lines(text))
	random := rand.New(rand.NewPCG(seed, seed))
	random.Shuffle(len(lines), func(i, k int) { lines[i], lines[k] = lines[k], lines[i] })
	return bytes.Join(lines, nil)
}

// Every answer about the sample, to the last digit, in the order of the file
// and in any other.
func TestGoldenAnswers(t *testing.T) {
	expected, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	text := observations(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for name, text := range map[string][]byte{
		"in order":  text,
		"shuffled":  shuffled(text, seed),
		"twice":     slices.Concat(text, text),
		"both ways": shuffled(slices.Concat(text, text), seed),
	} {
		t.Run(name, func(t *testing.T) {
			b, fresh := fold(t, text)
			if fresh != 17_568 {
				t.Errorf("%d observations are new, want 17,568", fresh)
			}
			checkPrecipitation(t, b, expected)
			checkTemperature(t, b, expected)
			checkTops(t, b, expected)
			checkSky(t, b, expected)
		})
	}
}

const tenth = 0.05 // values have one decimal, so a difference is at least twice this

func checkPrecipitation(t *testing.T, b *book, expected *sampledata.Expected) {
	for _, key := range keys(expected.Annual, 2) {
		want, y := expected.Annual[key.text], b.years[key.station][key.numbers[0]]
		one, _ := y.YearTotal(weather.Precipitation1h)
		six, _ := y.YearTotal(weather.Precipitation6h)
		got := sampledata.Precipitation{
			Observations: one.N, OneHour: float64(one.Sum) / 10, SixHour: float64(six.Sum) / 10, TraceHours: one.Traces,
		}
		if got != want || one.MissingHours != 0 {
			t.Errorf("%s is %+v with %d hours missing, want %+v with none", key.text, got, one.MissingHours, want)
		}
	}
	for _, key := range keys(expected.Monthly, 3) {
		got, _ := b.years[key.station][key.numbers[0]].MonthTotal(weather.Precipitation1h, key.numbers[1])
		if want := expected.Monthly[key.text]; float64(got.Sum)/10 != want {
			t.Errorf("%s is %v mm, want %v", key.text, float64(got.Sum)/10, want)
		}
	}
}

func checkTemperature(t *testing.T, b *book, expected *sampledata.Expected) {
	for _, key := range keys(expected.Days, 4) {
		day, err := weather.DayOfDate(key.numbers[0], key.numbers[1], key.numbers[2])
		if err != nil {
			t.Fatal(err)
		}
		got, ok := b.years[key.station][key.numbers[0]].DaySummary(weather.Temperature, day)
		checkSummary(t, key.text, got, ok, expected.Days[key.text], 1)
	}
	for _, key := range keys(expected.Months, 3) {
		got, ok := b.years[key.station][key.numbers[0]].MonthSummary(weather.Temperature, key.numbers[1])
		checkSummary(t, key.text, got, ok, expected.Months[key.text], weather.DaysInMonth(key.numbers[0], key.numbers[1]))
	}
}

func checkSummary(t *testing.T, key string, got weather.Summary, ok bool, want sampledata.Temperature, days int) {
	const rounded = 5e-7 // of six decimals
	differs := func(a, b, by float64) bool { return math.Abs(a-b) > by }
	if !ok || got.N != want.N || got.MissingHours != 24*days-want.N ||
		differs(got.High.Float(1), want.High, tenth) || differs(got.Low.Float(1), want.Low, tenth) ||
		differs(got.Mean, want.Mean, rounded) || differs(got.Variance, want.Variance, rounded) || differs(got.Stdev, want.Stdev, rounded) {
		t.Errorf("%s is %+v, %v; want %+v", key, got, ok, want)
	}
}

func checkTops(t *testing.T, b *book, expected *sampledata.Expected) {
	for _, key := range keys(expected.TopHours, 2) {
		hours, days := weather.NewTop(10), weather.NewTop(10)
		for _, m := range b.months[key.station] { // in any order
			m.Rank(hours, weather.Precipitation1h, 0)
		}
		whole := weather.YearMonth{Year: key.numbers[0], Month: 1}.First()
		b.years[key.station][key.numbers[0]].RankDaysBy(days, weather.Precipitation1h, weather.BySum, whole, whole+365, 0)
		var gotHours []sampledata.Hour
		for _, r := range hours.List() {
			gotHours = append(gotHours, sampledata.Hour{At: r.At.String(), Millimetres: float64(r.Value) / 10})
		}
		if want := expected.TopHours[key.text]; !slices.Equal(gotHours, want) {
			t.Errorf("wettest hours of %s are\n%v, want\n%v", key.text, gotHours, want)
		}
		var gotDays []sampledata.Day
		for _, r := range days.List() {
			gotDays = append(gotDays, sampledata.Day{Day: r.At.Day().String(), Millimetres: float64(r.Value) / 10})
		}
		if want := expected.TopDays[key.text]; !slices.Equal(gotDays, want) {
			t.Errorf("wettest days of %s are\n%v, want\n%v", key.text, gotDays, want)
		}
	}
}

func checkSky(t *testing.T, b *book, expected *sampledata.Expected) {
	got := map[string]int{}
	for station, months := range b.months {
		for _, m := range months { // in any order
			first := m.ID().First()
			end := first + weather.Day(m.ID().Days())
			for code, n := range weather.CountsOf([]*weather.Month{m}, first.Start(), end.Start(), weather.SkyCondition, false) {
				got[sampledata.SkyKey(station, 2008, int(code))] += n
			}
		}
	}
	if len(got) != len(expected.Sky) {
		t.Errorf("%d stations and codes, want %d", len(got), len(expected.Sky))
	}
	for key, want := range expected.Sky {
		if got[key] != want {
			t.Errorf("%s was seen %d times, want %d", key, got[key], want)
		}
	}
}

// key is a key of the answers, taken apart.
type key struct {
	text, station string
	numbers       [3]int
}

// keys returns the keys of answers, which have so many parts.
func keys[V any](answers map[string]V, parts int) []key {
	var list []key
	for text := range answers {
		k := key{text: text}
		fields := strings.Split(text, "|")
		if len(fields) != parts {
			panic("a key of other parts: " + text)
		}
		k.station = fields[0]
		for i, field := range fields[1:] {
			if _, err := fmt.Sscan(field, &k.numbers[i]); err != nil {
				panic(err)
			}
		}
		list = append(list, k)
	}
	return list
}
