package actors_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mesonet/mesonet/actors"
)

type account struct{ cents int }

type deposit int

// balance is a message with an answer: embedding the Reply also makes it
// Refusable.
type balance struct{ *actors.Reply[int] }

func (a *account) Receive(_ *actors.Context, msg any) {
	switch m := msg.(type) {
	case deposit:
		a.cents += int(m)
	case balance:
		m.Resolve(a.cents)
	}
}

func Example() {
	ctx := context.Background()
	s, err := actors.NewSystem(actors.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	ada, err := s.Spawn("ada", &actors.Props{New: func() actors.Actor { return new(account) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = ada.Tell(deposit(300))
	_ = ada.Tell(deposit(200))
	cents, err := actors.Ask(ctx, ada, func(r *actors.Reply[int]) any { return balance{r} })
	fmt.Println(ada, cents, err)

	fmt.Println(s.Stop(ctx))
	_, err = actors.Ask(ctx, ada, func(r *actors.Reply[int]) any { return balance{r} })
	fmt.Println(errors.Is(err, actors.ErrStopped), err)
	// Output:
	// ada 500 <nil>
	// <nil>
	// true actors: the actor has stopped: ask ada
}

// A parent that lets its child crash, and watches it.
func ExampleContext_Watch() {
	c := actors.DefaultConfig()
	c.Logger = discard
	s, _ := actors.NewSystem(c)
	parent := &actors.Props{
		New: func() actors.Actor {
			return actors.Func(func(c *actors.Context, msg any) {
				switch m := msg.(type) {
				case actors.Started:
					child, _ := c.Spawn("child", &actors.Props{New: func() actors.Actor {
						return actors.Func(func(_ *actors.Context, msg any) {
							fmt.Printf("child: %T\n", msg)
							if _, ok := msg.(string); ok {
								panic("oh no")
							}
						})
					}})
					c.Watch(child)
					_ = child.Tell("work")
				case actors.Terminated:
					fmt.Println("parent: gone is", m.Ref)
					c.Stop(c.Self())
				}
			})
		},
		Supervision: actors.Supervision{
			MaxRestarts: 2,
			MinBackoff:  time.Millisecond,
			Decide:      func(any) actors.Directive { return actors.Stop },
		},
	}
	p, _ := s.Spawn("parent", parent)
	<-p.Done()
	_ = s.Stop(context.Background())
	// Output:
	// child: actors.Started
	// child: string
	// child: actors.Stopping
	// child: actors.Stopped
	// parent: gone is parent/child
}

// A question that is answered later, by a timer.
func ExampleContext_After() {
	s, _ := actors.NewSystem(actors.DefaultConfig())
	r, _ := s.Spawn("slow", &actors.Props{New: func() actors.Actor {
		return actors.Func(func(c *actors.Context, msg any) {
			switch m := msg.(type) {
			case balance:
				c.After(time.Millisecond, func() { m.Resolve(42) })
			case func():
				m()
			}
		})
	}})
	fmt.Println(actors.Ask(context.Background(), r, func(r *actors.Reply[int]) any { return balance{r} }))
	_ = s.Stop(context.Background())
	// Output: 42 <nil>
}
