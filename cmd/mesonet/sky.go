package main

import (
	"context"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// skyCondition has the fields of mesonet.v1.SkyCondition.
type skyCondition struct {
	Code uint32 `json:"code"`
	Text string `json:"text"`
}

func (s *skyCondition) table(w io.Writer) {
	writeFields(w, [2]string{"code", count(s.Code)}, [2]string{"sky", s.Text})
}

func newSkyCondition(m *mesonetv1.SkyCondition) skyCondition {
	return skyCondition{m.GetCode(), m.GetText()}
}

// skyConditionList has the fields of mesonet.v1.ListSkyConditionsResponse.
type skyConditionList struct {
	SkyConditions []skyCondition `json:"sky_conditions"`
}

func (l *skyConditionList) table(w io.Writer) {
	t := table{header: []string{">CODE", "SKY"}}
	for _, s := range l.SkyConditions {
		t.add(count(s.Code), s.Text)
	}
	t.write(w)
}

func (l *skyConditionList) list() listing { return listOf(slices.Values(l.SkyConditions)) }

// skyCounts has the fields of mesonet.v1.CountSkyConditionsResponse.
type skyCounts struct {
	Station      string              `json:"station"`
	Period       string              `json:"period"`
	Counts       []skyConditionCount `json:"counts"`
	Observations uint32              `json:"observations"`
	MissingHours uint32              `json:"missing_hours"`
}

type skyConditionCount struct {
	SkyCondition skyCondition `json:"sky_condition"`
	Observations uint32       `json:"observations"`
}

func (c *client) skyCounts(ctx context.Context, station string, p period) (*skyCounts, error) {
	r, err := c.CountSkyConditions(ctx, &mesonetv1.CountSkyConditionsRequest{Station: station, Year: p.year, Month: p.month, Day: p.day})
	if err != nil {
		return nil, err
	}
	s := &skyCounts{
		Station: r.GetStation(), Period: p.String(), Counts: []skyConditionCount{},
		Observations: r.GetObservations(), MissingHours: r.GetMissingHours(),
	}
	for _, n := range r.GetCounts() {
		s.Counts = append(s.Counts, skyConditionCount{newSkyCondition(n.GetSkyCondition()), n.GetObservations()})
	}
	return s, nil
}

func (s *skyCounts) table(w io.Writer) {
	writeFields(w,
		[2]string{"station", s.Station},
		[2]string{"period", s.Period + " (UTC)"},
		[2]string{"observations", restsOn(s.Observations, s.MissingHours)})
	t := table{header: []string{">CODE", "SKY", ">OBSERVATIONS", ">SHARE"}}
	for _, n := range s.Counts {
		t.add(count(n.SkyCondition.Code), n.SkyCondition.Text, count(n.Observations), share(n.Observations, s.Observations))
	}
	t.below(w)
}

// share is a part of a number, in percent.
func share(part, of uint32) string {
	if of == 0 {
		return unknown
	}
	return number(100*float64(part)/float64(of), 1) + " %"
}

func (s *skyCounts) draw(w io.Writer, p pen) {
	lines := make([]barLine, len(s.Counts))
	for i, n := range s.Counts {
		lines[i] = barLine{label: n.SkyCondition.Text, value: float64(n.Observations), text: share(n.Observations, s.Observations)}
	}
	p.bars(w, chartWidth, lines)
}

// skyCount is a count as it stands alone.
type skyCount struct {
	Station      string `json:"station"`
	Period       string `json:"period"`
	Code         uint32 `json:"code"`
	Text         string `json:"text"`
	Observations uint32 `json:"observations"`
}

func (s *skyCounts) list() listing { return listOf(s.rows()) }

func (s *skyCounts) rows() iter.Seq[skyCount] {
	return func(yield func(skyCount) bool) {
		for _, n := range s.Counts {
			if !yield(skyCount{s.Station, s.Period, n.SkyCondition.Code, n.SkyCondition.Text, n.Observations}) {
				return
			}
		}
	}
}

func (s *skyCounts) remark(f format) string { return ofAll(f, s.Observations, s.MissingHours) }

func skyCommand(a *app) *cobra.Command {
	var q asking
	var chart charting
	c := &cobra.Command{
		Use:   "sky STATION PERIOD",
		Short: "How often the sky was clear, overcast and so on",
		Long: `Counts the sky conditions of a year (2008), a month (2008-12) or a day (2008-12-01)
of UTC. The texts of all codes are in mesonet sky codes.`,
		Example: `  mesonet sky 725030:14732 2008
  mesonet sky 725030:14732 2008-07 -o csv
  mesonet sky codes`,
		Args: arguments("STATION", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.answerOf(a, args, &chart, func(server *client, station string, p period, draw bool) (answer, error) {
				counts, err := server.skyCounts(cmd.Context(), station, p)
				if err != nil || !draw {
					return counts, err
				}
				return a.withChart(counts, counts.draw), nil
			})
		},
	}
	chart.flags(c)
	q.flags(c)
	c.AddCommand(skyCodesCommand(a))
	return c
}

func skyCodesCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "codes [CODE]",
		Short: "What the codes of sky conditions mean: all of them, or one",
		Example: `  mesonet sky codes
  mesonet sky codes 8`,
		Args: argumentsBetween(0, "CODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return q.answer(a, func(server *client) (answer, error) {
					r, err := server.ListSkyConditions(cmd.Context(), &mesonetv1.ListSkyConditionsRequest{})
					if err != nil {
						return nil, err
					}
					list := &skyConditionList{SkyConditions: []skyCondition{}}
					for _, m := range r.GetSkyConditions() {
						list.SkyConditions = append(list.SkyConditions, newSkyCondition(m))
					}
					return list, nil
				})
			}
			code, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil {
				return misuse("%q is not a code; write a number such as 8, or leave it out for all", args[0])
			}
			return q.answer(a, func(server *client) (answer, error) {
				r, err := server.GetSkyCondition(cmd.Context(), &mesonetv1.GetSkyConditionRequest{Code: uint32(code)})
				if err != nil {
					return nil, err
				}
				s := newSkyCondition(r.GetSkyCondition())
				return &s, nil
			})
		},
	}
	q.flags(c)
	return c
}
