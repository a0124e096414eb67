package main

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
)

// Log is counted up to the last time that all pages were stored, as the pages of
// what came later are not. Mutation seen to fail: result returns what is counted
// now.
func TestCounting(t *testing.T) {
	c := &counting{passed: make(chan struct{}, 1)}
	if got := c.result(); got != (tally{}) {
		t.Errorf("before anything: %+v", got)
	}
	c.durable(0, 10, 200, time.Millisecond)
	c.anHour()
	c.durable(0, 10, 300, time.Millisecond)
	c.anHour()
	c.stored(entity.PageFlush{Pages: 3, Bytes: 4000})
	c.stored(entity.PageFlush{Pages: 2, Bytes: 1000})
	c.checkpointed(0, 1)
	c.durable(0, 10, 250, time.Millisecond)
	c.anHour()
	c.stored(entity.PageFlush{Pages: 1, Bytes: 100})
	want := tally{events: 20, logBytes: 500, pages: 5, pageBytes: 5000, passes: 1, hours: 2}
	if got := c.result(); got != want || got.perLogByte() != 10 {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// A wait ends when it is over, or with what keeps pages from being stored.
func TestCountingWait(t *testing.T) {
	c := &counting{passed: make(chan struct{}, 1)}
	c.checkpointed(0, 1)
	looked := 0
	if err := c.wait(t.Context(), func() bool { looked++; return looked == 2 }); err != nil || looked != 2 {
		t.Errorf("looked %d times, %v", looked, err)
	}
	broken := errors.New("broken")
	c.stored(entity.PageFlush{Err: broken})
	if err := c.wait(t.Context(), func() bool { return false }); !errors.Is(err, broken) {
		t.Errorf("pages that can't be stored: %v", err)
	}
}

// However few of its stations a shard has, its tail holds as many hours.
func TestHourlyNetwork(t *testing.T) {
	s := &suite{opt: defaultOptions()}
	tail := s.config(".").CheckpointBytes
	for _, test := range []struct {
		all, most, stations, tail int
	}{
		{100_000, math.MaxInt, 3125, tail},
		{million, math.MaxInt, 31_250, tail},
		{million, 1000, 1000, tail * 1000 / 31_250},
		{1, math.MaxInt, 1, tail},
	} {
		h := s.hourly(test.all, test.most)
		if h.all != test.all || h.stations != test.stations || h.tail != test.tail {
			t.Errorf("%d stations, at most %d: %+v", test.all, test.most, h)
		}
	}
}
