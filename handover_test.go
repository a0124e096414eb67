package mesonet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
)

// Two nodes on a real Cassandra give a shard to each other, to and fro, while callers
// count in it and ask whichever node has it. Nobody is told anything but to ask the
// other, and what was acknowledged is there once.
//
// Mutation seen to fail: silence of package journal not waiting for what was
// appended. Package entity has the random histories.
func TestHandOverOnCassandra(t *testing.T) {
	cc := cassandra.DefaultConfig()
	cc.Hosts, cc.Keyspace = serverstest.Cassandra(t, 1).Addresses(), serverstest.Name(t)
	cc.Timeout, cc.ConnectTimeout = 20*time.Second, 20*time.Second // a busy machine is no store that is away
	cc.Logger = slog.New(slog.DiscardHandler)
	schema := cassandra.DefaultSchema(cc.Keyspace)
	schema.Shards = 1
	if _, err := schema.Apply(t.Context(), cc); err != nil {
		t.Fatal(err)
	}
	var nodes [2]*mesonet.Node
	names := [2]persistence.NodeID{"a", "b"}
	for i := range nodes {
		store, err := cassandra.Open(t.Context(), cc)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		cfg := config("")
		cfg.Store, cfg.Node, cfg.Address = store, names[i], string(names[i])
		nodes[i] = start(t, cfg)
		defer stop(t, nodes[i])
	}

	const callers, moves, least = 4, 8, 10 // acknowledged between two moves
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end, stopWaiting := context.WithTimeout(t.Context(), time.Minute)
	defer stopWaiting()
	var all sync.WaitGroup
	var acked [callers]int64
	var total atomic.Int64
	var moved atomic.Int64
	for c := range callers {
		all.Go(func() {
			for at := 0; ctx.Err() == nil; {
				sum, err := add.Ask(end, nodes[at], fmt.Sprint(c), wrapperspb.Int64(1))
				var to *entity.MovedError
				switch {
				case err == nil && sum == acked[c]+1:
					acked[c] = sum
					total.Add(1)
				case errors.Is(err, entity.ErrUnavailable):
					if errors.As(err, &to) {
						moved.Add(1)
					}
					at = 1 - at
				default:
					t.Errorf("%d comes after %d, %v", sum, acked[c], err)
					return
				}
			}
		})
	}
	counted := func() {
		for from := total.Load(); total.Load() < from+least && !t.Failed() && end.Err() == nil; {
			time.Sleep(time.Millisecond) //nolint:forbidigo // of a store that is another process
		}
	}
	counted()
	for move := range moves {
		at := move % 2
		done, err := nodes[at].HandOver(end, 0, names[1-at])
		if err != nil {
			t.Errorf("move %d: %v", move, err)
			break
		}
		t.Logf("calls were parked for %s", done.Pause)
		if err := nodes[1-at].Take(end, 0); err != nil {
			t.Errorf("after move %d: %v", move, err)
			break
		}
		counted()
	}
	cancel()
	all.Wait()
	for c := range callers {
		if got, err := add.Ask(end, nodes[0], fmt.Sprint(c), wrapperspb.Int64(0)); err != nil || got != acked[c] {
			t.Errorf("%d are there, %v, and %d were acknowledged", got, err, acked[c])
		}
	}
	if moved.Load() == 0 {
		t.Error("no call met a move")
	}
}
