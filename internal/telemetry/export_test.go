package telemetry

import (
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
)

// Gatherer is where the metrics are collected from.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

var described = regexp.MustCompile(`fqName: "(.*?)"`)

// Names lists all metrics that are registered, also those without a value yet.
func (m *Metrics) Names() []string {
	to := make(chan *prometheus.Desc)
	go func() {
		defer close(to)
		m.registry.Describe(to)
	}()
	var names []string
	for d := range to {
		names = append(names, described.FindStringSubmatch(d.String())[1])
	}
	return names
}

// CodeOf is the code that an error of a handler counts as.
func CodeOf(err error) string { return codeOf(err) }
