package telemetry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/gossip"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/cluster/transport"
	"github.com/mesonet/mesonet/internal/telemetry"
	"github.com/mesonet/mesonet/persistence"
)

// amongOthers tells the listeners of a cluster each thing once.
func amongOthers(m *telemetry.Metrics, n int) {
	node := persistence.NodeID(fmt.Sprint("node-", n))
	peer, err := fmt.Sprintf("10.0.0.%d:7946", n), fmt.Errorf("%s is not well", node)
	c, g, r := m.ClusterListener(), m.GossipListener(), m.RequestListener()
	c.State(cluster.Serving)
	c.State(cluster.LostTouch)
	c.Status(cluster.Status{State: cluster.Serving, Open: 3, Awaited: 4, Ownerless: 5})
	c.Input(shard.Gone{Node: node})
	c.Input(shard.Gone{Node: node, Left: true})
	c.Effect(shard.Fence{Node: node})
	c.Effect(shard.Take{Shard: persistence.Shard(n)})
	c.Forwarded(6)
	c.Parked(7)
	c.Failed(err)
	g.Refused(gossip.OtherStore, peer)
	g.Malformed(peer)
	r.Connected(transport.Connection{Node: node})
	r.Broken(transport.Connection{Node: node}, err)
	r.Refused(transport.ReasonNode, err)
	r.Malformed(peer, err)
	r.Sent(2, 200)
	r.Received(3, 300)
	r.Full(cluster.Peer{Node: node, Address: peer})
}

// fakeCluster are the nodes that one sees.
type fakeCluster []cluster.Member

func (c fakeCluster) Members() []cluster.Member { return c }

// What happens among the nodes of a cluster is counted, and its members are shown by
// their states.
func TestClusterCounts(t *testing.T) {
	m := telemetry.New("test")
	m.WatchCluster(fakeCluster{{Node: "a", State: cluster.Serving}, {Node: "b", State: cluster.Serving}, {Node: "c", State: cluster.Draining}})
	amongOthers(m, 1)
	amongOthers(m, 2)
	const want = `
# HELP mesonet_cluster_fences_total Nodes that this one set out to fence, as they seemed gone.
# TYPE mesonet_cluster_fences_total counter
mesonet_cluster_fences_total 2
# HELP mesonet_cluster_forwarded_calls_total Calls that went to another node, which has their shard.
# TYPE mesonet_cluster_forwarded_calls_total counter
mesonet_cluster_forwarded_calls_total 12
# HELP mesonet_cluster_members Nodes that this one sees, itself among them, by what they say of themselves.
# TYPE mesonet_cluster_members gauge
mesonet_cluster_members{state="draining"} 1
mesonet_cluster_members{state="joining"} 0
mesonet_cluster_members{state="left"} 0
mesonet_cluster_members{state="lost_touch"} 0
mesonet_cluster_members{state="serving"} 2
# HELP mesonet_cluster_members_lost_total Nodes that gossip lost without a goodbye.
# TYPE mesonet_cluster_members_lost_total counter
mesonet_cluster_members_lost_total 2
# HELP mesonet_cluster_message_bytes_total Bytes of these.
# TYPE mesonet_cluster_message_bytes_total counter
mesonet_cluster_message_bytes_total{direction="received"} 600
mesonet_cluster_message_bytes_total{direction="sent"} 400
# HELP mesonet_cluster_shards_awaited Shards that are this node's to serve and not open yet.
# TYPE mesonet_cluster_shards_awaited gauge
mesonet_cluster_shards_awaited 4
`
	if err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(want), "mesonet_cluster_fences_total", "mesonet_cluster_forwarded_calls_total",
		"mesonet_cluster_members", "mesonet_cluster_members_lost_total", "mesonet_cluster_message_bytes_total", "mesonet_cluster_shards_awaited"); err != nil {
		t.Error(err)
	}
}
