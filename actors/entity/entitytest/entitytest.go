// Package entitytest checks the functions of a kind without an actor, a store
// or a clock:
//
//	entitytest.Given(t, Counter, &pb.Added{N: 3}).
//		When(&pb.Add{N: 4}).
//		Then(&pb.Added{N: 4}).
//		Replies(&pb.Total{N: 7})
//
// Along the way it checks what every kind has to keep, for each event and page
// that it meets: evolving is deterministic, events and pages survive their
// codecs, and an event evolved page by page at different times comes to the same
// state as all pages at once.
package entitytest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesonet/mesonet/actors/entity"
)

// Case is an entity with a past, and perhaps a command decided on it.
type Case struct {
	t      testing.TB
	twin   *entity.Twin
	events entity.Events
	reply  any
	err    error
	asked  bool
}

// Given returns an entity with these events behind it.
func Given(t testing.TB, k entity.Definition, events ...any) *Case {
	t.Helper()
	if err := k.Definition().Validate(); err != nil {
		t.Fatal(err)
	}
	c := &Case{t: t, twin: entity.NewTwin(k)}
	c.evolve(events)
	return c
}

// When decides on a command or answers a question, found by its type. What it
// decided is part of the past from then on.
func (c *Case) When(command any) *Case {
	c.t.Helper()
	c.asked = true
	c.events, c.reply, c.err = c.twin.Decide(command)
	c.evolve(c.events)
	return c
}

// WhenTogether decides on commands that wait together: as one, if the kind can, else
// one after the other. It fails when both would not come to the same. The replies
// are one reply, a []any.
func (c *Case) WhenTogether(commands ...any) (_ *Case, together bool) {
	c.t.Helper()
	events, replies, ok, err := c.twin.DecideTogether(commands...)
	if err != nil {
		c.t.Fatal(err)
	}
	if ok {
		c.asked, c.events, c.reply, c.err = true, events, replies, nil
		c.evolve(events)
		return c, true
	}
	for _, command := range commands {
		if c.When(command); c.err != nil {
			return c, false
		}
		replies = append(replies, c.reply)
	}
	c.reply = replies
	return c, false
}

// Then checks the events that were decided; none after a rejection.
func (c *Case) Then(events ...any) *Case {
	c.t.Helper()
	if c.err != nil && len(events) > 0 {
		c.t.Fatalf("refused: %v", c.err)
	}
	var got []any = c.events
	c.compare("events", got, events)
	return c
}

// Replies checks the reply.
func (c *Case) Replies(reply any) *Case {
	c.t.Helper()
	if c.err != nil {
		c.t.Fatalf("refused: %v", c.err)
	}
	c.compare("reply", c.reply, reply)
	return c
}

// Matches checks the reply with a function that returns what is wrong with it.
func (c *Case) Matches(check func(reply any) error) *Case {
	c.t.Helper()
	if c.err != nil {
		c.t.Fatalf("refused: %v", c.err)
	}
	if err := check(c.reply); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// Refuses checks that the command was refused with a code and a message that
// contains text.
func (c *Case) Refuses(code entity.Code, text string) *Case {
	c.t.Helper()
	var r *entity.Rejection
	switch {
	case !c.asked || c.err == nil:
		c.t.Fatalf("accepted; want %s, %q", code, text)
	case !errors.As(c.err, &r):
		c.t.Fatalf("failed with %v, which is no rejection", c.err)
	case r.Code != code || !strings.Contains(r.Message, text):
		c.t.Fatalf("refused as %s: %q; want %s, %q", r.Code, r.Message, code, text)
	}
	return c
}

// evolve makes events part of the past.
func (c *Case) evolve(events []any) {
	c.t.Helper()
	for _, e := range events {
		if err := c.twin.Evolve(e); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *Case) compare(what string, got, want any) {
	c.t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		c.t.Fatalf("%s differ (-want +got)\n%s", what, diff)
	}
}
