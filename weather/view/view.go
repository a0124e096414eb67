package view

import (
	"strconv"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// New returns the views of c over stations, one for each table, for a host to
// render into tables. A measure that the stations' catalogue does not have is a
// column without values.
func New(s *station.Station, tables persistence.Tables, c Config) ([]*entity.TableView, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var views []*entity.TableView
	for _, t := range Tables(c) {
		if r := rendering(s, t); r != nil {
			views = append(views, &entity.TableView{
				Name: c.Keyspace + "." + t.Name, Version: t.Version, Tables: tables, Renderings: []*entity.Rendering{r},
			})
		}
	}
	return views, nil
}

// rendering returns how a table is rendered, nil for one that never changes.
func rendering(s *station.Station, t *persistence.Table) *entity.Rendering {
	m := measuresOf(s.Catalogue())
	switch t.Name {
	case Stations:
		return entity.Render(s.Heads(), t, noScope, stationRow)
	case Observations:
		return entity.Render(s.Months(), t, scopeOfMonth, m.observationRows)
	case DailyTemperature:
		return entity.Render(s.Years(), t, scopeOfYear, m.temperatureRows)
	case DailyPrecip:
		return entity.Render(s.Years(), t, scopeOfYear, m.precipitationRows)
	case YearlyPrecip:
		return entity.Render(s.Years(), t, scopeOfYear, m.yearRow)
	}
	return nil
}

// Scopes are what a page's rows have in common in their key, beside the station. The
// names are those of pages, which are a year or a month for sure.

func noScope(dst []persistence.Datum, _ string) []persistence.Datum { return dst }

func scopeOfYear(dst []persistence.Datum, name string) []persistence.Datum {
	year, _ := strconv.ParseInt(name, 10, 32)
	return append(dst, persistence.Int(int32(year)))
}

func scopeOfMonth(dst []persistence.Datum, name string) []persistence.Datum {
	month, _ := weather.ParseYearMonth(name)
	return append(dst, persistence.Int(int32(month.Year)), persistence.Int(int32(month.Month)))
}

// stationRow appends the row of a station, if it is registered.
func stationRow(dst, scope []persistence.Datum, h *station.Head) []persistence.Datum {
	if !h.Registered {
		return dst
	}
	s := &h.Station
	return append(dst, scope[0], name(s.Name), name(s.Country), name(s.State), name(s.CallSign),
		number(s.Latitude, weather.CoordinateDecimals), number(s.Longitude, weather.CoordinateDecimals), number(s.Elevation, weather.ElevationDecimals))
}

// name returns a text; no value when it is empty.
func name(s string) persistence.Datum {
	if s == "" {
		return persistence.Datum{}
	}
	return persistence.Text(s)
}

// number returns a value that holds: a trace is 0, and what is missing or erroneous
// is no value.
func number(v weather.Value, decimals int) persistence.Datum {
	if !v.Plain() && v != weather.Trace {
		return persistence.Datum{}
	}
	return persistence.Double(v.Float(decimals))
}

// measures are those of a catalogue that have columns; -1 for one that it does not
// have.
type measures struct {
	catalogue                                   weather.Catalogue
	temperature, dewPoint, pressure, direction  weather.MeasureID
	speed, sky, precipitation1h, precipitation6 weather.MeasureID
}

func measuresOf(c weather.Catalogue) *measures {
	find := func(name string) weather.MeasureID {
		if id, ok := c.Lookup(name); ok {
			return id
		}
		return -1
	}
	return &measures{
		catalogue:   c,
		temperature: find("temperature"), dewPoint: find("dew_point"), pressure: find("sea_level_pressure"),
		direction: find("wind_direction"), speed: find("wind_speed"), sky: find("sky_condition"),
		precipitation1h: find("precipitation_1h"), precipitation6: find("precipitation_6h"),
	}
}

// observationRows appends the first observation of each hour of a month.
func (m *measures) observationRows(dst, scope []persistence.Datum, month *weather.Month) []persistence.Datum {
	last := -1
	for row := range month.Len() {
		t := month.Time(row)
		_, _, day := t.Date()
		hour, _ := t.Clock()
		if at := day*24 + hour; at != last {
			last = at
			dst = append(append(dst, scope...), persistence.Int(int32(day)), persistence.Int(int32(hour)))
			dst = m.observation(dst, month, row)
		}
	}
	return dst
}

func (m *measures) observation(dst []persistence.Datum, month *weather.Month, row int) []persistence.Datum {
	sky, skyText := month.Value(row, m.sky), persistence.Datum{}
	if text, ok := weather.SkyText(sky); ok {
		skyText = persistence.Text(text)
	}
	return append(dst,
		m.number(month, row, m.temperature), m.number(month, row, m.dewPoint), m.number(month, row, m.pressure),
		whole(month.Value(row, m.direction)), m.number(month, row, m.speed),
		whole(sky), skyText,
		m.number(month, row, m.precipitation1h), m.number(month, row, m.precipitation6))
}

func (m *measures) number(month *weather.Month, row int, id weather.MeasureID) persistence.Datum {
	if id < 0 {
		return persistence.Datum{}
	}
	return number(month.Value(row, id), m.catalogue[id].Decimals)
}

// whole returns a value without decimals that holds.
func whole(v weather.Value) persistence.Datum {
	if !v.Plain() {
		return persistence.Datum{}
	}
	return persistence.Int(int32(v))
}

// days calls visit for the days of a year.
func days(year int, visit func(day weather.Day, month, ofMonth int)) {
	for month := 1; month <= 12; month++ {
		first := weather.YearMonth{Year: year, Month: month}.First()
		for n := range weather.DaysInMonth(year, month) {
			visit(first+weather.Day(n), month, n+1)
		}
	}
}

// temperatureRows appends a row for each day of a year with a temperature.
func (m *measures) temperatureRows(dst, scope []persistence.Datum, y *weather.Year) []persistence.Datum {
	days(y.Year(), func(day weather.Day, month, ofMonth int) {
		s, ok := y.DaySummary(m.temperature, day)
		if !ok {
			return
		}
		decimals := m.catalogue[m.temperature].Decimals
		dst = append(append(dst, scope...), persistence.Int(int32(month)), persistence.Int(int32(ofMonth)),
			number(s.High, decimals), number(s.Low, decimals),
			persistence.Double(s.Mean), persistence.Double(s.Variance), persistence.Double(s.Stdev))
	})
	return dst
}

// precipitationRows appends a row for each day of a year with an amount.
func (m *measures) precipitationRows(dst, scope []persistence.Datum, y *weather.Year) []persistence.Datum {
	days(y.Year(), func(day weather.Day, month, ofMonth int) {
		if t, ok := y.DayTotal(m.precipitation1h, day); ok {
			dst = append(append(dst, scope...), persistence.Int(int32(month)), persistence.Int(int32(ofMonth)), m.sum(t))
		}
	})
	return dst
}

// yearRow appends the row of a year with an amount.
func (m *measures) yearRow(dst, scope []persistence.Datum, y *weather.Year) []persistence.Datum {
	if t, ok := y.YearTotal(m.precipitation1h); ok {
		dst = append(append(dst, scope...), m.sum(t))
	}
	return dst
}

// sum returns a sum of amounts in their unit: the float64 nearest to it.
func (m *measures) sum(t weather.Total) persistence.Datum {
	one := 1.0
	for range m.catalogue[m.precipitation1h].Decimals {
		one *= 10
	}
	return persistence.Double(float64(t.Sum) / one)
}
