package ingest

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/weather"
)

// A conversion of units is y = x × factor + offset, exactly.
type unitConversion struct {
	from, to       string
	factor, offset string // as big.Rat reads them
}

// unitConversions are those that can be named. Factors are exact by definition
// (international foot, nautical mile), but for inches and millimetres of mercury,
// which are the conventional ones of NIST SP 811.
var unitConversions = []unitConversion{
	{"C", "°C", "1", "0"},
	{"F", "°C", "5/9", "-160/9"},
	{"K", "°C", "1", "-273.15"},
	{"mbar", "hPa", "1", "0"},
	{"Pa", "hPa", "0.01", "0"},
	{"kPa", "hPa", "10", "0"},
	{"inHg", "hPa", "33.86389", "0"},
	{"mmHg", "hPa", "1.333224", "0"},
	{"kt", "m/s", "1852/3600", "0"},
	{"mph", "m/s", "0.44704", "0"},
	{"km/h", "m/s", "10/36", "0"},
	{"ft/s", "m/s", "0.3048", "0"},
	{"in", "mm", "25.4", "0"},
	{"cm", "mm", "10", "0"},
	{"m", "mm", "1000", "0"},
	{"in", "cm", "2.54", "0"},
	{"mm", "cm", "0.1", "0"},
	{"m", "cm", "100", "0"},
	{"ft", "cm", "30.48", "0"},
	{"mm", "m", "0.001", "0"},
	{"cm", "m", "0.01", "0"},
	{"ft", "m", "0.3048", "0"},
	{"in", "m", "0.0254", "0"},
	{"ft³/s", "m³/s", "0.028316846592", "0"},
	{"ft3/s", "m³/s", "0.028316846592", "0"},
	{"l/s", "m³/s", "0.001", "0"},
}

// conversionOf returns the conversion from a unit, a scale and an offset to the
// last decimal of a measure: the number in a file, times scale, plus offset, is
// in that unit.
func conversionOf(m *weather.Measure, unit, scale, offset string) (linear, error) {
	factor, plus, err := unitFactor(m, unit)
	if err != nil {
		return linear{}, err
	}
	s, err := decimalRat("scale", scale, 1)
	if err != nil {
		return linear{}, err
	}
	if s.Sign() == 0 {
		return linear{}, fmt.Errorf("a scale of 0 makes everything the same")
	}
	o, err := decimalRat("offset", offset, 0)
	if err != nil {
		return linear{}, err
	}
	ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(m.Decimals)), nil))
	p := new(big.Rat).Mul(s, factor)
	q := new(big.Rat).Add(new(big.Rat).Mul(o, factor), plus)
	p.Mul(p, ten)
	q.Mul(q, ten)
	return linearOf(p, q)
}

// linearOf brings two fractions to one denominator.
func linearOf(p, q *big.Rat) (linear, error) {
	gcd := new(big.Int).GCD(nil, nil, p.Denom(), q.Denom())
	d := new(big.Int).Mul(p.Denom(), new(big.Int).Quo(q.Denom(), gcd))
	times := func(r *big.Rat) *big.Int {
		return new(big.Int).Mul(r.Num(), new(big.Int).Quo(d, r.Denom()))
	}
	n, m := times(p), times(q)
	if !n.IsInt64() || !m.IsInt64() || !d.IsInt64() {
		return linear{}, fmt.Errorf("scale and offset have too many digits")
	}
	return linear{n.Int64(), m.Int64(), d.Int64()}, nil
}

// unitFactor finds a conversion into the unit of a measure; no unit is its own.
func unitFactor(m *weather.Measure, unit string) (factor, offset *big.Rat, err error) {
	if unit == "" || unit == m.Unit {
		return big.NewRat(1, 1), new(big.Rat), nil
	}
	i := slices.IndexFunc(unitConversions, func(c unitConversion) bool { return c.from == unit && c.to == m.Unit })
	if i < 0 {
		return nil, nil, fmt.Errorf("there is no conversion from %q to %q: use %s, or scale and offset", unit, m.Unit, unitsInto(m.Unit))
	}
	factor, _ = new(big.Rat).SetString(unitConversions[i].factor)
	offset, _ = new(big.Rat).SetString(unitConversions[i].offset)
	return factor, offset, nil
}

// unitsInto lists the units from which there is a conversion.
func unitsInto(unit string) string {
	units := []string{fmt.Sprintf("%q", unit)}
	for _, c := range unitConversions {
		if c.to == unit {
			units = append(units, c.from)
		}
	}
	return strings.Join(units, ", ")
}

// decimalRat reads a number of a mapping.
func decimalRat(what, text string, otherwise int64) (*big.Rat, error) {
	if text == "" {
		return new(big.Rat).SetInt64(otherwise), nil
	}
	d, err := parseDecimal([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the %s is no decimal number: %w", what, err)
	}
	r := new(big.Rat).SetInt64(d.digits)
	ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.scale, -d.scale))), nil))
	if d.scale < 0 {
		return r.Mul(r, ten), nil
	}
	return r.Quo(r, ten), nil
}
