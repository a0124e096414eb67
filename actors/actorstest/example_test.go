package actorstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/actors/actorstest"
)

type greet struct {
	name string
	to   *actors.Ref
}

func greeter(c *actors.Context, msg any) {
	if m, ok := msg.(greet); ok {
		_ = m.to.Tell("Hello, " + m.name + "!")
		c.After(time.Hour, func() {})
	}
}

// A test of an actor, in virtual time.
func TestGreeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actorstest.NewSystem(t)
		g, err := s.Spawn("greeter", &actors.Props{New: func() actors.Actor { return actors.Func(greeter) }})
		if err != nil {
			t.Fatal(err)
		}
		p := actorstest.NewProbe(t, s)
		p.Tell(t, g, greet{"Ada", p.Ref()})
		p.Expect(t, "Hello, Ada!", time.Second)
		p.ExpectNone(t, time.Hour)
	})
}
