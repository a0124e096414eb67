package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// temperature is the answer of a day or, with month set, of a month.
type temperature struct {
	Station     string         `json:"station"`
	Period      string         `json:"period"`
	Temperature temperatureSum `json:"temperature" csv:"inline"`
	*monthlyTemperature
}

// temperatureSum has the fields of mesonet.v1.Temperature. °C.
type temperatureSum struct {
	Observations uint32     `json:"observations"`
	MissingHours uint32     `json:"missing_hours"`
	High         float64    `json:"high"`
	HighTime     *time.Time `json:"high_time"`
	Low          float64    `json:"low"`
	LowTime      *time.Time `json:"low_time"`
	Mean         float64    `json:"mean"`
	Variance     float64    `json:"variance"`
	Stdev        float64    `json:"stdev"`
}

// monthlyTemperature is what only a month and a year have.
type monthlyTemperature struct {
	MeanHigh float64 `json:"mean_high"`
	MeanLow  float64 `json:"mean_low"`
	Days     uint32  `json:"days"`
}

// temperature asks for a day or a month.
func (c *client) temperature(ctx context.Context, station string, p period) (*temperature, error) {
	return c.temperatureOf(ctx, station, p, false)
}

// temperatureOf asks for a day, a month or a year.
func (c *client) temperatureOf(ctx context.Context, station string, p period, erroneous bool) (*temperature, error) {
	switch {
	case p.day != 0:
		r, err := c.GetDailyTemperature(ctx, &mesonetv1.GetDailyTemperatureRequest{
			Station: station, Year: p.year, Month: p.month, Day: p.day, IncludeErroneous: erroneous,
		})
		if err != nil {
			return nil, err
		}
		return &temperature{Station: r.GetStation(), Period: p.String(), Temperature: newTemperatureSum(r.GetTemperature())}, nil
	case p.month != 0:
		r, err := c.GetMonthlyTemperature(ctx, &mesonetv1.GetMonthlyTemperatureRequest{
			Station: station, Year: p.year, Month: p.month, IncludeErroneous: erroneous,
		})
		if err != nil {
			return nil, err
		}
		return &temperature{
			Station: r.GetStation(), Period: p.String(), Temperature: newTemperatureSum(r.GetTemperature()),
			monthlyTemperature: &monthlyTemperature{MeanHigh: r.GetMeanHigh(), MeanLow: r.GetMeanLow(), Days: r.GetDays()},
		}, nil
	}
	// Of a year there is no typed question: what describes any measure has the
	// same figures.
	r, err := c.GetStatistics(ctx, &mesonetv1.GetStatisticsRequest{
		Station: station, Measure: "temperature", Year: p.year, IncludeErroneous: erroneous,
	})
	if err != nil {
		return nil, err
	}
	s := r.GetStatistics()
	return &temperature{
		Station: r.GetStation(), Period: p.String(),
		Temperature: temperatureSum{
			Observations: s.GetObservations(), MissingHours: s.GetMissingHours(),
			High: s.GetHigh(), HighTime: jsonTime(s.GetHighTime()), Low: s.GetLow(), LowTime: jsonTime(s.GetLowTime()),
			Mean: s.GetMean(), Variance: s.GetVariance(), Stdev: s.GetStdev(),
		},
		monthlyTemperature: &monthlyTemperature{MeanHigh: s.GetMeanHigh(), MeanLow: s.GetMeanLow(), Days: s.GetDays()},
	}, nil
}

func newTemperatureSum(t *mesonetv1.Temperature) temperatureSum {
	return temperatureSum{
		Observations: t.GetObservations(), MissingHours: t.GetMissingHours(),
		High: t.GetHigh(), HighTime: jsonTime(t.GetHighTime()),
		Low: t.GetLow(), LowTime: jsonTime(t.GetLowTime()),
		Mean: t.GetMean(), Variance: t.GetVariance(), Stdev: t.GetStdev(),
	}
}

func (t *temperature) table(w io.Writer) {
	s := &t.Temperature
	fields := [][2]string{
		{"station", t.Station},
		{"period", t.Period + " (UTC)"},
		{"high", number(s.High, 1) + " °C" + at(s.HighTime)},
		{"low", number(s.Low, 1) + " °C" + at(s.LowTime)},
		{"mean", number(s.Mean, 2) + " °C"},
	}
	if m := t.monthlyTemperature; m != nil {
		fields = append(fields,
			[2]string{"mean high", number(m.MeanHigh, 2) + " °C"},
			[2]string{"mean low", number(m.MeanLow, 2) + " °C"})
	}
	fields = append(fields,
		[2]string{"stdev", number(s.Stdev, 2) + " °C"},
		[2]string{"variance", number(s.Variance, 2) + " °C²"},
		[2]string{"observations", restsOn(s.Observations, s.MissingHours)})
	if m := t.monthlyTemperature; m != nil {
		fields = append(fields, [2]string{"days", counted(m.Days, "day with data", "days with data")})
	}
	writeFields(w, fields...)
}

// at says when, if that is known.
func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " at " + t.Format(minuteLayout)
}

// restsOn says how much an answer rests on.
func restsOn(observations, missingHours uint32) string {
	return count(observations) + " (" + counted(missingHours, "hour", "hours") + " missing)"
}

func temperatureCommand(a *app) *cobra.Command {
	var q asking
	var chart charting
	c := &cobra.Command{
		Use:   "temperature STATION PERIOD",
		Short: "High, low, mean and spread of a day, a month or a year",
		Long: `High, low, mean, variance and standard deviation (of the population) of the
temperatures of a day (2008-12-01), a month (2008-12) or a year (2008) of UTC.
On a terminal, a month has a chart of the highs and lows of its days.`,
		Example: `  mesonet temperature 725030:14732 2008-12-01
  mesonet temperature 725030:14732 2008-12 --no-chart
  mesonet temperature 725030:14732 2008 -o json`,
		Args: arguments("STATION", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.answerOf(a, args, &chart, func(server *client, station string, p period, draw bool) (answer, error) {
				t, err := server.temperatureOf(cmd.Context(), station, p, q.erroneous)
				if err != nil || !draw || p.month == 0 || p.day != 0 {
					return t, err
				}
				days, err := server.hiLow(cmd.Context(), station, p, q.erroneous)
				return a.withChart(t, func(w io.Writer, p pen) { days.draw(w, p) }), err
			})
		},
	}
	chart.flags(c)
	q.figureFlags(c)
	return c
}
