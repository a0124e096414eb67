package main

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// observation has the fields of mesonet.v1.Observation.
type observation struct {
	Station   string             `json:"station"`
	Time      time.Time          `json:"time"`
	Values    map[string]float64 `json:"values"`
	Traces    []string           `json:"traces"`
	Erroneous []string           `json:"erroneous"`
	Suspect   []suspicion        `json:"suspect"`
}

// suspicion says why a value looks wrong.
type suspicion struct {
	Measure string   `json:"measure"`
	Reasons []string `json:"reasons"`
}

// newObservation returns what is observed of the measures, of all when there are
// none; nil when there is no observation.
func newObservation(m *mesonetv1.Observation, of *measureList) *observation {
	if m == nil {
		return nil
	}
	o := &observation{
		Station: m.GetStation(), Time: m.GetTime().AsTime(), Values: maps.Clone(m.GetValues()),
		Traces: slices.Clone(m.GetTraces()), Erroneous: slices.Clone(m.GetErroneous()), Suspect: []suspicion{},
	}
	for _, s := range m.GetSuspect() {
		suspect := suspicion{s.GetMeasure(), []string{}}
		for _, r := range s.GetReasons() {
			suspect.Reasons = append(suspect.Reasons, enumName(r.String(), "REASON_"))
		}
		o.Suspect = append(o.Suspect, suspect)
	}
	if of != nil {
		others := func(name string) bool { return !of.has(name) }
		maps.DeleteFunc(o.Values, func(name string, _ float64) bool { return others(name) })
		o.Traces = slices.DeleteFunc(o.Traces, others)
		o.Erroneous = slices.DeleteFunc(o.Erroneous, others)
		o.Suspect = slices.DeleteFunc(o.Suspect, func(s suspicion) bool { return others(s.Measure) })
	}
	if o.Values == nil {
		o.Values = map[string]float64{}
	}
	if o.Traces == nil {
		o.Traces = []string{}
	}
	if o.Erroneous == nil {
		o.Erroneous = []string{}
	}
	return o
}

func (l *measureList) has(name string) bool {
	return slices.ContainsFunc(l.Measures, func(m *measure) bool { return m.Name == name })
}

// Marks of values in a table.
const (
	markErroneous = "!"
	markSuspect   = "?"
	trace         = "T" // as weather services write it
)

// show returns what was observed of a measure, for people: with marks, and with
// its unit if that is asked for.
func (o *observation) show(m *measure, withUnit bool) string {
	v, ok := o.Values[m.Name]
	switch {
	case slices.Contains(o.Traces, m.Name):
		return trace
	case !ok:
		return unknown
	}
	text := number(v, int(m.Decimals))
	if withUnit {
		text += unit(m.Unit)
	}
	return text + o.mark(m.Name)
}

func (o *observation) mark(name string) (marks string) {
	if slices.Contains(o.Erroneous, name) {
		marks = markErroneous
	}
	if slices.ContainsFunc(o.Suspect, func(s suspicion) bool { return s.Measure == name }) {
		marks += markSuspect
	}
	return marks
}

// legend explains the marks of some observations; "" when there are none.
func legend(observations ...*observation) string {
	var lines []string
	if slices.ContainsFunc(observations, func(o *observation) bool { return len(o.Erroneous) > 0 }) {
		lines = append(lines, markErroneous+"  erroneous: outside of what is usual, and left out of all figures\n")
	}
	if slices.ContainsFunc(observations, func(o *observation) bool { return len(o.Suspect) > 0 }) {
		lines = append(lines, markSuspect+"  suspect: it looks wrong beside others, and counts\n")
	}
	if slices.ContainsFunc(observations, func(o *observation) bool { return len(o.Traces) > 0 }) {
		lines = append(lines, trace+"  trace: too little to measure, and not nothing\n")
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n" + strings.Join(lines, "")
}

// listObservations returns observations as rows with a column for each measure.
// A trace is not a number, so it is in a column of its own.
func listObservations(of *measureList, rows iter.Seq2[any, error]) listing {
	l := listing{columns: []string{"station", "time"}, rows: rows}
	l.columns = append(l.columns, of.names()...)
	l.columns = append(l.columns, "traces", "erroneous", "suspect")
	var cells []string
	l.cells = func(row any) []string {
		o := row.(*observation)
		cells = append(cells[:0], o.Station, o.Time.Format(time.RFC3339))
		for _, m := range of.Measures {
			text := ""
			if v, ok := o.Values[m.Name]; ok {
				text = plain(v)
			}
			cells = append(cells, text)
		}
		suspect := make([]string, len(o.Suspect))
		for i, s := range o.Suspect {
			suspect[i] = s.Measure + ":" + strings.Join(s.Reasons, "+")
		}
		cells = append(cells, strings.Join(o.Traces, " "), strings.Join(o.Erroneous, " "), strings.Join(suspect, " "))
		return cells
	}
	return l
}
