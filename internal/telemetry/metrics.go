package telemetry

import (
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the metrics of one node.
type Metrics struct {
	registry *prometheus.Registry

	log          logMetrics
	shards       shardMetrics
	entities     entityMetrics
	pages        pageMetrics
	observations observationMetrics
	quarantine   quarantineMetrics
	calls        callMetrics
	cluster      clusterMetrics
	stats        statsCollector
	members      memberCollector
}

// New returns the metrics of a node that runs this version of the program.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&m.stats,
		&m.members,
	)
	f := factory{promauto.With(m.registry)}
	f.gauges("build_info", "What runs, as labels; the value is 1.", "version", "go_version").
		WithLabelValues(version, runtime.Version()).Set(1)
	m.log.init(f)
	m.shards.init(f)
	m.entities.init(f)
	m.pages.init(f)
	m.observations.init(f)
	m.quarantine.init(f)
	m.calls.init(f)
	m.cluster.init(f)
	return m
}

// scrapes is how many scrapes may be under way: each walks over the entities
// that are awake. Two Prometheus servers and a person are served at once.
const scrapes = 3

// Handler serves the metrics over HTTP. The logger gets what could not be
// collected; the scrape fails then, too.
func (m *Metrics) Handler(logger *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelError),
		MaxRequestsInFlight: scrapes,
	})
}

// namespace begins the name of every metric.
const namespace = "mesonet"

// factory makes metrics with our prefix and registers them. A name that comes
// twice is a bug, and panics in the first test.
type factory struct{ promauto.Factory }

func (f factory) counter(name, help string) prometheus.Counter {
	return f.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	return f.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func (f factory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (f factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	return f.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func (f factory) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return f.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}
