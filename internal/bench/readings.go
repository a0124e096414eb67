package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// firstHour is when all stations begin to observe.
var firstHour = func() weather.Minute {
	m, err := weather.MinuteOf(2008, 1, 1, 0, 0)
	if err != nil {
		panic(err) //nolint:forbidigo // a constant of this file
	}
	return m
}()

const measures = int(weather.Precipitation6h) + 1

// sample is real years of stations, hour by hour. Every station of a benchmark
// observes one of them, shifted by some hours of its own: so no two say the same
// at the same time, and frames and pages compress as real ones do.
type sample []*sampleYear

// sampleYear is a year by column, for runs, and by row, for single readings:
// to make one up takes a look at one place in memory.
type sampleYear struct {
	columns [measures][]weather.Value
	rows    [][measures]weather.Value
}

// readings returns the sample, which is read once.
var readings = sync.OnceValues(func() (sample, error) {
	observations, err := sampledata.Observations()
	if err != nil {
		return nil, err
	}
	years := map[string]*sampleYear{sampledata.SanFrancisco: {}, sampledata.NewYork: {}}
	lines := ingest.NewReader(sampledata.ObservationsName, bytes.NewReader(observations), ingest.NewKillrWeather())
	var reading ingest.Reading
	for {
		err := lines.Read(&reading)
		if errors.Is(err, io.EOF) {
			return sample{years[sampledata.SanFrancisco], years[sampledata.NewYork]}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the sample: %w", err)
		}
		years[reading.Station].add(reading.Values)
	}
})

func (y *sampleYear) add(values []weather.Value) {
	var row [measures]weather.Value
	for m := range row {
		row[m] = weather.Missing
		if m < len(values) {
			row[m] = values[m]
		}
		y.columns[m] = append(y.columns[m], row[m])
	}
	y.rows = append(y.rows, row)
}

// fill makes the run of a message the observations of a station, counted from 0,
// every so many hours from one on, counted from firstHour.
func (s sample) fill(run *weather.Run, station, hour, every int) {
	year := s[station%len(s)]
	from := hour + 977*station
	for i := range run.Times {
		run.Times[i] = firstHour + weather.Minute(60*(hour+i*every))
	}
	if every == 1 && run.Len() > 1 {
		for m, column := range run.Columns {
			known := year.columns[m]
			n := copy(column, known[from%len(known):])
			copy(column[n:], known) // as a run is shorter than a year
		}
		return
	}
	for i := range run.Times {
		row := &year.rows[(from+i*every)%len(year.rows)]
		for m, column := range run.Columns {
			column[i] = row[m]
		}
	}
}

// stationID returns the id of a station, in the form of NOAA's.
func stationID(station int) string {
	return fmt.Sprintf("%06d:%05d", station%1_000_000, station/1_000_000)
}

// stationIDs returns the ids of the first stations.
func stationIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = stationID(i)
	}
	return ids
}
