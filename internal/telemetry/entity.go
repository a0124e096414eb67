package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// recoveryBuckets are for opening a shard: 1 ms with an empty tail to a minute
// and more, each four times the one before.
var recoveryBuckets = prometheus.ExponentialBuckets(1e-3, 4, 9)

// pageBuckets are for one write of pages, of which one or thousands are stored
// at once.
var pageBuckets = prometheus.ExponentialBuckets(100e-6, 4, 10)

type shardMetrics struct {
	opened, lost, stopped prometheus.Counter
	joined, silent, owned prometheus.Counter
	handed, kept          prometheus.Counter
	level                 prometheus.Gauge
	events                prometheus.Counter
	recovery, pause       prometheus.Histogram
}

func (s *shardMetrics) init(f factory) {
	s.opened = f.counter("shard_openings_total", "Shards opened, each once at the start and again after a loss.")
	s.lost = f.counter("shard_losses_total", "Shards lost: a write failed or another node took it. It is opened again.")
	s.stopped = f.counter("shard_stops_total", "Shards stopped: they can't be opened and are not tried again.")
	s.joined = f.counter("node_joins_total", "Times the node took its place in the store: at the start, and again after it was fenced.")
	s.level = f.gauge("store_level", "Level of the store's formats, as this node has read it.")
	s.silent = f.counter("store_check_errors_total", "Looks at the own place in the store that had no answer.")
	s.owned = f.counter("shard_waits_total", "Times a shard was found to be another node's.")
	s.handed = f.counter("shard_handovers_total", "Shards given to another node.")
	s.kept = f.counter("shard_handover_errors_total", "Shards that could not be given to another node.")
	s.pause = f.histogram("shard_handover_pause_seconds", "How long calls to a shard were held back while it was handed over.", recoveryBuckets)
	s.events = f.counter("shard_recovery_events_total", "Events read from the log by openings.")
	s.recovery = f.histogram("shard_recovery_duration_seconds", "How long the opening of a shard took.", recoveryBuckets)
}

type entityMetrics struct {
	woken, passivated, failed, corrupt *prometheus.CounterVec
}

func (e *entityMetrics) init(f factory) {
	e.woken = f.counters("entity_wakeups_total", "Entities that came into memory.", "kind")
	e.passivated = f.counters("entity_passivations_total", "Entities that nobody asked for a while and that left memory.", "kind")
	e.failed = f.counters("entity_failures_total", "Panics in the code of entities; each restarts one of them.", "kind")
	e.corrupt = f.counters("entity_corruptions_total", "Entities found to have state that can't be read.", "kind")
}

// begin makes a kind's counters appear with 0, so that the first that happens
// is seen as an increase.
func (e *entityMetrics) begin(kind string) {
	for _, c := range []*prometheus.CounterVec{e.woken, e.passivated, e.failed, e.corrupt} {
		c.WithLabelValues(kind)
	}
}

type pageMetrics struct {
	stored, storedBytes, errors, checkpoints, evicted, evictedBytes prometheus.Counter
	rows, rowErrors                                                 prometheus.Counter
	storing                                                         prometheus.Histogram
}

func (p *pageMetrics) init(f factory) {
	p.stored = f.counter("pages_stored_total", "Pages written to the store.")
	p.storedBytes = f.counter("pages_stored_bytes_total", "Bytes of the pages written to the store.")
	p.errors = f.counter("page_store_errors_total", "Writes of pages that failed; they are tried again.")
	p.rows = f.counter("view_rows_written_total", "Rows that were written to tables for others, or removed from them.")
	p.rowErrors = f.counter("view_write_errors_total", "Writes of such rows that failed; the pages wait, and they are tried again.")
	p.storing = f.histogram("page_store_duration_seconds", "How long one write of pages took.", pageBuckets)
	p.checkpoints = f.counter("checkpoints_total", "Checkpoints of shards stored.")
	p.evicted = f.counter("pages_evicted_total", "Pages that left memory while their entity stayed.")
	p.evictedBytes = f.counter("pages_evicted_bytes_total", "Bytes of the pages that left memory.")
}

// EntityListener returns the functions that count what becomes of shards,
// entities and pages.
func (m *Metrics) EntityListener() entity.Listener {
	return entity.Listener{
		ShardOpened: func(o entity.ShardOpening) {
			m.shards.opened.Inc()
			m.shards.events.Add(float64(o.Events))
			m.shards.recovery.Observe(o.Took.Seconds())
		},
		Joined: func(persistence.Incarnation) { m.shards.joined.Inc() },
		Level:  func(level persistence.Level, _ error) { m.shards.level.Set(float64(level)) },
		Checked: func(err error) {
			if err != nil {
				m.shards.silent.Inc()
			}
		},
		ShardHandedOver: func(h entity.HandedOver) {
			m.shards.pause.Observe(h.Pause.Seconds())
			if h.Err != nil {
				m.shards.kept.Inc()
				return
			}
			m.shards.handed.Inc()
		},
		ShardOwned: func(persistence.Shard, error) { m.shards.owned.Inc() },
		RowsWritten: func(v entity.ViewFlush) {
			if v.Err != nil {
				m.pages.rowErrors.Inc()
				return
			}
			m.pages.rows.Add(float64(v.Rows))
		},
		ShardStopped:     func(persistence.Shard, error) { m.shards.stopped.Inc() },
		EntityWoke:       func(kind string) { m.entities.woken.WithLabelValues(kind).Inc() },
		EntityPassivated: func(kind string) { m.entities.passivated.WithLabelValues(kind).Inc() },
		EntityFailed: func(path string, _ error) {
			if kind, ok := kindOf(path); ok {
				m.entities.failed.WithLabelValues(kind).Inc()
			}
		},
		EntityCorrupt: func(id entity.ID, _ error) { m.entities.corrupt.WithLabelValues(id.Kind).Inc() },
		PagesStored: func(p entity.PageFlush) {
			m.pages.storing.Observe(p.Took.Seconds())
			if p.Err != nil {
				m.pages.errors.Inc()
				return
			}
			m.pages.stored.Add(float64(p.Pages))
			m.pages.storedBytes.Add(float64(p.Bytes))
		},
		Checkpointed: func(persistence.Shard, persistence.Position) { m.pages.checkpoints.Inc() },
		PagesEvicted: func(pages int, bytes int64) {
			m.pages.evicted.Add(float64(pages))
			m.pages.evictedBytes.Add(float64(bytes))
		},
	}
}

// kindOf returns the kind of the entity at a path such as
// /shard-3/station:725030:14732. The actor of a shard has none: that it starts
// over is counted as the loss of its shard.
func kindOf(path string) (kind string, ok bool) {
	kind, _, ok = strings.Cut(path[strings.LastIndexByte(path, '/')+1:], ":")
	return kind, ok
}
