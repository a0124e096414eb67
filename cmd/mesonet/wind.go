package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// wind has the fields of mesonet.v1.GetWindResponse.
type wind struct {
	Station      string       `json:"station"`
	Period       string       `json:"period"`
	Observations uint32       `json:"observations"`
	MissingHours uint32       `json:"missing_hours"`
	Calm         uint32       `json:"calm"`
	MeanSpeed    float64      `json:"mean_speed"`
	Direction    *float64     `json:"direction"`
	Steadiness   float64      `json:"steadiness"`
	Sectors      []windSector `json:"sectors"`
	SpeedBounds  []float64    `json:"speed_bounds"`
}

// windSector has the fields of mesonet.v1.WindSector.
type windSector struct {
	Direction    float64  `json:"direction"`
	Name         string   `json:"name"`
	Observations []uint32 `json:"observations"`
}

func (s *windSector) total() (n uint32) {
	for _, class := range s.Observations {
		n += class
	}
	return n
}

func (c *client) wind(ctx context.Context, station string, p period) (*wind, error) {
	r, err := c.GetWind(ctx, &mesonetv1.GetWindRequest{Station: station, Year: p.year, Month: p.month, Day: p.day})
	if err != nil {
		return nil, err
	}
	found := &wind{
		Station: r.GetStation(), Period: p.String(), Observations: r.GetObservations(), MissingHours: r.GetMissingHours(),
		Calm: r.GetCalm(), MeanSpeed: r.GetMeanSpeed(), Direction: r.Direction, Steadiness: r.GetSteadiness(),
		Sectors: []windSector{}, SpeedBounds: append([]float64{}, r.GetSpeedBounds()...),
	}
	for _, s := range r.GetSectors() {
		if len(s.GetObservations()) != len(found.SpeedBounds)+1 {
			return nil, fail(exitFailed, "the server at %s counted %d classes of speed with %d bounds; it may be of another version: compare with mesonet version", c.addr, len(s.GetObservations()), len(found.SpeedBounds))
		}
		found.Sectors = append(found.Sectors, windSector{s.GetDirection(), s.GetName(), s.GetObservations()})
	}
	return found, nil
}

func (r *wind) table(w io.Writer) {
	direction := unknown + " (they cancel each other out)"
	if r.Direction != nil {
		direction = fmt.Sprintf("%s° (%s)", number(*r.Direction, 0), r.sectorOf(*r.Direction))
	}
	writeFields(w,
		[2]string{"station", r.Station},
		[2]string{"period", r.Period + " (UTC)"},
		[2]string{"mean speed", number(r.MeanSpeed, 2) + " m/s"},
		[2]string{"mean direction", direction},
		[2]string{"steadiness", number(r.Steadiness, 2) + " of 1"},
		[2]string{"calm", share(r.Calm, r.Observations)},
		[2]string{"observations", restsOn(r.Observations, r.MissingHours)})
	// Classes of speed that are empty beyond the strongest wind are not shown.
	classes := 0
	for _, s := range r.Sectors {
		for class, n := range s.Observations {
			if n > 0 {
				classes = max(classes, class+1)
			}
		}
	}
	t := table{header: []string{"FROM", ">OBSERVATIONS", ">SHARE"}}
	for class := range classes {
		t.header = append(t.header, ">"+r.class(class))
	}
	if classes > 0 {
		t.header[3] += " m/s"
	}
	for _, s := range r.Sectors {
		row := []string{s.Name, count(s.total()), share(s.total(), r.Observations)}
		for _, n := range s.Observations[:classes] {
			row = append(row, count(n))
		}
		t.add(row...)
	}
	t.below(w)
}

// class names a class of speed, in m/s.
func (r *wind) class(class int) string {
	if class < len(r.SpeedBounds) {
		return "<" + plain(r.SpeedBounds[class])
	}
	return "more"
}

// sectorOf names the sector that is nearest to a direction.
func (r *wind) sectorOf(direction float64) string {
	apart := func(s windSector) float64 {
		d := max(direction, s.Direction) - min(direction, s.Direction)
		return min(d, 360-d)
	}
	if len(r.Sectors) == 0 {
		return unknown
	}
	return slices.MinFunc(r.Sectors, func(a, b windSector) int {
		if apart(a) < apart(b) {
			return -1
		}
		return 1
	}).Name
}

func (r *wind) draw(w io.Writer, p pen) {
	lines := make([]barLine, 0, len(r.Sectors)+1)
	for _, s := range r.Sectors {
		lines = append(lines, barLine{label: s.Name, value: float64(s.total()), text: share(s.total(), r.Observations)})
	}
	p.bars(w, 2*chartWidth, append(lines, barLine{label: "calm", value: float64(r.Calm), text: share(r.Calm, r.Observations)}))
}

// windClass is a part of the rose as it stands alone. Calm has neither direction
// nor speed.
type windClass struct {
	Station      string   `json:"station"`
	Period       string   `json:"period"`
	Name         string   `json:"name"`
	Direction    *float64 `json:"direction"`
	SpeedFrom    *float64 `json:"speed_from"`
	SpeedBelow   *float64 `json:"speed_below"`
	Observations uint32   `json:"observations"`
}

func (r *wind) list() listing { return listOf(r.rows()) }

func (r *wind) rows() iter.Seq[windClass] {
	return func(yield func(windClass) bool) {
		if !yield(windClass{Station: r.Station, Period: r.Period, Name: "calm", Observations: r.Calm}) {
			return
		}
		for _, s := range r.Sectors {
			for class, n := range s.Observations {
				row := windClass{Station: r.Station, Period: r.Period, Name: s.Name, Direction: &s.Direction, SpeedFrom: new(float64), Observations: n}
				if class > 0 {
					row.SpeedFrom = &r.SpeedBounds[class-1]
				}
				if class < len(r.SpeedBounds) {
					row.SpeedBelow = &r.SpeedBounds[class]
				}
				if !yield(row) {
					return
				}
			}
		}
	}
}

func (r *wind) remark(f format) string { return ofAll(f, r.Observations, r.MissingHours) }

func windCommand(a *app) *cobra.Command {
	var q asking
	var chart charting
	c := &cobra.Command{
		Use:   "wind STATION PERIOD",
		Short: "Where the wind came from, and how strong it was",
		Long: `The mean speed and direction of the wind of a year (2008), a month (2008-12) or a
day (2008-12-01) of UTC, and a wind rose: how often it blew from each of 16
directions, by classes of speed in m/s.`,
		Example: `  mesonet wind 725030:14732 2008
  mesonet wind 725030:14732 2008-07 --chart
  mesonet wind 725030:14732 2008 -o csv`,
		Args: arguments("STATION", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.answerOf(a, args, &chart, func(server *client, station string, p period, draw bool) (answer, error) {
				rose, err := server.wind(cmd.Context(), station, p)
				if err != nil || !draw {
					return rose, err
				}
				return a.withChart(rose, rose.draw), nil
			})
		},
	}
	chart.flags(c)
	q.flags(c)
	return c
}
