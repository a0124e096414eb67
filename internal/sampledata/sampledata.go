// Package sampledata holds real weather to try the network with and to test it
// against: the observations of two stations in 2008, the catalogue of 19,703
// stations, and what the answers about the observations are.
//
// The data are NOAA's: hourly observations of ISD-Lite (Integrated Surface
// Data, lite) and the station history of ISD, in the CSV form in which the
// KillrWeather reference application (Apache License 2.0) carries them, with the
// quirks that this form has. They are facts and carried over as they are. The
// answers were computed from them twice, by two programs that are not part of
// this one.
//
// All functions may be called from many goroutines; each call reads the embedded
// data anew.
package sampledata

import (
	"compress/gzip"
	_ "embed" // the data
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// The stations of which there are observations.
const (
	SanFrancisco = "724940:23234"
	NewYork      = "725030:14732" // LaGuardia
)

// The names that the files have.
const (
	ObservationsName = "ny-sf-2008.csv.gz"
	StationsName     = "weather_stations.csv.gz"
)

// Strings, for they can't be changed by whoever gets them.
var (
	//go:embed ny-sf-2008.csv.gz
	observations string
	//go:embed weather_stations.csv.gz
	stations string
	//go:embed answers/ny-sf-2008.json
	answers string
)

// Observations returns 17,568 lines of the killrweather format, as text: every
// hour of 2008 at SanFrancisco and NewYork.
func Observations() ([]byte, error) { return unpack(ObservationsName, observations) }

// ObservationsArchive returns the same, gzipped, as a file would be.
func ObservationsArchive() []byte { return []byte(observations) }

// Stations returns 19,704 lines of the station catalogue, as text; one station
// comes twice.
func Stations() ([]byte, error) { return unpack(StationsName, stations) }

// StationsArchive returns the same, gzipped, as a file would be.
func StationsArchive() []byte { return []byte(stations) }

func unpack(name, archive string) ([]byte, error) {
	z, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("sampledata: %s: %w", name, err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("sampledata: %s: %w", name, err)
	}
	return text, nil
}

// Expected are the right answers about the observations. Lengths are in
// millimetres, temperatures in °C; means, variances and standard deviations are
// rounded to six decimals. Keys are a station with a year, a month or a day, or
// a sky condition code: see the methods.
type Expected struct {
	Annual  map[string]Precipitation `json:"annual_precip_mm"`
	Monthly map[string]float64       `json:"monthly_precip_mm"` // of one-hour amounts
	Days    map[string]Temperature   `json:"daily_temperature"`
	Months  map[string]Temperature   `json:"monthly_temperature"`
	// TopHours and TopDays are the ten wettest; of two that are equal the
	// earlier comes first.
	TopHours map[string][]Hour `json:"top10_hours"`
	TopDays  map[string][]Day  `json:"top10_days"`
	// Sky is how often each code was observed.
	Sky map[string]int `json:"sky"`
	// Network ranks the stations by the precipitation of a year.
	Network map[string][]Rank `json:"network_top"`
}

// Precipitation of a year.
type Precipitation struct {
	Observations int     `json:"observations"`
	OneHour      float64 `json:"one_hour"`
	SixHour      float64 `json:"six_hour"`
	TraceHours   int     `json:"trace_hours"`
}

// Temperature of a day or a month.
type Temperature struct {
	N        int     `json:"n"`
	High     float64 `json:"high"`
	Low      float64 `json:"low"`
	Mean     float64 `json:"mean"`
	Variance float64 `json:"variance"` // of the population
	Stdev    float64 `json:"stdev"`
}

// Hour is a wet hour.
type Hour struct {
	At          string  `json:"at"` // 2008-08-11T16:00Z
	Millimetres float64 `json:"mm"`
}

// Day is a wet day.
type Day struct {
	Day         string  `json:"day"` // 2008-09-06
	Millimetres float64 `json:"mm"`
}

// Rank is a station's place in the network.
type Rank struct {
	Station     string  `json:"station"`
	Millimetres float64 `json:"mm"`
}

// Answers returns the right answers.
func Answers() (*Expected, error) {
	var e Expected
	if err := json.Unmarshal([]byte(answers), &e); err != nil {
		return nil, fmt.Errorf("sampledata: answers: %w", err)
	}
	return &e, nil
}

// YearKey is the key of Annual, TopHours and TopDays.
func YearKey(station string, year int) string { return fmt.Sprintf("%s|%d", station, year) }

// MonthKey is the key of Monthly and Months.
func MonthKey(station string, year, month int) string {
	return fmt.Sprintf("%s|%d|%d", station, year, month)
}

// DayKey is the key of Days.
func DayKey(station string, year, month, day int) string {
	return fmt.Sprintf("%s|%d|%d|%d", station, year, month, day)
}

// SkyKey is the key of Sky.
func SkyKey(station string, year, code int) string {
	return fmt.Sprintf("%s|%d|%d", station, year, code)
}
