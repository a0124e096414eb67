package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/cluster/gossip"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/cluster/transport"
)

// clusterMetrics are those of a node among others. They are 0 for one that stands
// alone.
type clusterMetrics struct {
	states                      *prometheus.CounterVec
	forwarded, failed           prometheus.Counter
	gone, fences                prometheus.Counter
	parked, awaited, ownerless  prometheus.Gauge
	strangers, malformed        *prometheus.CounterVec
	connections, breaks, turned prometheus.Counter
	messages, bytes             *prometheus.CounterVec
}

func (c *clusterMetrics) init(f factory) {
	c.states = f.counters("cluster_state_changes_total", "Times the node said so of itself: serving, lost_touch and so on.", "state")
	c.forwarded = f.counter("cluster_forwarded_calls_total", "Calls that went to another node, which has their shard.")
	c.parked = f.gauge("cluster_parked_calls", "Calls that wait for their shards to be served.")
	c.failed = f.counter("cluster_parked_call_errors_total", "Calls that waited and were given up.")
	c.awaited = f.gauge("cluster_shards_awaited", "Shards that are this node's to serve and not open yet.")
	c.ownerless = f.gauge("cluster_shards_ownerless", "Shards of which this node knows nobody who serves them.")
	c.gone = f.counter("cluster_members_lost_total", "Nodes that gossip lost without a goodbye.")
	c.fences = f.counter("cluster_fences_total", "Nodes that this one set out to fence, as they seemed gone.")
	c.strangers = f.counters("cluster_refusals_total", "Nodes that were refused, or refused this one, by gossip and requests.", "by", "reason")
	c.malformed = f.counters("cluster_malformed_total", "What came from others and was no gossip, or no request.", "by")
	c.connections = f.counter("cluster_connections_total", "Connections for requests that were made with other nodes.")
	c.breaks = f.counter("cluster_connection_breaks_total", "Those of them that ended.")
	c.turned = f.counter("cluster_requests_turned_away_total", "Requests for which too much waited to be sent already.")
	c.messages = f.counters("cluster_messages_total", "Requests and replies between nodes.", "direction")
	c.bytes = f.counters("cluster_message_bytes_total", "Bytes of these.", "direction")
	// What may happen and has not is seen as 0, so that the first time is an increase.
	for s := cluster.Joining; s <= cluster.Left; s++ {
		c.states.WithLabelValues(stateLabel(s))
	}
	for _, reason := range gossipReasons {
		c.strangers.WithLabelValues("gossip", string(reason))
	}
	for _, reason := range requestReasons {
		c.strangers.WithLabelValues("requests", string(reason))
	}
	for _, by := range []string{"gossip", "requests"} {
		c.malformed.WithLabelValues(by)
	}
	for _, direction := range []string{"received", "sent"} {
		c.messages.WithLabelValues(direction)
		c.bytes.WithLabelValues(direction)
	}
}

var (
	gossipReasons  = []gossip.Reason{gossip.OtherCluster, gossip.OtherKey, gossip.OtherStore, gossip.OtherShards, gossip.OtherProtocol, gossip.OtherLevel}
	requestReasons = []transport.Reason{
		transport.ReasonIdentity, transport.ReasonProtocol, transport.ReasonNode, transport.ReasonCertificate, transport.ReasonRemote,
	}
)

// stateLabel is a state as a label has it.
func stateLabel(s cluster.State) string {
	switch s {
	case cluster.Joining:
		return "joining"
	case cluster.Serving:
		return "serving"
	case cluster.LostTouch:
		return "lost_touch"
	case cluster.Draining:
		return "draining"
	case cluster.Left:
		return "left"
	}
	return "unknown" // of a newer version
}

// ClusterListener returns the functions that count what a node does in its cluster.
func (m *Metrics) ClusterListener() cluster.Listener {
	c := &m.cluster
	return cluster.Listener{
		State: func(s cluster.State) { c.states.WithLabelValues(stateLabel(s)).Inc() },
		Status: func(s cluster.Status) {
			c.awaited.Set(float64(s.Awaited))
			c.ownerless.Set(float64(s.Ownerless))
		},
		Input: func(in shard.Input) {
			if gone, ok := in.(shard.Gone); ok && !gone.Left {
				c.gone.Inc()
			}
		},
		Effect: func(e shard.Effect) {
			if _, ok := e.(shard.Fence); ok {
				c.fences.Inc()
			}
		},
		Forwarded: func(calls int) { c.forwarded.Add(float64(calls)) },
		Parked:    func(calls int) { c.parked.Set(float64(calls)) },
		Failed:    func(error) { c.failed.Inc() },
	}
}

// GossipListener returns the functions that count who is no member.
func (m *Metrics) GossipListener() gossip.Listener {
	c := &m.cluster
	return gossip.Listener{
		Refused:   func(why gossip.Reason, _ string) { c.strangers.WithLabelValues("gossip", string(why)).Inc() },
		Malformed: func(string) { c.malformed.WithLabelValues("gossip").Inc() },
	}
}

// RequestListener returns the functions that count what goes between nodes.
func (m *Metrics) RequestListener() transport.Listener {
	c := &m.cluster
	moved := func(direction string) func(messages, bytes int) {
		count, size := c.messages.WithLabelValues(direction), c.bytes.WithLabelValues(direction)
		return func(messages, bytes int) {
			count.Add(float64(messages))
			size.Add(float64(bytes))
		}
	}
	return transport.Listener{
		Connected: func(transport.Connection) { c.connections.Inc() },
		Broken:    func(transport.Connection, error) { c.breaks.Inc() },
		Refused:   func(why transport.Reason, _ error) { c.strangers.WithLabelValues("requests", string(why)).Inc() },
		Malformed: func(string, error) { c.malformed.WithLabelValues("requests").Inc() },
		Sent:      moved("sent"),
		Received:  moved("received"),
		Full:      func(cluster.Peer) { c.turned.Inc() },
	}
}

// Cluster is what a scrape asks of a node's part in its cluster.
type Cluster interface {
	// Members returns the nodes that are believed to be alive.
	Members() []cluster.Member
}

// WatchCluster makes scrapes ask the node's part in its cluster, too.
func (m *Metrics) WatchCluster(c Cluster) { m.members.cluster.Store(&c) }

// memberCollector asks once a scrape.
type memberCollector struct{ cluster atomic.Pointer[Cluster] }

var membersDesc = gauge("cluster_members", "Nodes that this one sees, itself among them, by what they say of themselves.", "state")

// Describe lists what Collect returns.
func (*memberCollector) Describe(to chan<- *prometheus.Desc) { to <- membersDesc }

// Collect asks the cluster, if there is one.
func (c *memberCollector) Collect(to chan<- prometheus.Metric) {
	part := c.cluster.Load()
	if part == nil {
		return
	}
	counts := make(map[string]int)
	for s := cluster.Joining; s <= cluster.Left; s++ {
		counts[stateLabel(s)] = 0
	}
	for _, m := range (*part).Members() {
		counts[stateLabel(m.State)]++
	}
	for state, n := range counts {
		to <- prometheus.MustNewConstMetric(membersDesc, prometheus.GaugeValue, float64(n), state)
	}
}
