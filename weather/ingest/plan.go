package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mesonet/mesonet/weather"
)

// plan is a mapping made ready for a network. It is shared by all who read.
type plan struct {
	name      string
	said      string // what the mapping says, to tell it from others of its name
	catalogue weather.Catalogue
	station   string // the column; "" when all are of the constant
	constant  string
	times     []string // one column, or year to minute
	time      timeReader
	measures  []measureColumn // that the mapping names
	others    []measureColumn // by the name of the measure
}

// measureColumn makes values of what a column holds.
type measureColumn struct {
	column  string
	measure *weather.Measure
	as      linear
	exact   bool // the numbers are those of the measure
	round   bool
	missing []string
	trace   []string
}

// newPlan checks a mapping.
func newPlan(c weather.Catalogue, m *Mapping) (*plan, error) {
	p := &plan{name: m.Name, said: fmt.Sprintf("%+v", *m), catalogue: c, station: m.Station.Column, constant: m.Station.Constant}
	if err := p.findStation(); err != nil {
		return nil, err
	}
	if err := p.findTime(m.Format, &m.Time); err != nil {
		return nil, err
	}
	used := append([]string{p.station}, p.times...)
	mapped := map[weather.MeasureID]bool{}
	for i := range m.Measures {
		column, err := newMeasureColumn(c, m, &m.Measures[i])
		if err != nil {
			return nil, fmt.Errorf("measure %d, column %q: %w", i+1, m.Measures[i].Column, err)
		}
		if slices.Contains(used, column.column) {
			return nil, fmt.Errorf("the column %q is mapped twice", column.column)
		}
		if mapped[column.measure.ID] {
			return nil, fmt.Errorf("two columns are mapped to %s", column.measure.Name)
		}
		mapped[column.measure.ID] = true
		used = append(used, column.column)
		p.measures = append(p.measures, *column)
	}
	for i := range c {
		if mapped[c[i].ID] || slices.Contains(used, c[i].Name) {
			continue
		}
		column, err := newMeasureColumn(c, m, &MeasureMapping{Column: c[i].Name})
		if err != nil {
			return nil, err
		}
		p.others = append(p.others, *column)
	}
	return p, nil
}

// mark tells a mapping from others of its name.
func (p *plan) mark() string { return p.said }

func (p *plan) findStation() error {
	switch {
	case p.station != "" && p.constant != "":
		return errors.New("station: use either a column or a constant")
	case p.constant != "":
		return weather.CheckStationID(p.constant)
	case p.station == "":
		p.station = "station"
	}
	return nil
}

func (p *plan) findTime(format string, t *TimeMapping) error {
	if err := t.validate(format); err != nil {
		return err
	}
	ahead, err := t.offset()
	if err != nil {
		return err
	}
	p.time = timeReader{layout: t.Layout, ahead: ahead, zone: time.FixedZone("", int(ahead)*60), round: t.Round}
	if t.Layout == "" {
		p.time.layout = layoutRFC3339
	}
	if t.Year == "" {
		p.times = []string{t.Column}
		if t.Column == "" {
			p.times[0] = "time"
		}
		return nil
	}
	p.times = []string{t.Year, t.Month, t.Day, t.Hour}
	if t.Minute != "" {
		p.times = append(p.times, t.Minute)
	}
	for i, name := range p.times {
		if slices.Contains(p.times[:i], name) {
			return fmt.Errorf("time: the column %q is mapped twice", name)
		}
	}
	if slices.Contains(p.times, p.station) {
		return fmt.Errorf("the column %q is mapped twice", p.station)
	}
	return nil
}

// newMeasureColumn checks what is said of one column.
func newMeasureColumn(c weather.Catalogue, m *Mapping, mm *MeasureMapping) (*measureColumn, error) {
	name := mm.Measure
	if name == "" {
		name = mm.Column
	}
	if mm.Column == "" {
		return nil, errors.New("the column has no name")
	}
	id, ok := c.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("this network has no measure %q: it has %s", name, strings.Join(measureNames(c), ", "))
	}
	column := &measureColumn{column: mm.Column, measure: &c[id], round: mm.Round || m.Round}
	var err error
	if column.as, err = conversionOf(column.measure, mm.Unit, mm.Scale, mm.Offset); err != nil {
		return nil, err
	}
	own := linear{p: 1, d: 1}
	for range column.measure.Decimals {
		own.p *= 10
	}
	column.exact = column.as == own
	column.missing = firstOf(mm.Missing, m.Missing, defaultMissing(column.measure))
	column.trace = firstOf(mm.Trace, m.Trace, []string{"T"})
	if !column.measure.Trace {
		if mm.Trace != nil {
			return nil, fmt.Errorf("%s has no traces", name)
		}
		column.trace = nil
	}
	return column, nil
}

// firstOf returns the first list that is given.
func firstOf(lists ...[]string) []string {
	for _, list := range lists {
		if list != nil {
			return list
		}
	}
	return nil
}

// defaultMissing leaves −9999 out where it may be a value.
func defaultMissing(m *weather.Measure) []string {
	if v, err := weather.ParseValue("-9999", m.Decimals); err == nil && m.Possible(v) {
		return []string{"NA"}
	}
	return []string{"NA", "-9999"}
}

func measureNames(c weather.Catalogue) []string {
	names := make([]string, len(c))
	for i := range c {
		names[i] = c[i].Name
	}
	return names
}

// numbered reports whether all columns are numbers.
func (p *plan) numbered() bool {
	for _, name := range p.needed() {
		if _, ok := columnNumber(name); !ok {
			return false
		}
	}
	return true
}

// needed are the columns without which nothing can be read.
func (p *plan) needed() []string {
	var names []string
	if p.station != "" {
		names = append(names, p.station)
	}
	names = append(names, p.times...)
	for i := range p.measures {
		names = append(names, p.measures[i].column)
	}
	return names
}

// bind finds the columns of a table that has those. One that lacks some is
// ErrFormat.
func (p *plan) bind(source string, columns []string) (*bound, error) {
	var lacking []string
	for _, name := range p.needed() {
		if !slices.Contains(columns, name) {
			lacking = append(lacking, fmt.Sprintf("%q", name))
		}
	}
	if len(lacking) > 0 {
		return nil, fmt.Errorf("%w %s: %s lacks the columns %s; it has %s", ErrFormat, p.name, source, strings.Join(lacking, ", "), listed(columns))
	}
	b := newBound(p)
	for i := range p.others {
		if slices.Contains(columns, p.others[i].column) {
			b.measure(&p.others[i])
		}
	}
	if len(b.measures) == 0 {
		return nil, fmt.Errorf("%w %s: no column of %s is a measure; it has %s, and measures are %s; map columns with other names", ErrFormat, p.name,
			source, listed(columns), strings.Join(measureNames(p.catalogue), ", "))
	}
	return b, nil
}

// fits reports whether a table with those columns can be read.
func (p *plan) fits(columns []string) bool {
	_, err := p.bind("", columns)
	return err == nil
}

// listed shows names in an error.
func listed(names []string) string {
	const most = 20
	if len(names) > most {
		return fmt.Sprintf("%.40q … (%d)", names[:most], len(names))
	}
	return fmt.Sprintf("%.40q", names)
}

// bound is a plan for one table: which columns there are. It belongs to one
// decoder, which gives it the texts of a row in the order of columns.
type bound struct {
	*plan
	columns  []string // station, if it is one; time; measures
	measures []*measureColumn
	ids      ids
	when     timeReader
	clock    clock
}

// newBound returns one with the columns that are needed.
func newBound(p *plan) *bound {
	b := &bound{plan: p, ids: newIDs(), when: p.time}
	if p.station != "" {
		b.columns = append(b.columns, p.station)
	}
	b.columns = append(b.columns, p.times...)
	for i := range p.measures {
		b.measure(&p.measures[i])
	}
	return b
}

func (b *bound) measure(m *measureColumn) {
	b.columns = append(b.columns, m.column)
	b.measures = append(b.measures, m)
}

// slotError is what is wrong with one of the columns.
type slotError struct {
	slot int
	err  error
}

// Error names no column, as the decoder does.
func (e *slotError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *slotError) Unwrap() error { return e.err }

// read makes a reading of the texts of a row; a nil text is one that is not
// there. An error is a *slotError.
func (b *bound) read(texts [][]byte, r *Reading) error {
	slot := 0
	r.Station = b.constant
	if b.station != "" {
		var err error
		if r.Station, err = b.ids.intern(bytes.TrimSpace(texts[0])); err != nil {
			return &slotError{0, err}
		}
		slot = 1
	}
	times := texts[slot : slot+len(b.times)]
	at, bad, err := b.clock.read(&b.when, times)
	if err != nil {
		return &slotError{slot + bad, err}
	}
	r.Time = at
	slot += len(times)
	r.widen(len(b.catalogue))
	r.clear()
	for i, m := range b.measures {
		v, err := m.value(bytes.TrimSpace(texts[slot+i]))
		if err != nil {
			return &slotError{slot + i, err}
		}
		r.Values[m.measure.ID] = v
	}
	return nil
}

// value makes a value of a text.
func (m *measureColumn) value(text []byte) (v weather.Value, err error) {
	if len(text) == 0 {
		return weather.Missing, nil
	}
	for _, missing := range m.missing {
		if string(text) == missing {
			return weather.Missing, nil
		}
	}
	for _, trace := range m.trace {
		if string(text) == trace {
			return weather.Trace, nil
		}
	}
	if v, err = m.number(text); err != nil {
		return v, err
	}
	if !m.measure.Possible(v) {
		return v, m.measure.Refuse(v)
	}
	return v, nil
}

// number is exact where the plain way suffices, which is most often.
func (m *measureColumn) number(text []byte) (weather.Value, error) {
	if m.exact {
		if v, err := weather.ParseValue(text, m.measure.Decimals); err == nil {
			return v, nil
		}
	}
	x, err := parseDecimal(text)
	if err != nil {
		return weather.Missing, err
	}
	v, err := m.as.apply(x, m.round)
	if err != nil {
		return v, fmt.Errorf("%w: %s for %s in %s with %d decimals", err, quoted(text), m.measure.Name, m.measure.Unit, m.measure.Decimals)
	}
	return v, nil
}

// timeReader says how times are written.
type timeReader struct {
	layout string
	ahead  weather.Minute
	zone   *time.Location // the same
	round  bool
}

// clock reads times; most have the date of the one before.
type clock struct {
	date [10]byte
	day  weather.Day
}

// read reads a time from its columns, of which it returns the one to blame for
// an error.
func (c *clock) read(t *timeReader, texts [][]byte) (at weather.Minute, bad int, err error) {
	if len(texts) > 1 {
		at, bad, err = t.parts(texts)
	} else {
		at, err = c.readOne(t, bytes.TrimSpace(texts[0]))
	}
	if err == nil && !at.Valid() {
		err = fmt.Errorf("%w: it is out of range", weather.ErrTime)
	}
	return at, bad, err
}

// parts reads year, month, day, hour and perhaps minute.
func (t *timeReader) parts(texts [][]byte) (at weather.Minute, bad int, err error) {
	var parts [5]int
	for i, text := range texts {
		n, err := weather.ParseValue(bytes.TrimSpace(text), 0)
		if err != nil {
			return 0, i, err
		}
		parts[i] = int(n)
	}
	at, err = weather.MinuteOf(parts[0], parts[1], parts[2], parts[3], parts[4])
	return at - t.ahead, 0, err
}

func (c *clock) readOne(t *timeReader, text []byte) (weather.Minute, error) {
	switch t.layout {
	case layoutRFC3339:
		if at, ok := c.utc(text); ok {
			return at, nil
		}
		at, err := time.Parse(time.RFC3339, string(text))
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04Z07:00", string(text))
		}
		if err != nil {
			return 0, fmt.Errorf("%w: %s: write 2008-08-11T16:00Z, or give the layout", weather.ErrTime, quoted(text))
		}
		return t.minute(at)
	case layoutUnix, layoutUnixMilli:
		return t.unix(text)
	}
	at, err := time.ParseInLocation(t.layout, string(text), t.zone)
	if err != nil {
		return 0, fmt.Errorf("%w: %s is not as in %q", weather.ErrTime, quoted(text), t.layout)
	}
	return t.minute(at)
}

// minute drops seconds, where that is allowed.
func (t *timeReader) minute(at time.Time) (weather.Minute, error) {
	if !t.round && (at.Second() != 0 || at.Nanosecond() != 0) {
		return 0, fmt.Errorf("%w: %s: observations are kept to the minute: allow to drop seconds with round: true", weather.ErrTime, at.Format(time.RFC3339Nano))
	}
	return weather.MinuteAt(at)
}

// unix reads a count of seconds or milliseconds.
func (t *timeReader) unix(text []byte) (weather.Minute, error) {
	n, err := parseDecimal(text)
	for ; err == nil && n.scale > 0 && n.digits%10 == 0; n.scale-- {
		n.digits /= 10
	}
	if err != nil || n.scale != 0 {
		return 0, fmt.Errorf("%w: %s is not a whole number of seconds or milliseconds", weather.ErrTime, quoted(text))
	}
	if t.layout == layoutUnixMilli {
		return t.minute(time.UnixMilli(n.digits).UTC())
	}
	if n.digits > 1<<40 || n.digits < -1<<40 {
		return 0, fmt.Errorf("%w: %s seconds are out of range: are they milliseconds, unix_ms?", weather.ErrTime, quoted(text))
	}
	return t.minute(time.Unix(n.digits, 0).UTC())
}

// utc reads 2008-08-11T16:00Z, with or without seconds that are 00.
func (c *clock) utc(text []byte) (weather.Minute, bool) {
	switch {
	case len(text) == 17 && text[16] == 'Z':
	case len(text) == 20 && string(text[16:]) == ":00Z":
	default:
		return 0, false
	}
	if text[10] != 'T' || text[13] != ':' {
		return 0, false
	}
	if [10]byte(text) != c.date {
		year, ok1 := pair(text[0:2], 99)
		rest, ok2 := pair(text[2:4], 99)
		month, ok3 := pair(text[5:7], 12)
		day, ok4 := pair(text[8:10], 31)
		if !ok1 || !ok2 || !ok3 || !ok4 || text[4] != '-' || text[7] != '-' {
			return 0, false
		}
		d, err := weather.DayOfDate(year*100+rest, month, day)
		if err != nil {
			return 0, false
		}
		c.date, c.day = [10]byte(text), d
	}
	hour, ok1 := pair(text[11:13], 23)
	minute, ok2 := pair(text[14:16], 59)
	return c.day.Start() + weather.Minute(hour*60+minute), ok1 && ok2
}

// pair reads two digits.
func pair(text []byte, most int) (int, bool) {
	a, b := text[0]-'0', text[1]-'0'
	n := int(a)*10 + int(b)
	return n, a <= 9 && b <= 9 && n <= most
}
