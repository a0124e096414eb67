package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mesonet/mesonet/weather"
)

// Measure is a measure that the file declares. Its ID is that of the catalogue
// which Catalogue returns.
type Measure struct {
	weather.Measure

	place string
}

// measureText is a measure as it is written. Values are in its unit.
type measureText struct {
	Name        scalar `yaml:"name"`
	Unit        scalar `yaml:"unit"`
	Decimals    scalar `yaml:"decimals"`
	Aggregate   scalar `yaml:"aggregate"`
	Trace       scalar `yaml:"trace"`
	Low         scalar `yaml:"low"`
	High        scalar `yaml:"high"`
	UsualLow    scalar `yaml:"usual_low"`
	UsualHigh   scalar `yaml:"usual_high"`
	StepPerHour scalar `yaml:"step_per_hour"`
	StuckHours  scalar `yaml:"stuck_hours"`
}

// measures takes the list of measures.
func (d document) measures(n *yaml.Node) {
	n = resolved(n)
	if n.Kind != yaml.SequenceNode {
		d.problems.add(d.place(n.Line), "measures is %s; write a list: a line \"  - name: NAME\" for each, and its other keys below", kindOf(n))
		return
	}
	for i, one := range n.Content {
		one = resolved(one)
		what := fmt.Sprintf("measure %d", i+1)
		if name := nameIn(one); name != "" {
			what = "measure " + name
		}
		var text measureText
		if !d.decode(one, &text, what) {
			continue
		}
		r := measureReader{document: d, what: what, place: d.place(one.Line)}
		if m := r.read(text); !r.failed {
			d.loaded.Measures = append(d.loaded.Measures, m)
		}
	}
	d.loaded.from[measuresKey] = d.place(n.Line)
}

// nameIn returns the name of a measure, for problems with the rest of it.
func nameIn(n *yaml.Node) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "name" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// measureReader reads the texts of one measure.
type measureReader struct {
	document
	what, place string
	failed      bool
}

// problem says what is wrong with a value, or with what is not there.
func (r *measureReader) problem(s scalar, format string, args ...any) {
	place := r.place
	if s.line > 0 {
		place = r.document.place(s.line)
	}
	r.problems.add(place, "%s: %s", r.what, fmt.Sprintf(format, args...))
	r.failed = true
}

func (r *measureReader) read(t measureText) Measure {
	m := Measure{
		Measure: weather.Measure{Name: t.Name.text, Unit: t.Unit.text},
		place:   r.place,
	}
	if t.Name.line == 0 {
		r.problem(t.Name, "it has no name; write name: in snake case, such as water_level")
	}
	m.Aggregate = r.aggregate(t.Aggregate)
	if t.Trace.line > 0 {
		trace, err := strconv.ParseBool(t.Trace.text)
		if err != nil {
			r.problem(t.Trace, "trace is %s; write true or false", shown(t.Trace.text))
		}
		m.Trace = trace
	}
	if t.Decimals.line > 0 {
		n, err := strconv.Atoi(t.Decimals.text)
		if err != nil || n < 0 || n > weather.MaxDecimals {
			r.problem(t.Decimals, "decimals is %s; write how many digits are kept behind the point, 0 to %d", shown(t.Decimals.text), weather.MaxDecimals)
			return m // no value can be read
		}
		m.Decimals = n
	}
	m.Low, m.High = r.limit("low", t.Low, m.Decimals), r.limit("high", t.High, m.Decimals)
	r.quality(&m, t)
	if !r.failed && m.Low > m.High {
		r.problem(t.Low, "low %s is above high %s; exchange them", t.Low.text, t.High.text)
	}
	return m
}

func (r *measureReader) aggregate(s scalar) weather.Aggregate {
	const names = "mean (a level), sum (rain), maximum (gusts), circular (a direction) or code"
	if s.line == 0 {
		r.problem(s, "it has no aggregate; say how the values of a day come together: %s", names)
		return 0
	}
	a, err := weather.ParseAggregate(s.text)
	if err != nil {
		r.problem(s, "there is no aggregate %s; use %s", shown(s.text), names)
	}
	return a
}

// limit reads a bound that has to be there.
func (r *measureReader) limit(key string, s scalar, decimals int) weather.Value {
	if s.line == 0 {
		r.problem(s, "it has no %s; say what is possible at all, from low to high: other values are refused", key)
		return 0
	}
	return r.value(key, s, decimals)
}

// value reads a value in the unit of the measure, Missing when it is not there.
func (r *measureReader) value(key string, s scalar, decimals int) weather.Value {
	if s.line == 0 {
		return weather.Missing
	}
	v, err := weather.ParseValue(s.text, decimals)
	switch {
	case errors.Is(err, weather.ErrOverflow) || err == nil && (v > weather.MaxValue || v < -weather.MaxValue):
		r.problem(s, "%s %s is too large for %d decimals; with them ±%s is possible, with fewer more", key, shown(s.text), decimals, weather.MaxValue.Format(decimals))
	case err != nil && decimals == 0:
		r.problem(s, "%s %s is no whole number; write one, or say how many decimals are kept with decimals: 1", key, shown(s.text))
	case err != nil:
		r.problem(s, "%s %s is no number with at most %d decimals", key, shown(s.text), decimals)
	}
	return v
}

// quality reads what values are like, most often: what is possible but not usual is
// kept, and marked.
func (r *measureReader) quality(m *Measure, t measureText) {
	low, high := r.value("usual_low", t.UsualLow, m.Decimals), r.value("usual_high", t.UsualHigh, m.Decimals)
	step := r.value("step_per_hour", t.StepPerHour, m.Decimals)
	if t.StuckHours.line > 0 {
		n, err := strconv.Atoi(t.StuckHours.text)
		if err != nil || n < 1 || n > weather.MaxStuck {
			r.problem(t.StuckHours, "stuck_hours is %s; write after how many hours of one value a sensor may be stuck, 1 to %d", shown(t.StuckHours.text), weather.MaxStuck)
		}
		m.Stuck = n
	}
	if r.failed {
		return
	}
	for _, usual := range []struct {
		key string
		s   scalar
		v   weather.Value
	}{{"usual_low", t.UsualLow, low}, {"usual_high", t.UsualHigh, high}} {
		if usual.v != weather.Missing && (usual.v < m.Low || usual.v > m.High) {
			r.problem(usual.s, "%s %s is not possible at all; what is lies between low %s and high %s", usual.key, usual.s.text, t.Low.text, t.High.text)
		}
	}
	if low != weather.Missing && high != weather.Missing && low > high {
		r.problem(t.UsualLow, "usual_low %s is above usual_high %s; exchange them", t.UsualLow.text, t.UsualHigh.text)
	}
	if step != weather.Missing {
		if m.Step = step; step <= 0 {
			r.problem(t.StepPerHour, "step_per_hour is %s; write how much is usual, above 0", t.StepPerHour.text)
		}
	}
	if low == weather.Missing && high == weather.Missing {
		return
	}
	m.Usual = weather.Range{Low: m.Low, High: m.High}
	if low != weather.Missing {
		m.Usual.Low = low
	}
	if high != weather.Missing {
		m.Usual.High = high
	}
}

// checkMeasures checks that all measures make a catalogue, and says of each that
// does not fit behind those before it what is wrong.
func (l *loader) checkMeasures() {
	var good Config
	good.StandardMeasures = l.loaded.StandardMeasures
	for _, m := range l.loaded.Measures {
		with := good
		with.Measures = append(with.Measures[:len(with.Measures):len(with.Measures)], m)
		if id, twice := good.Catalogue().Lookup(m.Name); twice {
			l.problems.add(m.place, "measure %s: %s has the name already; choose another", m.Name, l.owner(good, id))
			continue
		}
		if err := with.Catalogue().Validate(); err != nil {
			l.problems.add(m.place, "measure %s: %s", m.Name, withoutPlace(err))
			continue
		}
		good = with
	}
	if len(l.problems) == 0 && len(l.loaded.Catalogue()) == 0 {
		l.problems.add(l.whole(), "there is no measure; declare some below measures:, or leave standard_measures: true")
	}
}

// owner says who has a place in the catalogue.
func (l *loader) owner(c Config, id weather.MeasureID) string {
	declared := int(id) - len(c.Catalogue()) + len(c.Measures)
	if declared < 0 {
		return "a standard measure"
	}
	return "the one of " + c.Measures[declared].place
}

// withoutPlace takes away what a catalogue says of the place of a measure, which
// is that in the file here.
func withoutPlace(err error) string {
	text := strings.TrimPrefix(err.Error(), "weather: ")
	if strings.HasPrefix(text, "measure ") {
		if _, after, ok := strings.Cut(text, "): "); ok {
			return after
		}
	}
	return text
}
