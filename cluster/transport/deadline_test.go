package transport

import (
	"testing"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// A request that is late before it is sent ends as unsent, one that was sent as
// broken, both with the word why; what has no deadline waits. The late reply to one is
// no malformed input.
// Seen to fail without endLate, and when late gives the place in pending away.
func TestDeadlines(t *testing.T) {
	h := hold()
	a := start(t, "a", echo, nil)
	b := start(t, "b", h.handle, func(c *Config) { c.MaxRequests = 2 })
	soon := func() time.Time { return time.Now().Add(50 * time.Millisecond) }
	got := next(t, a.send(b.peer(), cluster.Request{Deadline: time.Now().Add(-1)}), "the end of one that is late already")
	is(t, got.err, []error{cluster.ErrUnsent}, "deadline has passed")

	patient := a.send(b.peer(), cluster.Request{Body: []byte("no deadline")})
	await(t, h.come, "the request")
	sent := a.send(b.peer(), cluster.Request{Deadline: time.Now().Add(time.Second), Body: []byte("sent")})
	await(t, h.come, "the request")
	waiting := a.send(b.peer(), cluster.Request{Deadline: soon(), Body: []byte("waits")})
	is(t, next(t, waiting, "the end of one that waits").err, []error{cluster.ErrUnsent}, "deadline has passed")
	is(t, next(t, sent, "the end of one that was sent").err, []error{cluster.ErrBroken}, "no reply until its deadline")

	// The other node is still at work on two, and gets no more.
	third := a.send(b.peer(), cluster.Request{Body: []byte("next")})
	if s := a.Stats(); s.Unanswered != 2 || s.Queued != 1 {
		t.Errorf("%+v", s)
	}
	h.answer()
	if got := next(t, patient, "its reply"); got.err != nil {
		t.Error(got.err)
	}
	await(t, h.come, "the next request")
	h.answer()
	if got := next(t, third, "its reply"); got.err != nil {
		t.Error(got.err)
	}
	if len(a.connected) != 1 || len(a.malformed) != 0 {
		t.Error("the late reply has ended the connection")
	}
}

// A long message whose deadline passes while it is being written is given up, and what
// follows it in its lane arrives.
// Seen to fail when takeLate does not say drop: the next message is taken for a piece.
func TestDeadlineWithinAMessage(t *testing.T) {
	a, b := start(t, "a", echo, nil), start(t, "b", echo, nil)
	p := newProxy(t, b.Address())
	a.must(through(p, b), "hello")
	p.hang(toServer, true)
	long := a.send(through(p, b), cluster.Request{Deadline: time.Now().Add(100 * time.Millisecond), Body: make([]byte, 8<<20)})
	after := a.send(through(p, b), cluster.Request{Body: []byte("after")})
	is(t, next(t, long, "the end of the long request").err, []error{cluster.ErrUnsent}, "deadline has passed")
	p.hang(toServer, false)
	if got := next(t, after, "the reply after it"); got.err != nil || string(got.reply) != "after" {
		t.Errorf("%q, %v", got.reply, got.err)
	}
	if len(a.connected) != 1 {
		t.Errorf("%d connections, want 1", len(a.connected))
	}
}
