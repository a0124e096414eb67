package network

import (
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/weather"
)

// contradiction returns an error that names every measure by which what was
// stored with one catalogue would be read wrongly with another.
func contradiction(stored, declared weather.Catalogue) error {
	var wrong, missing []string
	for i, was := range stored {
		at, found := declared.Lookup(was.Name)
		switch {
		case !found:
			missing = append(missing, fmt.Sprintf("%s (number %d)", was.Name, i+1))
		case int(at) != i:
			wrong = append(wrong, fmt.Sprintf("%s is number %d of the store and number %d of the declaration", was.Name, i+1, at+1))
		default:
			wrong = append(wrong, differences(was, declared[at])...)
		}
	}
	if len(missing) > 0 {
		wrong = append(wrong, "not declared any more: "+strings.Join(missing, ", "))
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("the measures contradict those that the store was filled with: %s; declare these as they were, new ones at the end, or take another folder for other measures",
		strings.Join(wrong, ", and "))
}

// differences says in what a measure is another.
func differences(was, is weather.Measure) []string {
	var all []string
	if was.Decimals != is.Decimals {
		all = append(all, fmt.Sprintf("%s is stored with decimals %d and declared with %d", was.Name, was.Decimals, is.Decimals))
	}
	if was.Aggregate != is.Aggregate {
		all = append(all, fmt.Sprintf("%s is stored with aggregate %s and declared with %s", was.Name, was.Aggregate, is.Aggregate))
	}
	if was.Trace != is.Trace {
		all = append(all, fmt.Sprintf("%s is stored with trace %t and declared with %t", was.Name, was.Trace, is.Trace))
	}
	return all
}
