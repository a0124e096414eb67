package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/internal/spelling"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// measure has the fields of mesonet.v1.Measure.
type measure struct {
	Name      string   `json:"name"`
	Unit      string   `json:"unit"`
	Decimals  uint32   `json:"decimals"`
	Aggregate string   `json:"aggregate"`
	Trace     bool     `json:"trace"`
	Low       float64  `json:"low"`
	High      float64  `json:"high"`
	UsualLow  *float64 `json:"usual_low"`
	UsualHigh *float64 `json:"usual_high"`
}

// unit returns a unit as it stands after a number.
func unit(name string) string {
	if name == "" || name == "°" {
		return name
	}
	return " " + name
}

// measureList is what the stations of a network measure, in the order of its
// catalogue.
type measureList struct {
	Measures []*measure `json:"measures"`
}

// measures asks what stations measure: this program takes nothing for granted of
// a network's configuration.
func (c *client) measures(ctx context.Context) (*measureList, error) {
	r, err := c.ListMeasures(ctx, &mesonetv1.ListMeasuresRequest{})
	if err != nil {
		return nil, err
	}
	list := &measureList{Measures: []*measure{}}
	for _, m := range r.GetMeasures() {
		if m.GetDecimals() > weather.MaxDecimals {
			return nil, fail(exitFailed, "the server at %s keeps %d decimals of %s, more than this program knows of; compare with mesonet version", c.addr, m.GetDecimals(), m.GetName())
		}
		list.Measures = append(list.Measures, &measure{
			Name: m.GetName(), Unit: m.GetUnit(), Decimals: m.GetDecimals(), Aggregate: aggregateName(m.GetAggregate()),
			Trace: m.GetTrace(), Low: m.GetLow(), High: m.GetHigh(), UsualLow: m.UsualLow, UsualHigh: m.UsualHigh,
		})
	}
	return list, nil
}

// aggregateName is the name that a configuration has for it.
func aggregateName(a mesonetv1.Aggregate) string { return enumName(a.String(), "AGGREGATE_") }

// enumName is a value of an enumeration of the API in lower case, without the name
// of the enumeration.
func enumName(name, enumeration string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, enumeration)), "_", "-")
}

// find returns a measure by its name, or wrong usage that suggests another.
func (l *measureList) find(name string) (*measure, error) {
	names := l.names()
	if i := slices.Index(names, name); i >= 0 {
		return l.Measures[i], nil
	}
	if like := spelling.Closest(name, names); like != "" {
		return nil, misuse("there is no measure %q; did you mean %s? see mesonet measures", name, like)
	}
	return nil, misuse("there is no measure %q; this network has: %s", name, strings.Join(names, ", "))
}

func (l *measureList) names() []string {
	names := make([]string, len(l.Measures))
	for i, m := range l.Measures {
		names[i] = m.Name
	}
	return names
}

func (l *measureList) table(w io.Writer) {
	t := table{header: []string{"MEASURE", "UNIT", ">DECIMALS", "AGGREGATE", "TRACE", ">POSSIBLE FROM", ">TO", ">USUAL FROM", ">TO"}}
	for _, m := range l.Measures {
		trace := ""
		if m.Trace {
			trace = "yes"
		}
		t.add(m.Name, m.Unit, count(m.Decimals), m.Aggregate, trace, number(m.Low, int(m.Decimals)), number(m.High, int(m.Decimals)),
			measured(m.UsualLow, int(m.Decimals), ""), measured(m.UsualHigh, int(m.Decimals), ""))
	}
	t.write(w)
}

func (l *measureList) list() listing { return listOf(slices.Values(l.Measures)) }

func measuresCommand(a *app) *cobra.Command {
	var q asking
	c := &cobra.Command{
		Use:   "measures",
		Short: "What the stations of this network measure",
		Long: `Lists the measures that a server keeps, with their units and what is possible and
usual of each. A value that is not possible is refused; one that is not usual is
kept, marked as erroneous, and left out of all figures.`,
		Example: `  mesonet measures
  mesonet measures -o csv`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.answer(a, func(server *client) (answer, error) { return server.measures(cmd.Context()) })
		},
	}
	q.flags(c)
	return c
}
