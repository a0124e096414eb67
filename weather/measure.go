package weather

import "fmt"

// MeasureID names a measure by its place in the catalogue, from 0. Columns are
// indexed by it.
type MeasureID int

// MaxMeasures is the most measures that a catalogue may have.
const MaxMeasures = 256

// Aggregate says how the values of a measure come together over a day.
type Aggregate uint8

const (
	// AggregateMean is for quantities at a moment, such as temperature:
	// count, sum, sum of squares, low and high.
	AggregateMean Aggregate = iota + 1
	// AggregateSum is for amounts over a time, such as precipitation: count,
	// sum and the number of traces.
	AggregateSum
	// AggregateMaximum is for peaks, such as gusts. It keeps what a mean keeps;
	// its high is what it is asked for.
	AggregateMaximum
	// AggregateCircular is for directions, whose sum means nothing: the count.
	AggregateCircular
	// AggregateCode is for numbers that stand for a text: the count.
	AggregateCode
)

var aggregateNames = map[Aggregate]string{
	AggregateMean:     "mean",
	AggregateSum:      "sum",
	AggregateMaximum:  "maximum",
	AggregateCircular: "circular",
	AggregateCode:     "code",
}

// String returns the name that a configuration uses: mean, sum, maximum,
// circular or code.
func (a Aggregate) String() string {
	if name, ok := aggregateNames[a]; ok {
		return name
	}
	return fmt.Sprintf("aggregate(%d)", uint8(a))
}

// ParseAggregate is the inverse of String.
func ParseAggregate(name string) (Aggregate, error) {
	for a, n := range aggregateNames {
		if n == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("weather: no such aggregate %q: use mean, sum, maximum, circular or code", name)
}

// spans reports whether days of the measure keep a low and a high.
func (a Aggregate) spans() bool { return a == AggregateMean || a == AggregateMaximum }

// Measure is one thing that stations measure.
type Measure struct {
	// ID equals the place in the catalogue.
	ID MeasureID
	// Name in snake case, unique in the catalogue: sea_level_pressure.
	Name string
	// Unit is for people to read: hPa.
	Unit string
	// Decimals that values keep, 0 to MaxDecimals; the fixed point of a Value.
	Decimals int
	// Aggregate says what the days of a year keep.
	Aggregate Aggregate
	// Trace says that a value may be Trace; only measures that sum have it.
	Trace bool
	// Low and High bound what is possible at all, both included. A value
	// outside is refused, not flagged.
	Low, High Value
	// Usual is the climatological range, within the limits. A value outside is
	// kept and marked as erroneous. The zero Range is for a measure of which
	// everything possible is usual.
	Usual Range
	// Step is the most that a value may differ from one an hour earlier before
	// it is suspect; see Inspect. 0 is for a measure that may change at once.
	// Only means and maxima have one.
	Step Value
	// Stuck is the number of hours, up to MaxStuck, that a value may stay the
	// same before it is suspect; see Inspect. 0 is for a measure that may stay
	// as it is. Sums and codes have none.
	Stuck int
}

// Possible reports whether v is Missing, an allowed Trace, or within the
// limits.
func (m *Measure) Possible(v Value) bool {
	return v >= m.Low && v <= m.High || v == Missing || v == Trace && m.Trace
}

// storable reports whether v is Possible, or erroneous and was possible when it
// was measured.
func (m *Measure) storable(v Value) bool {
	return m.Possible(v) || v.Erroneous() && m.Possible(v.Measured())
}

// Format returns v with its unit: "12.2 °C".
func (m *Measure) Format(v Value) string {
	switch {
	case v == Missing:
		return "missing"
	case v == Trace:
		return "trace"
	case m.Unit == "":
		return v.Format(m.Decimals)
	}
	return v.Format(m.Decimals) + " " + m.Unit
}

// validate checks one measure on its own.
func (m *Measure) validate() error {
	switch {
	case !isName(m.Name):
		return fmt.Errorf("name %q: use 1 to 40 of a-z, 0-9 and _, a letter first", m.Name)
	case m.Decimals < 0 || m.Decimals > MaxDecimals:
		return fmt.Errorf("%d decimals: use 0 to %d", m.Decimals, MaxDecimals)
	case aggregateNames[m.Aggregate] == "":
		return fmt.Errorf("no aggregate: say how its values come together")
	case m.Low > m.High:
		return fmt.Errorf("low %d above high %d", m.Low, m.High)
	case m.Low < -MaxValue || m.High > MaxValue:
		return fmt.Errorf("limits %d and %d: they must be within ±%d units of the last decimal; use fewer decimals", m.Low, m.High, MaxValue)
	case m.Trace && m.Aggregate != AggregateSum:
		return fmt.Errorf("trace is for measures that sum, not %s", m.Aggregate)
	case m.Aggregate == AggregateCode && (m.Decimals != 0 || m.Low < 0):
		return fmt.Errorf("codes are whole and not negative")
	}
	return m.validateQuality()
}

// validateQuality checks what quality control goes by.
func (m *Measure) validateQuality() error {
	switch {
	case m.Step < 0 || m.Step > MaxValue:
		return fmt.Errorf("step %d: use 0, for none, to %d units of the last decimal", m.Step, MaxValue)
	case m.Step > 0 && !m.Aggregate.spans():
		return fmt.Errorf("step is for measures that come together as mean or maximum, not %s", m.Aggregate)
	case m.Stuck < 0 || m.Stuck > MaxStuck:
		return fmt.Errorf("stuck %d: use 0, for never, to %d hours", m.Stuck, MaxStuck)
	case m.Stuck > 0 && (m.Aggregate == AggregateSum || m.Aggregate == AggregateCode):
		return fmt.Errorf("stuck is for measures that come together as mean, maximum or circular, not %s", m.Aggregate)
	}
	return m.Usual.validate(m)
}

// Catalogue is the list of all measures of a network and so the form of its
// pages. Its order is part of what is stored: measures are added at the end and
// never removed.
type Catalogue []Measure

// Validate returns an error that names the first measure that is wrong.
func (c Catalogue) Validate() error {
	if len(c) == 0 || len(c) > MaxMeasures {
		return fmt.Errorf("weather: catalogue of %d measures: 1 to %d are possible", len(c), MaxMeasures)
	}
	for i := range c {
		m := &c[i]
		if m.ID != MeasureID(i) {
			return fmt.Errorf("weather: measure %q has the id %d at place %d of the catalogue: they must be equal", m.Name, m.ID, i)
		}
		if err := m.validate(); err != nil {
			return fmt.Errorf("weather: measure %d (%s): %w", i, m.Name, err)
		}
		if first, _ := c.Lookup(m.Name); first != m.ID {
			return fmt.Errorf("weather: measures %d and %d are both named %q", first, i, m.Name)
		}
	}
	return nil
}

// Lookup finds a measure by name.
func (c Catalogue) Lookup(name string) (MeasureID, bool) {
	for i := range c { // not by value: a Measure is large, and many questions look one up
		if c[i].Name == name {
			return MeasureID(i), true
		}
	}
	return -1, false
}

// isName reports whether s can be the name of a measure.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 40
}
