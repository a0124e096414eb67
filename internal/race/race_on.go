//go:build race

package race

// Enabled says that the race detector is on in this build.
const Enabled = true
