package ingest

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/mesonet/mesonet/weather"
)

// decimal is an exact number, digits × 10^-scale. Programs that write binary
// fractions as text need 17 digits; 18 fit.
type decimal struct {
	digits int64
	scale  int
}

const (
	maxDigits = 18
	maxScale  = 40 // either way
)

// parseDecimal reads a number with an optional sign, fraction and exponent.
func parseDecimal(text []byte) (decimal, error) {
	i, negative := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		i = 1
	}
	var d decimal
	digits, significant, point := 0, 0, false
	for ; i < len(text); i++ {
		c := text[i] - '0'
		switch {
		case c <= 9:
			digits++
			if significant > 0 || c > 0 {
				significant++
			}
			if significant > maxDigits {
				return decimal{}, fmt.Errorf("%w: %s has more than %d digits", weather.ErrOverflow, quoted(text), maxDigits)
			}
			d.digits = d.digits*10 + int64(c)
			if point {
				d.scale++
			}
			continue
		case text[i] == '.' && !point && digits > 0 && i+1 < len(text) && text[i+1]-'0' <= 9:
			point = true
			continue
		}
		break
	}
	if digits == 0 {
		return decimal{}, fmt.Errorf("%w: %s", weather.ErrNumber, quoted(text))
	}
	if i < len(text) {
		exponent, err := parseExponent(text[i:])
		if err != nil {
			return decimal{}, fmt.Errorf("%w: %s", err, quoted(text))
		}
		d.scale -= exponent
	}
	if d.scale > maxScale || d.scale < -maxScale {
		return decimal{}, fmt.Errorf("%w: %s", weather.ErrOverflow, quoted(text))
	}
	if negative {
		d.digits = -d.digits
	}
	return d, nil
}

// parseExponent reads e12, E+12 or e-12.
func parseExponent(text []byte) (int, error) {
	if text[0] != 'e' && text[0] != 'E' || len(text) < 2 || len(text) > 5 {
		return 0, weather.ErrNumber
	}
	n, err := strconv.Atoi(string(text[1:]))
	if err != nil {
		return 0, weather.ErrNumber
	}
	return n, nil
}

// quoted shows a text in an error, shortened.
func quoted(text []byte) string { return strconv.QuoteToASCII(shorten(text[:min(len(text), 40)])) }

// errRounding says that a number is not one of the last decimal that is kept.
var errRounding = errors.New("it has more decimals than are kept: allow rounding with round: true")

// linear makes of a number x the whole number (x·p + q) / d, as a conversion of
// units does that counts in a measure's last decimal. d is above 0.
type linear struct{ p, q, d int64 }

// small is what the fast way of apply can take: its products stay below 2^62.
const small = 1 << 30

// powers of ten that stay below small, with which the fast way works.
var powers = [...]int64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000}

// apply converts a number exactly; what is left is rounded, half away from zero,
// if that is allowed, and an error otherwise.
func (l *linear) apply(x decimal, round bool) (weather.Value, error) {
	if x.scale < 0 || x.scale >= len(powers) || outside(x.digits) || outside(l.p) || outside(l.q) || outside(l.d) {
		return l.applyLarge(x, round)
	}
	one := powers[x.scale]
	n := x.digits*l.p + l.q*one // each below 2^60
	d := l.d * one
	whole, rest := n/d, n%d
	if rest != 0 {
		if !round {
			return weather.Missing, errRounding
		}
		if rest < 0 {
			rest = -rest
		}
		if rest >= d-rest {
			if n < 0 {
				whole--
			} else {
				whole++
			}
		}
	}
	return toValue(whole)
}

func outside(n int64) bool { return n >= small || n <= -small }

// applyLarge does the same with numbers of any size.
func (l *linear) applyLarge(x decimal, round bool) (weather.Value, error) {
	n := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(x.digits), big.NewInt(l.p)), big.NewInt(1))
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(x.scale, -x.scale))), nil)
	if x.scale < 0 {
		n.Mul(n, new(big.Rat).SetInt(ten))
	} else {
		n.Quo(n, new(big.Rat).SetInt(ten))
	}
	n.Add(n, new(big.Rat).SetInt64(l.q))
	n.Quo(n, new(big.Rat).SetInt64(l.d))
	whole := new(big.Int)
	if n.IsInt() {
		whole.Set(n.Num())
	} else {
		if !round {
			return weather.Missing, errRounding
		}
		half := big.NewRat(1, 2)
		if n.Sign() < 0 {
			half.Neg(half)
		}
		n.Add(n, half)
		whole.Quo(n.Num(), n.Denom()) // towards zero
	}
	if !whole.IsInt64() {
		return weather.Missing, weather.ErrOverflow
	}
	return toValue(whole.Int64())
}

func toValue(n int64) (weather.Value, error) {
	if n > int64(weather.MaxValue) || n < -int64(weather.MaxValue) {
		return weather.Missing, weather.ErrOverflow
	}
	return weather.Value(n), nil
}
