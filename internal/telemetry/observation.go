package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mesonet/mesonet/internal/api"
)

type observationMetrics struct {
	stored, duplicate, corrected, refused, failed prometheus.Counter
}

func (o *observationMetrics) init(f factory) {
	all := f.counters("observations_total", "Observations that stations were sent, by what became of them.", "outcome")
	o.stored = all.WithLabelValues("stored")
	o.duplicate = all.WithLabelValues("duplicate")
	o.corrected = all.WithLabelValues("corrected")
	o.refused = all.WithLabelValues("refused")
	o.failed = all.WithLabelValues("failed")
}

type quarantineMetrics struct{ kept, dropped, released prometheus.Counter }

func (q *quarantineMetrics) init(f factory) {
	all := f.counters("quarantined_lines_total", "Lines that could not be taken in, by what became of them.", "outcome")
	q.kept = all.WithLabelValues("kept")
	q.dropped = all.WithLabelValues("dropped")
	q.released = all.WithLabelValues("released")
}

// APIListener returns the functions that count what the API takes in.
func (m *Metrics) APIListener() api.Listener {
	return api.Listener{
		Observed: func(o api.Observed) {
			m.observations.stored.Add(float64(o.Stored))
			m.observations.duplicate.Add(float64(o.Duplicates))
			m.observations.corrected.Add(float64(o.Corrected))
			m.observations.refused.Add(float64(o.Refused))
			m.observations.failed.Add(float64(o.Failed))
		},
		Quarantined: func(q api.Quarantined) {
			m.quarantine.kept.Add(float64(q.Kept))
			m.quarantine.dropped.Add(float64(q.Dropped))
			m.quarantine.released.Add(float64(q.Released))
		},
	}
}
