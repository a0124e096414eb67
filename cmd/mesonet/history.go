package main

import (
	"context"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// changeHistory has the fields of mesonet.v1.GetObservationHistoryResponse.
type changeHistory struct {
	Changes []*observationChange `json:"changes"`
	Current *observation         `json:"current"`
	Dropped bool                 `json:"dropped"`

	station string
	of      *measureList
	at      time.Time
}

// observationChange has the fields of mesonet.v1.ObservationChange.
type observationChange struct {
	Time   *time.Time   `json:"time"`
	Before *observation `json:"before"`
	After  *observation `json:"after"`
	Reason string       `json:"reason"`
}

func (c *client) history(ctx context.Context, station string, at time.Time) (*changeHistory, error) {
	of, err := c.measures(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.GetObservationHistory(ctx, &mesonetv1.GetObservationHistoryRequest{Station: station, Time: timestamppb.New(at)})
	if err != nil {
		return nil, err
	}
	h := &changeHistory{
		Changes: []*observationChange{}, Current: newObservation(r.GetCurrent(), nil), Dropped: r.GetDropped(),
		station: station, of: of, at: at,
	}
	for _, m := range r.GetChanges() {
		h.Changes = append(h.Changes, &observationChange{
			Time: jsonTime(m.GetTime()), Before: newObservation(m.GetBefore(), nil), After: newObservation(m.GetAfter(), nil), Reason: m.GetReason(),
		})
	}
	return h, nil
}

// kind says what happened.
func (c *observationChange) kind() string {
	if c.After == nil {
		return "retracted"
	}
	return "corrected"
}

func (h *changeHistory) table(w io.Writer) {
	state := "as it came"
	switch {
	case h.Current == nil:
		state = "retracted"
	case len(h.Changes) > 0:
		state = "corrected"
	case h.Dropped:
		state = "held"
	}
	f := fields{{"station", h.station}, {"time", h.at.Format(minuteLayout)}, {"state", state}}
	if h.Dropped {
		f.add("earlier", "changes of that month are no longer kept here; the log has them")
	}
	writeFields(w, f...)
	t := table{header: []string{"DECIDED", "CHANGE", "MEASURE", ">BEFORE", ">AFTER", "REASON"}}
	for _, c := range h.Changes {
		decided := unknown
		if c.Time != nil {
			decided = c.Time.Format("2006-01-02 15:04:05Z")
		}
		for _, m := range h.of.Measures {
			before, after := c.Before.show(m, true), unknown
			if c.After != nil {
				after = c.After.show(m, true)
			}
			if before != after {
				t.add(decided, c.kind(), spaced(m.Name), before, after, c.Reason)
			}
		}
	}
	t.below(w)
}

// changeRow is a change as it stands alone.
type changeRow struct {
	Station string     `json:"station"`
	Time    time.Time  `json:"time"` // of the observation
	Decided *time.Time `json:"decided"`
	Change  string     `json:"change"`
	Measure string     `json:"measure"`
	Before  *float64   `json:"before"`
	After   *float64   `json:"after"`
	Traces  []string   `json:"traces"` // before, after or both: which of them was a trace
	Reason  string     `json:"reason"`
}

func (h *changeHistory) list() listing { return listOf(h.rows()) }

// rows are the measures that changed: these are what can be compared.
func (h *changeHistory) rows() iter.Seq[changeRow] {
	return func(yield func(changeRow) bool) {
		for _, c := range h.Changes {
			for _, m := range h.of.Measures {
				row := changeRow{Station: h.station, Time: h.at, Decided: c.Time, Change: c.kind(), Measure: m.Name, Traces: []string{}, Reason: c.Reason}
				row.Before = c.Before.value(m.Name, "before", &row.Traces)
				if c.After != nil {
					row.After = c.After.value(m.Name, "after", &row.Traces)
				}
				same := len(row.Traces) != 1 && (row.Before == row.After || row.Before != nil && row.After != nil && *row.Before == *row.After)
				if !same && !yield(row) {
					return
				}
			}
		}
	}
}

// value returns what was observed of a measure, nil for nothing; a trace is noted.
func (o *observation) value(name, when string, traces *[]string) *float64 {
	if slices.Contains(o.Traces, name) {
		*traces = append(*traces, when)
	}
	if v, ok := o.Values[name]; ok {
		return &v
	}
	return nil
}

func (h *changeHistory) remark(f format) string {
	if (f == formatCSV || f == formatJSONL) && h.Dropped {
		return "earlier changes of that month are no longer kept here; the log has them"
	}
	return ""
}

func stationHistoryCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "history STATION TIME",
		Short: "What became of the observation of one time",
		Long: `Shows each correction and retraction of an observation: the values that gave way,
those that took their place, when that was decided, and why.`,
		Example: `  mesonet station history 725030:14732 2008-08-11T16:00Z
  mesonet station history 725030:14732 2008-08-11T16:00Z -o json`,
		Args: arguments("STATION", "TIME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, at, err := parseMoment(args[0], args[1])
			if err != nil {
				return err
			}
			return q.answer(a, func(server *client) (answer, error) { return server.history(cmd.Context(), station, at) })
		},
	}
	q.flags(c)
	return c
}

// parseMoment reads a station and a time.
func parseMoment(stationText, timeText string) (station string, at time.Time, err error) {
	if station, err = parseStation(stationText); err != nil {
		return "", time.Time{}, err
	}
	at, err = parseTime(timeText)
	return station, at, err
}
