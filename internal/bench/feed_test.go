package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather/station"
)

func testSuite(t *testing.T) *suite {
	t.Helper()
	opt := quickOptions()
	opt.time = 10 * time.Millisecond
	return &suite{opt: opt, places: &workplace{root: t.TempDir()}}
}

func testNode(t *testing.T) *node {
	t.Helper()
	n, stop, err := testSuite(t).startNetwork(t.Context(), embedded, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Everything that feed counts is held by the stations when it returns, and never
// more than there is room for was under way. Mutation seen to fail: feed returns
// without waiting for what is under way.
func TestFeed(t *testing.T) {
	n := testNode(t)
	load, err := newRounds(10)
	if err != nil {
		t.Fatal(err)
	}
	const rows, room, messages = 3, 12, 200
	var under, most, acked atomic.Int64
	got, err := feed(t.Context(), n, stream{
		rows: rows, inFlight: room,
		fill: func(m *message) bool {
			if load.next == messages {
				return false
			}
			most.Store(max(most.Load(), under.Add(rows)))
			return load.fill(m)
		},
		acked: func(*message) {
			under.Add(-rows)
			acked.Add(rows)
		},
	})
	if err != nil || got != rows*messages || acked.Load() != rows*messages {
		t.Fatalf("fed %d, acknowledged %d, %v; want %d", got, acked.Load(), err, rows*messages)
	}
	if most.Load() > room {
		t.Errorf("%d observations were under way, with room for %d", most.Load(), room)
	}
	for _, id := range load.stations {
		head, err := n.stations.Head.Ask(t.Context(), n, id, &station.GetHead{})
		if err != nil || head.Observations != rows*messages/10 {
			t.Errorf("station %s holds %+v, %v", id, head, err)
		}
	}
}

// A batch is sent as soon as it is full: it is acknowledged before the next begins.
// Mutation seen to fail: batch not looked at.
func TestFeedBatches(t *testing.T) {
	n := testNode(t)
	load, err := newRounds(network)
	if err != nil {
		t.Fatal(err)
	}
	const batch, messages = 3, 12
	acked := make(chan struct{}, messages)
	_, err = feed(t.Context(), n, stream{
		rows: 1, inFlight: 100, batch: batch,
		fill: func(m *message) bool {
			if load.next > 0 && load.next%batch == 0 {
				for range batch {
					select {
					case <-acked:
					case <-time.After(10 * time.Second):
						t.Error("what fills a batch is not sent")
						return false
					}
				}
			}
			return load.next < messages && load.fill(m)
		},
		acked: func(*message) { acked <- struct{}{} },
	})
	if err != nil {
		t.Error(err)
	}
}

// A stream without an end ends with its context, and what was refused is an
// error.
func TestFeedEnds(t *testing.T) {
	n := testNode(t)
	load, err := newRounds(network)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acked atomic.Int64
	got, err := feed(ctx, n, stream{rows: 1, inFlight: 100, fill: load.fill, acked: func(*message) {
		if acked.Add(1) == 1000 {
			cancel()
		}
	}})
	if err != nil || got < 1000 || int64(got) != acked.Load() {
		t.Errorf("fed %d, acknowledged %d, %v", got, acked.Load(), err)
	}
	load.stations = []string{"nobody"}
	load.next = 0
	var refusal *entity.Rejection
	if _, err := feed(t.Context(), n, stream{rows: 1, inFlight: 100, fill: load.fill}); !errors.As(err, &refusal) {
		t.Errorf("observations of nobody: %v", err)
	}
}

func TestPace(t *testing.T) {
	begin := time.Now()
	p := pace{begin, 2.5} // each tick
	for message, want := range []int{0, 0, 0, 1, 1, 2, 2, 2, 3} {
		if got := p.due(message).Sub(begin); got != time.Duration(want)*tick {
			t.Errorf("message %d is due after %s, want %d ticks", message, got, want)
		}
	}
	if got := p.within(10 * tick); got != 25 {
		t.Errorf("%d are due within ten ticks, want 25", got)
	}
}

// A load that is paced sends as much as it should.
func TestHalfLoad(t *testing.T) {
	s := testSuite(t)
	s.opt.time = 50 * time.Millisecond
	took, err := s.halfLoad(t.Context(), embedded, 1, 20_000)
	if want := 1000; err != nil || len(took) != want {
		t.Fatalf("%d messages, %v; want %d", len(took), err, want)
	}
	if took[0] <= 0 {
		t.Errorf("one took %s", took[0])
	}
}

// The first error ends all who ask, and those who were right don't count.
func TestHammer(t *testing.T) {
	broken := errors.New("broken")
	var asked atomic.Int64
	_, err := hammer(t.Context(), time.Hour, func(int) error {
		if asked.Add(1) == 5000 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("hammer returned %v", err)
	}
	if _, err := alone(t.Context(), time.Hour, func(i int) error {
		if i == 100 {
			return broken
		}
		return nil
	}); !errors.Is(err, broken) {
		t.Errorf("alone returned %v", err)
	}
	seen := make([]atomic.Int64, 10*asking)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rate, err := hammer(ctx, time.Hour, func(i int) error {
		if i < len(seen) {
			seen[i].Add(1)
		} else if i > 2*len(seen) {
			cancel()
		}
		return nil
	})
	if err != nil || rate <= 0 {
		t.Errorf("%v answers a second, %v", rate, err)
	}
}

// The raw log keeps what it has been given, all of it.
func TestRawLog(t *testing.T) {
	s := testSuite(t)
	rate, err := s.rawLog(t.Context())
	if err != nil || rate <= 0 {
		t.Errorf("%v events a second, %v", rate, err)
	}
}
