package main

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// hiLow is the high and the low of a month, and of each of its days.
type hiLow struct {
	Station      string        `json:"station"`
	Period       string        `json:"period"`
	High         float64       `json:"high"`
	HighTime     *time.Time    `json:"high_time"`
	Low          float64       `json:"low"`
	LowTime      *time.Time    `json:"low_time"`
	Days         []*dailyHiLow `json:"days"`
	Observations uint32        `json:"observations"`
	MissingHours uint32        `json:"missing_hours"`

	of period
}

// dailyHiLow has the fields of mesonet.v1.DailyHiLow.
type dailyHiLow struct {
	Day          int32   `json:"day"`
	High         float64 `json:"high"`
	Low          float64 `json:"low"`
	Observations uint32  `json:"observations"`
}

func (c *client) hiLow(ctx context.Context, station string, p period, erroneous bool) (*hiLow, error) {
	r, err := c.GetMonthlyHiLow(ctx, &mesonetv1.GetMonthlyHiLowRequest{Station: station, Year: p.year, Month: p.month, IncludeErroneous: erroneous})
	if err != nil {
		return nil, err
	}
	h := &hiLow{
		Station: r.GetStation(), Period: p.String(),
		High: r.GetHigh(), HighTime: jsonTime(r.GetHighTime()), Low: r.GetLow(), LowTime: jsonTime(r.GetLowTime()),
		Days: []*dailyHiLow{}, Observations: r.GetObservations(), MissingHours: r.GetMissingHours(), of: p,
	}
	for _, d := range r.GetDays() {
		h.Days = append(h.Days, &dailyHiLow{Day: d.GetDay(), High: d.GetHigh(), Low: d.GetLow(), Observations: d.GetObservations()})
	}
	return h, nil
}

// date is a day of the month.
func (h *hiLow) date(d *dailyHiLow) string {
	return period{year: h.of.year, month: h.of.month, day: d.Day}.String()
}

func (h *hiLow) table(w io.Writer) {
	writeFields(w,
		[2]string{"station", h.Station},
		[2]string{"period", h.Period + " (UTC)"},
		[2]string{"high", number(h.High, 1) + " °C" + at(h.HighTime)},
		[2]string{"low", number(h.Low, 1) + " °C" + at(h.LowTime)},
		[2]string{"observations", restsOn(h.Observations, h.MissingHours)})
	t := table{header: []string{"DAY", ">HIGH", ">LOW", ">OBSERVATIONS"}}
	for _, d := range h.Days {
		t.add(h.date(d), number(d.High, 1), number(d.Low, 1), count(d.Observations))
	}
	t.below(w)
}

// draw draws the days.
func (h *hiLow) draw(w io.Writer, p pen) {
	days := make([]dayRange, len(h.Days))
	for i, d := range h.Days {
		days[i] = dayRange{int(d.Day), d.Low, d.High}
	}
	p.ranges(w, "°C, from the low to the high of each day", weather.DaysInMonth(int(h.of.year), int(h.of.month)), days)
}

// hiLowRow is a day as it stands alone.
type hiLowRow struct {
	Station      string  `json:"station"`
	Date         string  `json:"date"`
	High         float64 `json:"high"`
	Low          float64 `json:"low"`
	Observations uint32  `json:"observations"`
}

func (h *hiLow) list() listing { return listOf(h.rows()) }

func (h *hiLow) rows() iter.Seq[hiLowRow] {
	return func(yield func(hiLowRow) bool) {
		for _, d := range h.Days {
			if !yield(hiLowRow{h.Station, h.date(d), d.High, d.Low, d.Observations}) {
				return
			}
		}
	}
}

func (h *hiLow) remark(f format) string { return ofAll(f, h.Observations, h.MissingHours) }

// ofAll says what a list rests on, for formats in which it can't.
func ofAll(f format, observations, missingHours uint32) string {
	if f == formatCSV || f == formatJSONL {
		return "from " + counted(observations, "observation", "observations") + ", " + counted(missingHours, "hour", "hours") + " missing"
	}
	return ""
}

func hiLowCommand(a *app) *cobra.Command {
	var q asking
	var chart charting
	c := &cobra.Command{
		Use:   "hilow STATION MONTH",
		Short: "The high and the low temperature of each day of a month",
		Long: `The high and the low of a month (2008-12) of UTC, and of each of its days that has
observations. On a terminal there is a chart of them.`,
		Example: `  mesonet hilow 725030:14732 2008-12
  mesonet hilow 725030:14732 2008-12 -o csv`,
		Args: arguments("STATION", "MONTH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, p, err := parseAsked(args[0], args[1])
			if err != nil {
				return err
			}
			if p.month == 0 || p.day != 0 {
				return misuse("highs and lows are of a month, and %s is none; write it as %04d-%02d", p, p.year, max(p.month, 1))
			}
			draw, err := chart.wanted(q.output, isTerminal(a.out))
			if err != nil {
				return err
			}
			return q.answer(a, func(server *client) (answer, error) {
				days, err := server.hiLow(cmd.Context(), station, p, q.erroneous)
				if err != nil || !draw {
					return days, err
				}
				return a.withChart(days, days.draw), nil
			})
		},
	}
	chart.flags(c)
	q.figureFlags(c)
	return c
}
