package cassandra

import (
	"errors"
	"fmt"
	"slices"
)

// Finding is something about the cluster or the schema that an operator should
// know.
type Finding struct {
	// Refused says that a store is not opened on it: its promises would not
	// hold.
	Refused bool
	// Text says what it is, where, and what to do.
	Text string
	// err is what the text is of, if a caller may want to tell it apart.
	err error
}

// Findings is what was found.
type Findings []Finding

func (f *Findings) refuse(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	*f = append(*f, Finding{Refused: true, Text: err.Error(), err: err})
}

func (f *Findings) warn(format string, args ...any) {
	*f = append(*f, Finding{Text: fmt.Sprintf(format, args...)})
}

// refused says that a store is not opened on it.
func (f Findings) refused() bool {
	return slices.ContainsFunc(f, func(finding Finding) bool { return finding.Refused })
}

// refusal returns what is refused as one error.
func (f Findings) refusal() error {
	var errs []error
	for _, finding := range f {
		if finding.Refused {
			errs = append(errs, finding.err)
		}
	}
	return errors.Join(errs...)
}
