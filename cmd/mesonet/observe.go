package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// recorded is what became of observations.
type recorded struct {
	Outcomes []*recordOutcome `json:"outcomes"`
}

// recordOutcome has the fields of mesonet.v1.RecordOutcome, and what it is of.
type recordOutcome struct {
	Station string         `json:"station"`
	Time    *time.Time     `json:"time"`
	Status  string         `json:"status"`
	Failure *failureFields `json:"failure"`
}

// failureFields has the fields of mesonet.v1.Failure.
type failureFields struct {
	Code    int32  `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (r *recorded) table(w io.Writer) {
	for _, o := range r.Outcomes {
		if o.Failure == nil {
			fmt.Fprintf(w, "%s: the observation of %s at %s\n", o.Status, o.Station, latest(o.Time))
		}
	}
}

func (r *recorded) list() listing { return listOf(slices.Values(r.Outcomes)) }

// err is not nil when not all was stored.
func (r *recorded) err() error {
	for _, o := range r.Outcomes {
		if o.Failure != nil {
			return ofFailure(&mesonetv1.Failure{Code: o.Failure.Code, Reason: o.Failure.Reason, Message: o.Failure.Message})
		}
	}
	return nil
}

// record stores observations.
func (c *client) record(ctx context.Context, observations ...*mesonetv1.Observation) (*recorded, error) {
	r, err := c.RecordObservations(ctx, &mesonetv1.RecordObservationsRequest{Observations: observations})
	if err != nil {
		return nil, err
	}
	if len(r.GetOutcomes()) != len(observations) {
		return nil, fail(exitFailed, "the server at %s answered for %d of %d observations; it may be of another version: compare with mesonet version", c.addr, len(r.GetOutcomes()), len(observations))
	}
	all := &recorded{Outcomes: []*recordOutcome{}}
	for i, m := range r.GetOutcomes() {
		o := &recordOutcome{
			Station: observations[i].GetStation(), Time: jsonTime(observations[i].GetTime()), Status: enumName(m.GetStatus().String(), "STATUS_"),
		}
		if f := m.GetFailure(); f != nil {
			o.Failure = &failureFields{f.GetCode(), f.GetReason(), f.GetMessage()}
		}
		all.Outcomes = append(all.Outcomes, o)
	}
	return all, nil
}

// parseValues reads MEASURE=VALUE, where T is a trace. Which measures there are,
// and what is possible of them, the server knows.
func parseValues(o *mesonetv1.Observation, texts []string) error {
	o.Values = make(map[string]float64)
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := o.GetValues()[name]; twice || slices.Contains(o.GetTraces(), name) {
			return misuse("%s has two values; write one of them", name)
		}
		if ok && name != "" && value == trace {
			o.Traces = append(o.Traces, name)
			continue
		}
		v, err := parseNumber(value)
		if !ok || name == "" || err != nil {
			return misuse("%q is not a value; write it as temperature=12.5, or precipitation_1h=T for a trace", text)
		}
		o.Values[name] = v
	}
	return nil
}

// check looks for what it names before it is sent, so that a slip has an answer of
// its own.
func (l *measureList) check(o *mesonetv1.Observation) error {
	for name := range o.GetValues() {
		if _, err := l.find(name); err != nil {
			return err
		}
	}
	for _, name := range o.GetTraces() {
		m, err := l.find(name)
		if err != nil {
			return err
		}
		if !m.Trace {
			return misuse("%s has no traces; write a number", name)
		}
	}
	return nil
}

func observeCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	c := &cobra.Command{
		Use:   "observe STATION TIME MEASURE=VALUE...",
		Short: "Store one observation",
		Long: `Stores what a station measured at a time, to the minute. An observation that is
there already changes nothing; other values for the same time take its place, all
of them. T is a trace: too little to measure. For files there is mesonet load.`,
		Example: `  mesonet observe 725030:14732 2008-08-11T16:00Z temperature=22.8
  mesonet observe 725030:14732 2008-08-11T17:00Z precipitation_1h=T wind_speed=6.2`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 3 {
				return arguments("STATION", "TIME", "MEASURE=VALUE")(c, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			station, at, err := parseMoment(args[0], args[1])
			if err != nil {
				return err
			}
			o := &mesonetv1.Observation{Station: station, Time: timestamppb.New(at)}
			if err := parseValues(o, args[2:]); err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			of, err := server.measures(cmd.Context())
			if err != nil {
				return err
			}
			if err := of.check(o); err != nil {
				return err
			}
			r, err := server.record(cmd.Context(), o)
			if err != nil {
				return err
			}
			if output == formatTable && r.err() != nil {
				return r.err()
			}
			return errors.Join(a.show(output, r), r.err())
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) < 2 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names := asked.measureNames(contextOf(c))
			for i := range names {
				names[i] += "="
			}
			return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
	}
	asked.flags(c)
	output.flag(c)
	return c
}
