package station_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/race"
)

func TestMain(m *testing.M) {
	// Random histories open many hosts. The race detector looks for other mistakes
	// than more of them would find, and they run without it too.
	if race.Enabled {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
