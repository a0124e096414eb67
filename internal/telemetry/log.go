package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// syncBuckets are for what a disk or a network makes durable: 50 µs, where a
// good SSD lies, to 1.6 s, each twice the one before.
var syncBuckets = prometheus.ExponentialBuckets(50e-6, 2, 16)

type logMetrics struct {
	frames, events, bytes prometheus.Counter
	durable               prometheus.Histogram
}

func (l *logMetrics) init(f factory) {
	l.frames = f.counter("log_frames_total", "Frames made durable: group commits of a shard.")
	l.events = f.counter("log_events_total", "Events in the frames made durable.")
	l.bytes = f.counter("log_bytes_total", "Bytes of the frames made durable.")
	l.durable = f.histogram("log_durable_duration_seconds",
		"How long the store had a frame until it was durable. Replies to commands wait at least this long.", syncBuckets)
}

// LogListener returns the functions that count what becomes of the log.
func (m *Metrics) LogListener() journal.Listener {
	return journal.Listener{
		FrameDurable: func(_ persistence.Shard, events, bytes int, took time.Duration) {
			m.log.frames.Inc()
			m.log.events.Add(float64(events))
			m.log.bytes.Add(float64(bytes))
			m.log.durable.Observe(took.Seconds())
		},
		ShardLost: func(persistence.Shard, error) { m.shards.lost.Inc() },
	}
}
