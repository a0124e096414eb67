// Package invariant states what must hold for the rest of a function to be
// right, and checks it while the project is tested.
//
// The checks are on in builds with the tag "invariants" and under the race
// detector, which is how all tests run, and off in a release: there they cost
// nothing, and a node goes on where only a check has failed. So an assertion is
// for what the code itself guarantees. What a caller, a file or another node
// may get wrong is an error, returned in every build.
//
//	invariant.Assert(n <= cap(buf), "frame of %d bytes in a buffer of %d", n, cap(buf))
//
// Go evaluates arguments before a call, also of a function that does nothing.
// Arguments that cost something stand behind Enabled, a constant, so that the
// compiler removes them:
//
//	if invariant.Enabled {
//		invariant.Assert(slices.IsSorted(tail), "tail of shard %d is not sorted", shard)
//	}
//
// An assertion must not change what it looks at: the program has to be the same
// without it. Assert keeps no state and may be called from any goroutine.
package invariant

import "fmt"

// Assert panics with the formatted message if invariants are Enabled and cond
// is false. The message names what was found, with its values; "invariant
// violated: " is put before it.
func Assert(cond bool, format string, args ...any) {
	if Enabled && !cond {
		panic("invariant violated: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // a failed assertion is a bug, not an outcome
	}
}
