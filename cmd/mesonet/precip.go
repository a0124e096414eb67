package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// precipitation is the answer for a day, a month or a year.
type precipitation struct {
	Station      string  `json:"station"`
	Period       string  `json:"period"`
	Observations uint32  `json:"observations"`
	MissingHours uint32  `json:"missing_hours"`
	Millimetres  float64 `json:"millimetres"`
	TraceHours   uint32  `json:"trace_hours"`

	until time.Time // zero for the end of the period
}

// precipitation asks for a day, a month or a year, by one-hour amounts.
func (c *client) precipitation(ctx context.Context, station string, p period) (*precipitation, error) {
	return c.precipitationBy(ctx, p, &mesonetv1.GetPrecipitationRequest{Station: station, Year: p.year, Month: p.month, Day: p.day})
}

func (c *client) precipitationBy(ctx context.Context, p period, q *mesonetv1.GetPrecipitationRequest) (*precipitation, error) {
	r, err := c.GetPrecipitation(ctx, q)
	if err != nil {
		return nil, err
	}
	answer := newPrecipitation(p, r)
	if q.GetUntil() != nil && q.GetUntil().AsTime().Before(p.end()) {
		answer.until = q.GetUntil().AsTime()
	}
	return answer, nil
}

func newPrecipitation(p period, r *mesonetv1.GetPrecipitationResponse) *precipitation {
	return &precipitation{
		Station: r.GetStation(), Period: p.String(),
		Observations: r.GetObservations(), MissingHours: r.GetMissingHours(),
		Millimetres: r.GetMillimetres(), TraceHours: r.GetTraceHours(),
	}
}

func (p *precipitation) table(w io.Writer) {
	when := p.Period + " (UTC)"
	if !p.until.IsZero() {
		when += " until " + p.until.Format(minuteLayout)
	}
	writeFields(w,
		[2]string{"station", p.Station},
		[2]string{"period", when},
		[2]string{"precipitation", number(p.Millimetres, 1) + " mm"},
		[2]string{"trace", counted(p.TraceHours, "hour", "hours") + " with too little to measure"},
		[2]string{"observations", restsOn(p.Observations, p.MissingHours)})
}

// monthly asks the same question of each month of its year, all at once.
func (c *client) monthly(ctx context.Context, q *mesonetv1.GetPrecipitationRequest) ([]barLine, error) {
	all := &mesonetv1.AskRequest{}
	for month := range int32(12) {
		of := &mesonetv1.GetPrecipitationRequest{
			Station: q.GetStation(), Year: q.GetYear(), Month: month + 1,
			Method: q.GetMethod(), IncludeErroneous: q.GetIncludeErroneous(), Read: q.GetRead(),
		}
		p := period{year: of.GetYear(), month: of.GetMonth()}
		if q.GetUntil() != nil && !p.begin().Before(q.GetUntil().AsTime()) {
			break
		}
		of.Until = q.GetUntil()
		all.Questions = append(all.Questions, &mesonetv1.Question{Question: &mesonetv1.Question_Precipitation{Precipitation: of}})
	}
	r, err := c.Ask(ctx, all)
	if err != nil {
		return nil, err
	}
	lines := make([]barLine, 0, 12)
	for i, answer := range r.GetAnswers() {
		line := barLine{label: time.Month(i + 1).String()[:3], value: math.NaN(), text: unknown}
		switch {
		case answer.GetPrecipitation() != nil:
			line.value = answer.GetPrecipitation().GetMillimetres()
			line.text = number(line.value, 1)
		case answer.GetFailure().GetReason() != reasonNoData:
			return nil, ofFailure(answer.GetFailure())
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// methods of summing precipitation, by the names of the flag.
var methods = []string{"one-hour", "six-hour", "best"}

func parseMethod(name string) (mesonetv1.PrecipitationMethod, error) {
	for i, method := range methods {
		if method == name {
			return mesonetv1.PrecipitationMethod(i + 1), nil
		}
	}
	return 0, misuse("there is no method %q; use one-hour, six-hour or best", name)
}

func precipCommand(a *app) *cobra.Command {
	var q asking
	var chart charting
	var method, until string
	c := &cobra.Command{
		Use:   "precip STATION PERIOD",
		Short: "Precipitation of a day, a month or a year",
		Long: `The sum of the one-hour amounts of a year (2008), a month (2008-12) or a day
(2008-12-01) of UTC, on request that of the six-hour amounts, or the best of both.
With --until it ends before a time or with a date: of a year, the year to date. A
period without data is an error (exit code 3), never 0.`,
		Example: `  mesonet precip 725030:14732 2008
  mesonet precip 725030:14732 2008-12 -o json
  mesonet precip 725030:14732 2008 --method six-hour
  mesonet precip 725030:14732 2008 --until 2008-06-30`,
		Args: arguments("STATION", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, p, err := parseAsked(args[0], args[1])
			if err != nil {
				return err
			}
			r := &mesonetv1.GetPrecipitationRequest{Station: station, Year: p.year, Month: p.month, Day: p.day, IncludeErroneous: q.erroneous}
			if r.Method, err = parseMethod(method); err != nil {
				return err
			}
			if cmd.Flags().Changed("until") {
				if r.Until, err = parseUntil(until); err != nil {
					return err
				}
				if r.Until != nil && !r.Until.AsTime().After(p.begin()) {
					return misuse("--until %s ends before %s begins; write a later time", until, p)
				}
			}
			draw, err := chart.wanted(q.output, isTerminal(a.out))
			if err != nil {
				return err
			}
			return q.answer(a, func(server *client) (answer, error) {
				sum, err := server.precipitationBy(cmd.Context(), p, r)
				if err != nil || !draw || p.month != 0 {
					return sum, err
				}
				lines, err := server.monthly(cmd.Context(), r)
				return a.withChart(sum, func(w io.Writer, p pen) {
					fmt.Fprintln(w, "  mm by month")
					p.bars(w, 2*chartWidth, lines)
				}), err
			})
		},
	}
	c.Flags().StringVar(&method, "method", methods[0], "`method` of summing: one-hour, six-hour or best")
	c.Flags().StringVar(&until, "until", "", "end before that `time`, or with that date")
	_ = c.RegisterFlagCompletionFunc("method", cobra.FixedCompletions(methods, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	chart.flags(c)
	q.figureFlags(c)
	return c
}
