package mesonet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
)

// member starts a node of a cluster in this process, with real gossip and requests.
func member(t *testing.T, store persistence.Store, id persistence.NodeID, join ...string) *mesonet.Node {
	t.Helper()
	cfg := mesonet.DefaultConfig("")
	cfg.Store, cfg.Node, cfg.Address = store, id, string(id)
	cfg.Logger = slog.New(slog.NewTextHandler(writer{t}, nil))
	cfg.Cluster = mesonet.DefaultCluster()
	cfg.Cluster.Gossip, cfg.Cluster.Requests, cfg.Cluster.Join = "127.0.0.1:0", "127.0.0.1:0", join
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, err := mesonet.Start(ctx, cfg, clusterCounter)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// writer is the log of a test, while that goes on.
type writer struct{ t *testing.T }

func (w writer) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

var (
	clusterCounter = entity.New("cluster-counter", func(s *wrapperspb.Int64Value, e proto.Message) { s.Value += e.(*wrapperspb.Int64Value).Value })
	clusterAdd     = entity.Command(clusterCounter, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		return entity.Persist(c), nil
	}, func(s *wrapperspb.Int64Value) *wrapperspb.Int64Value { return wrapperspb.Int64(s.Value) })
	clusterGet = entity.Query(clusterCounter, func(s *wrapperspb.Int64Value, _ *emptypb.Empty) (*wrapperspb.Int64Value, error) {
		return wrapperspb.Int64(s.Value), nil
	})
)

// Nodes of one process on one embedded store form a cluster over real sockets: any of
// them answers anything; one is killed, and one leaves, and nothing is lost.
func TestClusterOfOneProcess(t *testing.T) {
	cfg := pebble.DefaultConfig(t.TempDir())
	cfg.Shards = 16
	embedded, err := pebble.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := embedded.Close(); err != nil {
			t.Error(err)
		}
	}()
	store := cluster.Share(embedded)
	a := member(t, store, "a")
	b := member(t, store, "b", a.GossipAddress())
	c := member(t, store, "c", a.GossipAddress(), b.GossipAddress())
	counted(t, a, 1)
	counted(t, b, 2)
	counted(t, c, 3)
	if n := len(c.Cluster().Members()); n != 3 {
		t.Errorf("node c sees %d members, not 3", n)
	}
	ids, err := b.List(t.Context(), "cluster-counter", "", 1000)
	if err != nil || len(ids) != entitiesOfTest {
		t.Errorf("%d entities are listed, %v", len(ids), err)
	}

	if err := b.Kill(t.Context()); err != nil {
		t.Logf("killed: %v", err)
	}
	begin := time.Now()
	counted(t, a, 4)
	t.Logf("every entity answers %s after a node was killed", time.Since(begin))

	b = member(t, store, "b", a.GossipAddress())
	counted(t, b, 5)
	var leaving sync.WaitGroup
	leaving.Go(func() {
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for i := range 10 {
		counted(t, b, int64(6+i))
	}
	leaving.Wait()
	counted(t, a, 16)
	for _, n := range []*mesonet.Node{a, b} {
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

const entitiesOfTest = 100

// counted adds one to each entity, through a node, and expects a sum. What has an
// unknown outcome is looked up.
func counted(t *testing.T, through *mesonet.Node, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range entitiesOfTest {
		all.Go(func() {
			id := fmt.Sprint("e", i)
			v, err := clusterAdd.Ask(ctx, through, id, wrapperspb.Int64(1))
			if errors.Is(err, entity.ErrUnknown) {
				v, err = clusterGet.Ask(ctx, through, id, &emptypb.Empty{}, entity.Linearizable())
				if err == nil && v.Value == want-1 {
					v, err = clusterAdd.Ask(ctx, through, id, wrapperspb.Int64(1))
				}
			}
			if err != nil || v.Value != want {
				t.Errorf("%s is %v, %v; want %d", id, v, err, want)
			}
		})
	}
	all.Wait()
}
