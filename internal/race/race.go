// Package race says whether the race detector is on, for tests that would take too
// long under it, or measure what it changes.
//
//	if race.Enabled {
//		nodes = 30 // of 100
//	}
//
// It is a constant, and has no state. What the detector turns on in the program
// itself is internal/invariant's.
package race
