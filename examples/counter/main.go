// Command counter is the smallest actor that remembers: every run adds to the
// same total, which is kept in the folder counter-data. Kill it at any moment;
// what it has printed is there again.
package main

import (
	"context"
	"fmt"
	"log"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"

	counterv1 "mesonet.example/proto/counter/v1"
)

var (
	Counter = entity.New("counter", evolve)       // a kind of one page, a *Counter
	Add     = entity.Command(Counter, add, total) // *Add in, *Total out
)

func add(_ *counterv1.Counter, c *counterv1.Add) (entity.Events, error) {
	if c.N <= 0 {
		return nil, entity.Reject("n must be positive, not %d", c.N)
	}
	return entity.Persist(&counterv1.Added{N: c.N}), nil
}

func evolve(s *counterv1.Counter, event proto.Message) {
	switch e := event.(type) {
	case *counterv1.Added:
		s.N += e.N
	}
}

func total(s *counterv1.Counter) *counterv1.Total { return &counterv1.Total{N: s.N} }

func main() {
	ctx := context.Background()
	node, err := mesonet.Start(ctx, mesonet.DefaultConfig("./counter-data"), Counter)
	if err != nil {
		log.Fatal(err)
	}
	t, err := Add.Ask(ctx, node, "ada", &counterv1.Add{N: 3}) // t is a *Total, and durable
	if err != nil {
		log.Print(err)
	} else {
		fmt.Println("ada's total is", t.N)
	}
	if err := node.Stop(ctx); err != nil {
		log.Fatal(err)
	}
}
