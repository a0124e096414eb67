package cqlproxy

import (
	"errors"
	"testing"
)

// A stream with a request under way is not taken for another, also when all have
// been used once. Seen to fail without the look at pending.
func TestFreeStream(t *testing.T) {
	x := &exchange{}
	c := &conn{pending: map[int16]*exchange{0: x, 1: x, 3: x}, lastStream: 1<<15 - 1}
	for _, want := range []int16{1<<15 - 1, 2, 4} {
		got, err := c.freeStream()
		if err != nil || got != want {
			t.Errorf("stream %d (error %v), want %d", got, err, want)
		}
		c.pending[got] = x
	}
	for range 1<<15 - len(c.pending) {
		stream, err := c.freeStream()
		if err != nil || c.pending[stream] != nil || stream < 0 {
			t.Fatalf("stream %d (error %v), want a free one", stream, err)
		}
		c.pending[stream] = x
	}
	if stream, err := c.freeStream(); !errors.Is(err, ErrMalformed) {
		t.Errorf("of no free stream: %d and error %v, want %v", stream, err, ErrMalformed)
	}
}
