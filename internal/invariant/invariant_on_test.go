//go:build invariants || race

package invariant_test

import (
	"testing"

	"github.com/mesonet/mesonet/internal/invariant"
)

// Tests run under the race detector. If it did not turn the assertions on, they
// would all pass unseen.
func TestEnabled(t *testing.T) {
	if !invariant.Enabled {
		t.Error("invariants are off, although the race detector or the tag should turn them on")
	}
}
