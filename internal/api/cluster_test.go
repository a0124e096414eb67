package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/internal/api"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/quarantine"
	"github.com/mesonet/mesonet/weather/station"
)

// A node that stands alone is the only member and has all shards; there is nobody to
// give any to.
func TestClusterOfOne(t *testing.T) {
	s := laGuardiaAlone(t)
	defer s.stop(t)
	ctx := t.Context()
	members, err := s.ListMembers(ctx, &mesonetv1.ListMembersRequest{})
	if err != nil || len(members.GetMembers()) != 1 {
		t.Fatalf("members: %v, %v", members, err)
	}
	if m := members.GetMembers()[0]; m.GetNode() != "local" || m.GetShards() != 4 || !m.GetAsked() || m.GetState() != mesonetv1.Member_STATE_SERVING || m.GetProtocolMost() != 1 {
		t.Errorf("it is %v", m)
	}
	shards, err := s.ListShards(ctx, &mesonetv1.ListShardsRequest{})
	if err != nil || len(shards.GetShards()) != 4 {
		t.Fatalf("shards: %v, %v", shards, err)
	}
	for i, v := range shards.GetShards() {
		if v.GetShard() != uint32(i) || v.GetOwner() != "local" || v.GetTarget() != "local" || !v.GetOpen() || !v.GetAnswers() || v.GetEpoch() == 0 {
			t.Errorf("shard %d is %v", i, v)
		}
	}
	tree, err := s.GetTree(ctx, &mesonetv1.GetTreeRequest{Names: 10})
	if err != nil || tree.GetNode() != "local" || len(tree.GetShards()) != 4 {
		t.Fatalf("tree: %v, %v", tree, err)
	}
	if !strings.Contains(fmt.Sprint(tree), laGuardia) {
		t.Errorf("nothing is awake in %v", tree)
	}
	if _, err := s.GetTree(ctx, &mesonetv1.GetTreeRequest{Names: 1001}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("1001 names: %v", err)
	}
	_, moveErr := s.MoveShard(ctx, &mesonetv1.MoveShardRequest{Shard: 1, To: "b"})
	_, drainErr := s.DrainNode(ctx, &mesonetv1.DrainNodeRequest{Node: "local"})
	for _, err := range []error{moveErr, drainErr} {
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "stands alone") {
			t.Errorf("it is said %v", err)
		}
	}
}

// among is a server of a node of a cluster.
func among(t *testing.T, store persistence.Store, id persistence.NodeID, join ...string) (*api.Server, *mesonet.Node) {
	t.Helper()
	stations := station.New(weather.Standard())
	kept, err := quarantine.New(quarantine.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	cfg := mesonet.DefaultConfig("")
	cfg.Store, cfg.Node, cfg.Address, cfg.Logger = store, id, "127.0.0.1:"+string(id), slog.New(slog.DiscardHandler)
	cfg.Cluster = mesonet.DefaultCluster()
	cfg.Cluster.Gossip, cfg.Cluster.Requests, cfg.Cluster.Join = "127.0.0.1:0", "127.0.0.1:0", join
	cfg.Cluster.Zone, cfg.Cluster.Version, cfg.Cluster.DrainTime = "z"+string(id), "v9", 10*time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	node, err := mesonet.Start(ctx, cfg, stations, kept)
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.DefaultConfig(), node, stations, kept)
	if err != nil {
		t.Fatal(err)
	}
	return s, node
}

// await waits until nothing is wrong any more: what nodes know of each other is late.
func await(ctx context.Context, t *testing.T, wrong func() string) {
	t.Helper()
	for {
		text := wrong()
		if text == "" {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(text)
		}
	}
}

// Of two nodes each knows both, and any of them can be asked to move a shard of the
// other, or to drain it; a node that is drained has nothing left, is asked again
// without harm, and stops at once.
//
// Mutations seen to fail: MoveShard or DrainNode not forwarded; a machine that tells
// nobody a second time that it is drained.
func TestClusterOfTwo(t *testing.T) {
	inMemory, err := memory.New(8)
	if err != nil {
		t.Fatal(err)
	}
	store := cluster.Share(inMemory)
	a, nodeA := among(t, store, "a")
	b, nodeB := among(t, store, "b", nodeA.GossipAddress())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	seen := map[string]bool{}
	sum := uint32(0)
	members, err := b.ListMembers(ctx, &mesonetv1.ListMembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members.GetMembers() {
		seen[m.GetNode()] = m.GetAsked()
		sum += m.GetShards()
		if m.GetState() != mesonetv1.Member_STATE_SERVING || m.GetZone() != "z"+m.GetNode() || m.GetApi() != "127.0.0.1:"+m.GetNode() ||
			m.GetRequests() == "" || m.GetVersion() != "v9" || m.GetWeight() != 100 || m.GetIncarnation() == 0 {
			t.Errorf("a member is %v", m)
		}
	}
	if len(seen) != 2 || seen["a"] || !seen["b"] || sum != 8 {
		t.Errorf("node b sees %v with %d shards", seen, sum)
	}

	// Each moves all shards of the other to itself and back: at some of them it is
	// not the owner.
	for _, to := range []string{"a", "b"} {
		for n := range uint32(8) {
			if _, err := b.MoveShard(ctx, &mesonetv1.MoveShardRequest{Shard: n, To: to}); err != nil {
				t.Fatalf("shard %d to %s: %v", n, to, err)
			}
		}
		s := map[string]*api.Server{"a": a, "b": b}[to]
		await(ctx, t, func() (wrong string) {
			shards, err := s.ListShards(ctx, &mesonetv1.ListShardsRequest{})
			for _, v := range shards.GetShards() {
				if v.GetOwner() != to || v.GetPinned() != (v.GetTarget() != to) {
					wrong += fmt.Sprintf("after all went to %s: %v\n", to, v)
				}
			}
			if err != nil {
				return err.Error()
			}
			return wrong
		})
	}
	for _, wrong := range []struct {
		r    *mesonetv1.MoveShardRequest
		code codes.Code
		says string
	}{
		{&mesonetv1.MoveShardRequest{Shard: 8, To: "a"}, codes.InvalidArgument, "0 to 7"},
		{&mesonetv1.MoveShardRequest{Shard: 1, To: "c"}, codes.InvalidArgument, "these are seen: a, b"},
		{&mesonetv1.MoveShardRequest{Shard: 1}, codes.InvalidArgument, "name the node"},
	} {
		if _, err := a.MoveShard(ctx, wrong.r); status.Code(err) != wrong.code || !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("%v: %v", wrong.r, err)
		}
	}

	for range 2 {
		begun := time.Now()
		left, err := a.DrainNode(ctx, &mesonetv1.DrainNodeRequest{Node: "b"})
		if err != nil || len(left.GetLeft()) != 0 {
			t.Fatalf("left are %v, %v", left, err)
		}
		if took := time.Since(begun); took > 5*time.Second { // it waits for most of ctx where nobody answers
			t.Errorf("a drain of 8 shards took %s", took)
		}
	}
	tree, err := b.GetTree(ctx, &mesonetv1.GetTreeRequest{})
	if err != nil || len(tree.GetShards()) != 0 || tree.GetState() != mesonetv1.Member_STATE_DRAINING {
		t.Errorf("node b has %v, %v", tree, err)
	}
	// Nobody is there for those of the other, once it has heard of that.
	await(ctx, t, func() string {
		r, err := a.ListMembers(ctx, &mesonetv1.ListMembersRequest{})
		if err != nil || r.GetMembers()[1].GetState() != mesonetv1.Member_STATE_DRAINING {
			return fmt.Sprintf("node a sees %v, %v", r, err)
		}
		return ""
	})
	if r, err := b.DrainNode(ctx, &mesonetv1.DrainNodeRequest{Node: "a"}); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "start another node first") {
		t.Errorf("node a drains: %v, %v", r, err)
	}
	begun := time.Now()
	if err := nodeB.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second { // half of DrainTime is waited for where nobody answers
		t.Errorf("a node that was drained took %s to stop", took)
	}
	if err := nodeA.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// What gossip does not show and the machine knows is there as well, if it has shards.
func TestMembers(t *testing.T) {
	self := cluster.Member{Node: "b", State: cluster.Draining, Incarnation: 7}
	behind := self
	behind.State = cluster.Serving
	got := api.ToMembers(self, []cluster.Member{behind, {Node: "a", State: cluster.Joining}}, shard.Snapshot{
		Nodes: []shard.NodeView{{Node: "a", Down: true}, {Node: "b"}, {Node: "c", Still: true, Suspect: true, Incarnation: 3}, {Node: "d", Still: true}},
		Shards: []shard.ShardView{
			{Owner: "c"}, {Owner: "b"}, {Owner: "c"}, {},
		},
	})
	var lines []string
	for _, m := range got {
		lines = append(lines, fmt.Sprintf("%s %s %d shards, asked %t, still %t, down %t, suspect %t", m.GetNode(), m.GetState(), m.GetShards(),
			m.GetAsked(), m.GetHeartbeatStill(), m.GetUnreachable(), m.GetSuspect()))
	}
	want := []string{
		"a STATE_JOINING 0 shards, asked false, still false, down true, suspect false",
		"b STATE_DRAINING 1 shards, asked true, still false, down false, suspect false",
		"c STATE_GONE 2 shards, asked false, still true, down false, suspect true",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("members are\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
