package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mesonet/mesonet/actors/entity"
)

// Node is what a scrape asks.
type Node interface {
	// Stats returns what the node holds now.
	Stats() entity.Stats
}

// Watch makes scrapes ask the node. Before, and so while the node starts, what
// it would answer is left out.
func (m *Metrics) Watch(n Node) {
	for kind := range n.Stats().Entities {
		m.entities.begin(kind)
	}
	m.stats.node.Store(&n)
}

// statsCollector asks the node once a scrape. Gauges that ask for themselves
// would walk over all entities once each, and not fit together.
type statsCollector struct{ node atomic.Pointer[Node] }

var (
	shardsDesc  = gauge("shards", "Shards of the store.")
	openDesc    = gauge("shards_open", "Shards that are served.")
	stoppedDesc = gauge("shards_stopped", "Shards that can't be served until somebody mends them.")
	awakeDesc   = gauge("entities_awake", "Entities in memory.", "kind")
	corruptDesc = gauge("entities_corrupt", "Entities in memory that answer nothing but an error.")
	memoryDesc  = gauge("entity_memory_bytes", "About what entities and their pages take.")
	limitDesc   = gauge("entity_memory_limit_bytes", "What entities and their pages may take; 0 for no limit.")
	tailDesc    = gauge("log_tail_bytes", "Log that is not in pages yet: what a start after a crash reads.")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe lists what Collect returns.
func (*statsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{shardsDesc, openDesc, stoppedDesc, awakeDesc, corruptDesc, memoryDesc, limitDesc, tailDesc} {
		to <- d
	}
}

// Collect asks the node, if there is one yet.
func (c *statsCollector) Collect(to chan<- prometheus.Metric) {
	node := c.node.Load()
	if node == nil {
		return
	}
	s := (*node).Stats()
	put := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	put(shardsDesc, float64(s.Shards))
	put(openDesc, float64(s.OpenShards))
	put(stoppedDesc, float64(s.StoppedShards))
	for kind, n := range s.Entities {
		put(awakeDesc, float64(n), kind)
	}
	put(corruptDesc, float64(s.Corrupt))
	put(memoryDesc, float64(s.MemoryBytes))
	put(limitDesc, float64(s.MemoryLimit))
	put(tailDesc, float64(s.TailBytes))
}
