// Package spelling finds the name that a mistyped one most likely meant, for
// errors that suggest it: of a command, a flag, a key of the configuration. It
// would rather suggest nothing than something far off.
//
//	spelling.Closest("temprature", []string{"precip", "temperature"}) // temperature
//
// It is pure: any number of goroutines may use it.
package spelling

import "strings"

// Closest returns the candidate that name most likely meant, or "" when none is
// near: one with at most two slips, or one that begins with it. Case does not
// count.
func Closest(name string, candidates []string) string {
	name = strings.ToLower(name)
	best, least := "", 3 // more than two slips is another word
	for _, candidate := range candidates {
		lower := strings.ToLower(candidate)
		d := Distance(name, lower)
		if len(name) > 2 && strings.HasPrefix(lower, name) {
			d = min(d, 1)
		}
		if d < least && d < len(candidate) {
			best, least = candidate, d
		}
	}
	return best
}

// Distance is Levenshtein's: how many letters have to be put in, taken out or
// changed to make b of a. Long ones, of which no name is, are far from all: what
// they are may come from anybody.
func Distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
