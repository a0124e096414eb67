package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

// fileKind is a form of files: what they are called, which of them the year of a
// station goes to, and its lines.
type fileKind struct {
	what string
	name func(station int) string
	year func(station int) ([]byte, error)
}

var killrWeather = fileKind{
	what: "a KillrWeather file",
	name: func(int) string { return "2008.csv" },
	year: killrWeatherYear,
}

var isdLite = fileKind{
	what: "ISD-Lite files, one a station",
	name: func(station int) string { return strings.ReplaceAll(stationID(station), ":", "-") + "-2008" },
	year: isdLiteYear,
}

// writeFiles writes the years of so many stations into a new folder, and returns
// how many bytes these are.
func writeFiles(ctx context.Context, dir string, stations int, kind fileKind) (size int, err error) {
	if err := os.Mkdir(dir, 0o750); err != nil {
		return 0, err
	}
	for i := range stations {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		text, err := kind.year(i)
		if err != nil {
			return 0, err
		}
		if err := appendFile(filepath.Join(dir, kind.name(i)), text); err != nil {
			return 0, err
		}
		size += len(text)
	}
	return size, nil
}

func appendFile(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// killrWeatherYear returns the year of a station as lines of the sample, dirt and
// all: the times of one, with the values of another some hours away.
func killrWeatherYear(station int) ([]byte, error) {
	years, err := sampleLines()
	if err != nil {
		return nil, err
	}
	y := years[station%len(years)]
	var text []byte
	for i := range y.times {
		text = append(text, stationID(station)...)
		text = append(text, y.times[i]...)
		text = append(text, y.values[(i+977*station)%len(y.values)]...)
	}
	return text, nil
}

// yearLines are the lines of a station in the sample, without the station: times
// are ",year,month,day,hour," and values the rest.
type yearLines struct{ times, values [][]byte }

// sampleLines returns the lines of both stations, in the order of readings.
var sampleLines = sync.OnceValues(func() ([]yearLines, error) {
	text, err := sampledata.Observations()
	if err != nil {
		return nil, err
	}
	years := make([]yearLines, 2)
	for line := range bytes.Lines(text) {
		for i, place := range []string{sampledata.SanFrancisco, sampledata.NewYork} {
			rest, is := bytes.CutPrefix(line, []byte(place))
			if !is {
				continue
			}
			at := 0
			for range 5 {
				at += bytes.IndexByte(rest[at:], ',') + 1
			}
			years[i].times, years[i].values = append(years[i].times, rest[:at]), append(years[i].values, rest[at:])
		}
	}
	return years, nil
})

// isdLiteYear returns the year of a station as NOAA would write it.
func isdLiteYear(station int) ([]byte, error) {
	sample, err := readings()
	if err != nil {
		return nil, err
	}
	run := &newMessages(1, yearHours)[0].run
	for at := 0; at < yearHours; at += yearRun {
		sample.fill(run.Slice(at, at+yearRun), station, at, 1)
	}
	var text []byte
	for i, at := range run.Times {
		text = append(text, at.Time().Format("2006 01 02 15")...)
		for m := range weather.MeasureID(measures) {
			if m == weather.WindGust {
				continue // not in this format
			}
			v := run.Value(i, m)
			switch v {
			case weather.Missing:
				v = -9999
			case weather.Trace:
				v = -1
			}
			text = fmt.Appendf(text, "%6d", v)
		}
		text = append(text, '\n')
	}
	return text, nil
}
