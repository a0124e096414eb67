package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/weather"
)

// The names of the tables.
const (
	Stations         = "weather_station"
	Observations     = "raw_weather_data"
	DailyTemperature = "daily_aggregate_temperature"
	DailyPrecip      = "daily_aggregate_precip"
	YearlyPrecip     = "year_cumulative_precip"
	SkyConditions    = "sky_condition_lookup"
)

// All returns the names of all tables.
func All() []string {
	return []string{Stations, Observations, DailyTemperature, DailyPrecip, YearlyPrecip, SkyConditions}
}

// Parse reads a list of tables, as people write it: "all", "none", or names with
// commas between them.
func Parse(text string) ([]string, error) {
	switch text {
	case "all":
		return All(), nil
	case "none", "":
		return nil, nil
	}
	names := strings.Split(text, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names, validTables(names)
}

// Format writes a list as Parse reads it.
func Format(tables []string) string {
	switch {
	case len(tables) == 0:
		return "none"
	case slices.Equal(tables, All()):
		return "all"
	}
	return strings.Join(tables, ",")
}

// Config says what is rendered, and where.
type Config struct {
	// Keyspace is the one that the tables are in. A view is named after it, so
	// that what is rendered into another is complete by itself.
	Keyspace string
	// Tables are the names of those that are rendered. What is left out stays
	// as it is; when it is rendered again, all of it is.
	Tables []string
}

// Beside returns the configuration of some tables beside a store in a keyspace. When
// none is named for them, they are in one that is called after the store's: readers
// need no right to that.
func Beside(store, keyspace string, tables []string) Config {
	if keyspace == "" {
		keyspace = store + "_views"
	}
	return Config{Keyspace: keyspace, Tables: tables}
}

// DefaultConfig returns the configuration of all tables in a keyspace.
func DefaultConfig(keyspace string) Config { return Config{Keyspace: keyspace, Tables: All()} }

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	if c.Keyspace == "" {
		return fmt.Errorf("view: the tables need a keyspace to be in")
	}
	return validTables(c.Tables)
}

func validTables(tables []string) error {
	for i, name := range tables {
		if !slices.Contains(All(), name) {
			return fmt.Errorf("view: there is no table %q: choose from %s", name, strings.Join(All(), ", "))
		}
		if slices.Contains(tables[:i], name) {
			return fmt.Errorf("view: table %s is named twice", name)
		}
	}
	return nil
}

// Tables returns the definitions of the tables of c, which has to be valid.
func Tables(c Config) []*persistence.Table {
	var some []*persistence.Table
	for _, t := range definitions() {
		if slices.Contains(c.Tables, t.Name) {
			some = append(some, t)
		}
	}
	return some
}

// definitions are the tables as KillrWeather has them, but for sums of
// precipitation, which are counters there: a counter takes no timestamp and no
// decimals, and can't be corrected.
func definitions() []*persistence.Table {
	wsid := persistence.Column{Name: "wsid", Type: persistence.TextColumn, Key: persistence.Ascending}
	year, month, day, hour := newest("year"), newest("month"), newest("day"), newest("hour")
	return []*persistence.Table{
		{
			Name: Stations, Version: 1, Comment: "stations; rendered, do not write",
			Columns: []persistence.Column{
				{Name: "id", Type: persistence.TextColumn, Key: persistence.Ascending},
				text("name"), text("country_code"), text("state_code"), text("call_sign"),
				double("lat"), double("long"), double("elevation"),
			},
		},
		{
			Name: Observations, Version: 1, Comment: "the first observation of each hour (UTC); rendered, do not write",
			Columns: []persistence.Column{
				wsid, year, month, day, hour,
				double("temperature"), double("dewpoint"), double("pressure"), integer("wind_direction"), double("wind_speed"),
				integer("sky_condition"), text("sky_condition_text"), double("one_hour_precip"), double("six_hour_precip"),
			},
		},
		{
			Name: DailyTemperature, Version: 1, Comment: "temperature of each day (UTC), °C; rendered, do not write",
			Columns: []persistence.Column{
				wsid, year, month, day, double("high"), double("low"), double("mean"), double("variance"), double("stdev"),
			},
		},
		{
			Name: DailyPrecip, Version: 1, Comment: "sum of the one-hour amounts of each day (UTC), mm; rendered, do not write",
			Columns: []persistence.Column{wsid, year, month, day, double("precipitation")},
		},
		{
			Name: YearlyPrecip, Version: 1, Comment: "sum of the one-hour amounts of each year (UTC), mm; rendered, do not write",
			Columns: []persistence.Column{wsid, year, double("precipitation")},
		},
		{
			Name: SkyConditions, Version: 1, Comment: "what the codes of sky conditions mean",
			Columns: []persistence.Column{
				{Name: "code", Type: persistence.IntColumn, Key: persistence.Ascending}, text("condition"),
			},
			Rows: skyConditions(),
		},
	}
}

func newest(name string) persistence.Column {
	return persistence.Column{Name: name, Type: persistence.IntColumn, Key: persistence.Descending}
}

func text(name string) persistence.Column {
	return persistence.Column{Name: name, Type: persistence.TextColumn}
}

func integer(name string) persistence.Column {
	return persistence.Column{Name: name, Type: persistence.IntColumn}
}

func double(name string) persistence.Column {
	return persistence.Column{Name: name, Type: persistence.DoubleColumn}
}

func skyConditions() (rows []persistence.Datum) {
	for code := range weather.Value(weather.SkyConditions) {
		text, _ := weather.SkyText(code)
		rows = append(rows, persistence.Int(int32(code)), persistence.Text(text))
	}
	return rows
}
