package invariant_test

import (
	"testing"

	"github.com/mesonet/mesonet/internal/invariant"
)

// The build decides what is expected, so each of
//
//	go test ./internal/invariant
//	go test -race ./internal/invariant
//	go test -tags invariants ./internal/invariant
//
// tests its own half of the promise.
func TestAssert(t *testing.T) {
	const message = "invariant violated: low 7 is above checkpoint 3"
	defer func() {
		switch found := recover(); {
		case invariant.Enabled && found != message:
			t.Errorf("a failed assertion panicked with %v, want %q", found, message)
		case !invariant.Enabled && found != nil:
			t.Errorf("a failed assertion panicked with %v in a build without invariants", found)
		}
	}()
	invariant.Assert(true, "what holds is silent")
	invariant.Assert(false, "low %d is above checkpoint %d", 7, 3)
	if invariant.Enabled {
		t.Error("a failed assertion went on")
	}
}

// The loops that assert for each event must not allocate for it in a release.
func TestAssertAllocatesNothingWhenOff(t *testing.T) {
	if invariant.Enabled {
		t.Skip("invariants are on in this build")
	}
	n := 1 << 20
	if allocs := testing.AllocsPerRun(100, func() {
		n++
		invariant.Assert(n < 0, "n is %d", n)
	}); allocs != 0 {
		t.Errorf("%v allocations an assertion, want none", allocs)
	}
}
