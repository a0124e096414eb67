package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// current is the latest observation.
type current struct {
	Observation  *observation `json:"observation"`
	SkyCondition string       `json:"sky_condition"`

	of *measureList
}

func (c *client) current(ctx context.Context, r *mesonetv1.GetCurrentWeatherRequest) (*current, error) {
	of, err := c.measures(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.GetCurrentWeather(ctx, r)
	if err != nil {
		return nil, err
	}
	return &current{Observation: newObservation(found.GetObservation(), nil), SkyCondition: found.GetSkyCondition(), of: of}, nil
}

func (c *current) table(w io.Writer) {
	var f fields
	f.add("station", c.Observation.Station)
	f.add("time", c.Observation.Time.Format(minuteLayout))
	for _, m := range c.of.Measures {
		value := c.Observation.show(m, true)
		if m.Name == "sky_condition" && c.SkyCondition != "" {
			value += ", " + c.SkyCondition
		}
		f.add(spaced(m.Name), value)
	}
	writeFields(w, f...)
	fmt.Fprint(w, legend(c.Observation))
}

func (c *current) list() listing {
	return listObservations(c.of, func(yield func(any, error) bool) { yield(c.Observation, nil) })
}

func currentCommand(a *app) *cobra.Command {
	var q asking
	var at string
	c := &cobra.Command{
		Use:   "current STATION",
		Short: "The latest observation, or the latest at or before a time",
		Long: `The latest observation of a station: what it measured, in the order of the measures.
With --at it is the latest at or before a time, or, for a date, on or before it.`,
		Example: `  mesonet current 725030:14732
  mesonet current 725030:14732 --at 2008-08-11T16:30Z
  mesonet current 725030:14732 --at 2008-08-11 -o json`,
		Args: arguments("STATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, err := parseStation(args[0])
			if err != nil {
				return err
			}
			r := &mesonetv1.GetCurrentWeatherRequest{Station: station}
			if cmd.Flags().Changed("at") {
				if r.At, err = parseAt(at); err != nil {
					return err
				}
			}
			return q.answer(a, func(server *client) (answer, error) { return server.current(cmd.Context(), r) })
		},
	}
	c.Flags().StringVar(&at, "at", "", "the latest at or before that `time`")
	q.flags(c)
	return c
}
