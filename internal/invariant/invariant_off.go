//go:build !invariants && !race

package invariant

// Enabled says that assertions are checked in this build; in this one they are
// not.
const Enabled = false
