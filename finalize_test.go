package mesonet_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
)

// Two releases side by side on a real Cassandra, with real gossip and requests: while
// the old one is there finalize is refused; then it is granted once, the others learn of
// it as they run, and the old one is refused. When the store is raised once more, behind
// their backs, all that don't know the level stop with the reason, and what they had is
// there for who does.
//
// Mutation seen to fail: a host without watchLevel.
func TestFinalizeOnCassandra(t *testing.T) {
	cc := cassandra.DefaultConfig()
	cc.Hosts, cc.Keyspace = serverstest.Cassandra(t, 1).Addresses(), serverstest.Name(t)
	cc.Timeout, cc.ConnectTimeout = 20*time.Second, 20*time.Second // a busy machine is no store that is away
	cc.Logger = slog.New(slog.DiscardHandler)
	schema := cassandra.DefaultSchema(cc.Keyspace)
	schema.Shards = 8
	if _, err := schema.Apply(t.Context(), cc); err != nil {
		t.Fatal(err)
	}
	as := func(most persistence.Level) (*cassandra.Store, error) {
		cc := cc
		cc.Levels = persistence.Levels{Least: 1, Most: most}
		store, err := cassandra.Open(t.Context(), cc)
		if err == nil {
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return store, err
	}
	open := func(most persistence.Level) *cassandra.Store {
		store, err := as(most)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	a := member(t, open(1), "a")
	b := member(t, open(2), "b", a.GossipAddress())
	c := member(t, open(2), "c", a.GossipAddress(), b.GossipAddress())
	counted(t, b, 1)

	_, err := b.Finalize(t.Context(), false)
	var refused *entity.Rejection
	if !errors.As(err, &refused) || refused.Reason != cluster.HeldBack || !strings.Contains(err.Error(), `node "a" knows no level above 1`) {
		t.Fatalf("finalizing beside the old release: %v", err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the old release has left", func() bool { return len(b.Cluster().Members()) == 2 })
	if f, err := b.Finalize(t.Context(), false); err != nil || f.Level != 1 || f.Next != 2 || !f.Raised {
		t.Fatalf("finalizing without it: %+v, %v", f, err)
	}
	if err := open(2).Level().Raise(t.Context(), 1, 2); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("raising it again from level 1: %v", err)
	}
	until(t, "b sees that c has learned it", func() bool {
		for _, m := range b.Cluster().Members() {
			if m.Level != 2 {
				return false
			}
		}
		return c.Self().Level == 2
	})
	counted(t, c, 2)
	if _, err := as(1); !errors.Is(err, persistence.ErrLevel) || !strings.Contains(err.Error(), "run a release that knows level 2") {
		t.Errorf("the old release returns: %v", err)
	}

	next := open(3)
	if err := next.Level().Raise(t.Context(), 2, 3); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*mesonet.Node{b, c} {
		select {
		case <-n.Done():
		case <-time.After(30 * time.Second):
			t.Fatalf("node %s goes on", n.Self().Node)
		}
		if !errors.Is(n.Err(), persistence.ErrLevel) {
			t.Errorf("node %s ends with %v", n.Self().Node, n.Err())
		}
	}
	d := member(t, next, "d") // while their processes are there still
	counted(t, d, 3)
	for _, n := range []*mesonet.Node{b, c, d} {
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// until waits for what comes about by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !is() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("never: " + what)
		}
	}
}
