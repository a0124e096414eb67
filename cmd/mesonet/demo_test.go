package main

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/mesonet/mesonet/persistence"
)

// brokenNode is a node that fails when it is told to.
type brokenNode struct {
	node

	done chan struct{}
	err  error
}

func (n *brokenNode) Done() <-chan struct{} { return n.done }

func (n *brokenNode) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

// A demo whose node fails while it is filled says why, and does not wait for
// answers that will never come. Mutation seen to fail: show not watching the node.
func TestDemoOfANodeThatFails(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &brokenNode{done: make(chan struct{}), err: persistence.ErrFailed}
	silent := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, call grpc.ServerStream) error {
		close(n.done)
		<-call.Context().Done()
		return call.Context().Err()
	}))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := silent.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	defer serving.Wait()
	defer silent.Stop()
	server, err := dial(listener.Addr().String(), time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	defer server.close()
	var out strings.Builder
	d := demo{app: &app{out: &checkedWriter{w: &out}, err: &out}, server: server}
	err = d.show(t.Context(), n)
	var f *failure
	if !errors.As(err, &f) || f.code != exitFailed || !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("the demo ended with %v", err)
	}
}
