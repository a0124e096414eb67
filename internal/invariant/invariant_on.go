//go:build invariants || race

package invariant

// Enabled says that assertions are checked in this build.
const Enabled = true
