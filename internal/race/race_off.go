//go:build !race

package race

// Enabled says that the race detector is on in this build; in this one it is not.
const Enabled = false
