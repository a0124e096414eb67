package main

import (
	"context"
	"io"

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
}

// precipitation asks for a day, a month or a year.
func (c *client) precipitation(ctx context.Context, station string, p period) (*precipitation, error) {
	r, err := c.GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{
		Station: station, Year: p.year, Month: p.month, Day: p.day,
	})
	if err != nil {
		return nil, err
	}
	return &precipitation{
		Station: r.GetStation(), Period: p.String(),
		Observations: r.GetObservations(), MissingHours: r.GetMissingHours(),
		Millimetres: r.GetMillimetres(), TraceHours: r.GetTraceHours(),
	}, nil
}

func (p *precipitation) table(w io.Writer) {
	writeFields(w,
		[2]string{"station", p.Station},
		[2]string{"period", p.Period + " (UTC)"},
		[2]string{"precipitation", number(p.Millimetres, 1) + " mm"},
		[2]string{"trace", counted(p.TraceHours, "hour", "hours") + " with too little to measure"},
		[2]string{"observations", restsOn(p.Observations, p.MissingHours)})
}

func precipCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	c := &cobra.Command{
		Use:   "precip STATION PERIOD",
		Short: "Precipitation of a day, a month or a year",
		Long: `The sum of the one-hour amounts of a year (2008), a month (2008-12) or a day
(2008-12-01) of UTC. A period without data is an error (exit code 3), never 0.`,
		Example: `  mesonet precip 725030:14732 2008
  mesonet precip 725030:14732 2008-12 -o json
  mesonet precip 725030:14732 2008-09-06`,
		Args: arguments("STATION", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, err := parseStation(args[0])
			if err != nil {
				return err
			}
			p, err := parsePeriod(args[1])
			if err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			sum, err := server.precipitation(cmd.Context(), station, p)
			if err != nil {
				return err
			}
			return output.write(a.out, sum)
		},
	}
	asked.readFlags(c)
	output.flag(c)
	return c
}
