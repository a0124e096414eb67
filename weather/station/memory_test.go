package station_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/mesonet/mesonet/internal/race"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/weather"
)

// What is counted for a station is what it takes, a new one with entries that are
// not stored yet, and one that was read and added to. Mutations seen to fail: the
// entries that are pending not counted; pages that were read not measured at their
// first event.
func TestMemoryOfAStation(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes memory of its own")
	}
	cfg := pebble.DefaultConfig(t.TempDir())
	cfg.MemTable = 1 << 20
	store, err := pebble.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	begin, _ := weather.MinuteOf(2008, 1, 1, 0, 0)
	for hour, what := range []string{"new", "read and added to"} {
		h := openHost(t, store)
		observeAt(t, h, "first", begin, 100)
		before, countedBefore := heap(), h.Stats().MemoryBytes
		const n = 3_000
		for i := range n {
			observeAt(t, h, fmt.Sprint("s", i), begin+weather.Minute(60*hour),
				210, 150, 10132, 1, 20, weather.Missing, 3, 12, weather.Missing)
		}
		takes, counts := (heap()-before)/n, (h.Stats().MemoryBytes-countedBefore)/n
		t.Logf("%s: a station takes %d bytes, %d are counted", what, takes, counts)
		if counts < takes*10/11 || counts > takes*11/10 {
			t.Errorf("%s: a station takes %d bytes, and %d are counted", what, takes, counts)
		}
		closeHost(t, h)
	}
}

// heap returns how many bytes are in use, garbage aside.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
