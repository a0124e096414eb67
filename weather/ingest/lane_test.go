package ingest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mesonet/mesonet/weather"
)

func oneRow() located {
	r := &weather.Run{}
	r.Append(0, 1)
	return located{StationRun{Station: "s", Run: r}, []place{1}}
}

// Pauses double up to the most, and begin anew once something was settled.
func TestLanePauses(t *testing.T) {
	l := &lane{station: "s"}
	p, _ := l.add(oneRow())
	now := time.Unix(0, 0)
	var waits []time.Duration
	fail := func() {
		l.answer(p, Outcome{Err: fmt.Errorf("away: %w", ErrRetry)})
		if !l.pause(now, time.Second, 5*time.Second) || l.pause(now, time.Second, 5*time.Second) {
			t.Fatal("a failure must begin one pause")
		}
		waits = append(waits, l.due.Sub(now))
		now = l.due
		l.resume()
	}
	for range 4 {
		fail()
	}
	if since := time.Unix(0, 0); !l.since.Equal(since) {
		t.Errorf("it fails since %s, want %s", l.since, since)
	}
	l.answer(p, Outcome{Stored: 1})
	if rows := l.settle(func(*parcel) {}); rows != 1 || !l.idle() {
		t.Errorf("%d rows settled, idle: %v", rows, l.idle())
	}
	p, _ = l.add(oneRow())
	fail()
	s := time.Second
	if want := []time.Duration{s, 2 * s, 4 * s, 5 * s, s}; !slices.Equal(waits, want) {
		t.Errorf("pauses %v, want %v", waits, want)
	}
}

// A lane waits until all is back, and then sends again from the first failure,
// what came meanwhile included.
func TestLaneGoesBack(t *testing.T) {
	l := &lane{station: "s"}
	first, _ := l.add(oneRow())
	second, _ := l.add(oneRow())
	third, _ := l.add(oneRow())
	retry := Outcome{Err: ErrRetry}
	if !l.answer(first, Outcome{Stored: 1}) || l.settle(func(*parcel) {}) != 1 {
		t.Fatal("the first is settled at once")
	}
	l.answer(second, retry)
	if l.pause(time.Now(), 1, 1) {
		t.Error("it pauses while one is away")
	}
	late, now := l.add(oneRow())
	if now {
		t.Error("one is sent before those that must be sent again")
	}
	if !l.answer(third, Outcome{Stored: 1}) || l.settle(func(*parcel) {}) != 0 {
		t.Error("the third is counted, but not settled: it has to follow the second again")
	}
	if !l.pause(time.Now(), 1, 1) {
		t.Error("it does not pause though all are back")
	}
	if got := l.resume(); !slices.Equal(got, []*parcel{second, third, late}) {
		t.Errorf("%d are sent again, want second, third and late", len(got))
	}
	if !l.answer(second, Outcome{Stored: 1}) || l.answer(third, Outcome{Corrected: 1}) || !l.answer(late, Outcome{Stored: 1}) {
		t.Error("each outcome is counted once")
	}
	if l.settle(func(*parcel) {}) != 3 || !l.idle() {
		t.Error("all are settled")
	}
}
