package weather

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Value is a measured quantity in fixed point: a count of the last decimal that
// its measure keeps. With one decimal 12.2 °C is 122. The zero Value is the
// quantity 0, so what was not measured must be set to Missing. What was measured
// but is Erroneous is marked in the value.
type Value int32

const (
	// Missing stands for a quantity that was not measured.
	Missing Value = math.MinInt32
	// Trace stands for an amount too small to measure, but not nothing.
	Trace Value = math.MinInt32 + 1
	// MaxValue bounds the limits of every measure, and -MaxValue from below. A
	// reading each minute of that size still leaves the sum of squares of a
	// day in 63 bits: 1440 × 2^52 < 2^63.
	MaxValue Value = 1<<26 - 1
	// MaxDecimals is the most decimals that a measure may keep.
	MaxDecimals = 6
)

// Errors of ParseValue, to be told apart with errors.Is.
var (
	// ErrNumber says that a text is not a plain decimal number.
	ErrNumber = errors.New("weather: not a decimal number")
	// ErrOverflow says that a number is too large for a Value.
	ErrOverflow = errors.New("weather: number too large")
)

// pow10 are the powers of ten that decimals can ask for.
var pow10 = [...]int64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}

// Plain reports whether v is a number that holds: neither Missing nor Trace nor
// Erroneous.
func (v Value) Plain() bool { return v > Trace && v <= MaxValue }

// number reports whether v is a number, erroneous or not.
func (v Value) number() bool { return v > Trace }

// Float returns v in the unit of a measure with that many decimals, as the
// float64 nearest to it; NaN when missing, 0 for a trace. An erroneous value is
// the number that was measured.
func (v Value) Float(decimals int) float64 {
	switch v {
	case Missing:
		return math.NaN()
	case Trace:
		return 0
	}
	return float64(v.Measured()) / float64(pow10[decimals])
}

// Format returns v as decimal text, with all its decimals: "12.2". Missing is
// the empty text and a trace is "T", as weather services write it. An erroneous
// value is the number that was measured.
func (v Value) Format(decimals int) string {
	return string(v.Append(nil, decimals))
}

// Append appends to dst what Format returns.
func (v Value) Append(dst []byte, decimals int) []byte {
	switch v {
	case Missing:
		return dst
	case Trace:
		return append(dst, 'T')
	}
	return AppendFixed(dst, int64(v.Measured()), decimals)
}

// AppendFixed appends n, a count of the last of so many decimals, as decimal
// text. It is for sums of values, which may outgrow a Value.
func AppendFixed(dst []byte, n int64, decimals int) []byte {
	if decimals == 0 {
		return strconv.AppendInt(dst, n, 10)
	}
	size := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		size = -size
	}
	one := uint64(pow10[decimals])
	dst = strconv.AppendUint(dst, size/one, 10)
	dst = append(dst, '.')
	for rest := size % one; one > 1; rest %= one {
		one /= 10
		dst = append(dst, byte('0'+rest/one))
	}
	return dst
}

// ParseValue reads decimal text such as "-12.5" exactly: digits with an
// optional sign and an optional fraction. Digits beyond the decimals must be
// zeros, for nothing is rounded. Anything else is ErrNumber; a number beyond
// ±MaxValue, which no measure can have, is ErrOverflow.
func ParseValue[T string | []byte](text T, decimals int) (Value, error) {
	i, negative := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		i = 1
	}
	var n int64
	digits, fraction := 0, -1 // fraction counts digits after the point
	for ; i < len(text); i++ {
		c := text[i] - '0'
		switch {
		case c <= 9 && fraction < decimals:
			if n = n*10 + int64(c); n > int64(MaxValue) {
				return overflow(text)
			}
			digits++
			if fraction >= 0 {
				fraction++
			}
		case c == 0: // a zero beyond the decimals
		case text[i] == '.' && fraction < 0 && digits > 0 && i+1 < len(text):
			fraction = 0
		default:
			return Missing, fmt.Errorf("%w with at most %d decimals: %s", ErrNumber, decimals, quote(text))
		}
	}
	if digits == 0 {
		return Missing, fmt.Errorf("%w: %s", ErrNumber, quote(text))
	}
	if n *= pow10[decimals-max(fraction, 0)]; n > int64(MaxValue) {
		return overflow(text)
	}
	if negative {
		n = -n
	}
	return Value(n), nil
}

func overflow[T string | []byte](text T) (Value, error) {
	return Missing, fmt.Errorf("%w: %s", ErrOverflow, quote(text))
}

// quote shows a text in an error, shortened, so that hostile input can't fill
// a log.
func quote[T string | []byte](text T) string {
	const most = 40
	if len(text) > most {
		return strconv.QuoteToASCII(string(text[:most])) + "…"
	}
	return strconv.QuoteToASCII(string(text))
}
