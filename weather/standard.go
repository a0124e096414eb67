package weather

// The measures of the Standard catalogue.
const (
	Temperature MeasureID = iota
	DewPoint
	SeaLevelPressure
	WindDirection
	WindSpeed
	WindGust
	SkyCondition
	Precipitation1h
	Precipitation6h
)

const (
	// Calm is the wind direction when there is no wind to have one: it was
	// observed, so it is not Missing, and the wind speed with it is 0.
	Calm Value = 0
	// North is the wind direction of wind from the north: directions count
	// from 1 to 360 degrees clockwise, as in WMO code table 0877.
	North Value = 360
)

// Standard returns the catalogue of a weather station, a copy of its own.
//
// The limits are those of the format of NOAA's Integrated Surface Dataset
// (Federal Climate Complex Data Documentation for ISD), which leave room beyond
// the records in WMO's World Weather and Climate Extremes Archive, widened where
// the archive knows more:
//
//	temperature    ISD −93.2 to 61.8 °C; records −89.2 (Vostok 1983), 56.7 (Death Valley 1913)
//	dew point      ISD −98.2 to 36.8 °C
//	pressure       ISD 860 to 1090 hPa; records 870 (Typhoon Tip 1979), 1084.8 (Tosontsengel 2001)
//	wind speed     ISD 0 to 90 m/s
//	gust           ISD 5 to 110 m/s; record 113.2 (Barrow Island 1996), so 0 to 130
//	sky condition  ISD-Lite codes 0 to 19, see SkyText
//	precipitation  ISD 0 to 999.8 mm; records 305 mm in an hour (Holt 1947; 401 mm
//	               claimed for Shangdi 1975) and 1,144 mm in twelve hours (Foc-Foc
//	               1966), so 500 mm in one hour and 1,200 mm in six
//
// Usual is what is climatologically likely anywhere; a Profile says it of one
// station. It starts from the validity checks of NOAA's MADIS (Meteorological
// Assimilation Data Ingest System, surface quality control, level 1), which are
// made for North America: they are widened to the records of the archive where
// these are beyond, and narrowed to them, or to WMO's guidelines for automatic
// stations (WMO-No. 488, quality control), where they go beyond the limits:
//
//	temperature    MADIS −51.1 to 54.4 °C; the records
//	dew point      MADIS −67.8 to 32.2 °C; low as the limit, high 35 as WMO-No. 488
//	               has it (Dhahran 2003)
//	pressure       MADIS 846 to 1100 hPa; the records
//	wind speed     MADIS 0 to 128.6 m/s; 75 as WMO-No. 488 has it
//	gust           MADIS 0 to 128.3 m/s; the record
//	precipitation  MADIS 0 to 1117.6 mm; in one hour the record of Holt, in six
//	               that of twelve
//
// Step is of the temporal consistency checks of MADIS (level 2): 35 °F (19.4 °C),
// 15 hPa and 20 kt (10.3 m/s) an hour.
//
// Stuck is of the check of repeated streaks in HadISD (Dunn et al., "HadISD: a
// quality-controlled global synoptic report database", Climate of the Past 8,
// 2012, table 4), for stations that round to whole units, which is the most
// lenient: most do not say how they round. For directions, to 10°, it is that of
// HadISD 2.0.1.
func Standard() Catalogue {
	c := Catalogue{
		Temperature: {
			Name: "temperature", Unit: "°C", Decimals: 1, Aggregate: AggregateMean,
			Low: -932, High: 618, Usual: Range{-892, 567}, Step: 194, Stuck: 40,
		},
		DewPoint: {
			Name: "dew_point", Unit: "°C", Decimals: 1, Aggregate: AggregateMean,
			Low: -982, High: 368, Usual: Range{-982, 350}, Step: 194, Stuck: 80,
		},
		SeaLevelPressure: {
			Name: "sea_level_pressure", Unit: "hPa", Decimals: 1, Aggregate: AggregateMean,
			Low: 8600, High: 10900, Usual: Range{8700, 10848}, Step: 150, Stuck: 120,
		},
		WindDirection: {
			Name: "wind_direction", Unit: "°", Aggregate: AggregateCircular,
			Low: Calm, High: North, Stuck: 48,
		},
		WindSpeed: {
			Name: "wind_speed", Unit: "m/s", Decimals: 1, Aggregate: AggregateMean,
			Low: 0, High: 900, Usual: Range{0, 750}, Step: 103, Stuck: 40,
		},
		WindGust: {
			Name: "wind_gust", Unit: "m/s", Decimals: 1, Aggregate: AggregateMaximum,
			Low: 0, High: 1300, Usual: Range{0, 1132},
		},
		SkyCondition: {
			Name: "sky_condition", Aggregate: AggregateCode,
			Low: 0, High: SkyConditions - 1,
		},
		Precipitation1h: {
			Name: "precipitation_1h", Unit: "mm", Decimals: 1, Aggregate: AggregateSum, Trace: true,
			Low: 0, High: 5000, Usual: Range{0, 3050},
		},
		Precipitation6h: {
			Name: "precipitation_6h", Unit: "mm", Decimals: 1, Aggregate: AggregateSum, Trace: true,
			Low: 0, High: 12000, Usual: Range{0, 11440},
		},
	}
	for i := range c {
		c[i].ID = MeasureID(i)
	}
	return c
}

// SkyConditions is the number of sky condition codes.
const SkyConditions = 20

var skyTexts = [SkyConditions]string{
	"clear (SKC, CLR)",
	"one okta: 1/10 or less, but not zero",
	"two oktas: 2/10 to 3/10, or few",
	"three oktas: 4/10",
	"four oktas: 5/10, or scattered",
	"five oktas: 6/10",
	"six oktas: 7/10 to 8/10",
	"seven oktas: 9/10 or more, but not 10/10, or broken",
	"eight oktas: 10/10, or overcast",
	"sky obscured, or amount cannot be estimated",
	"partial obscuration",
	"thin scattered",
	"scattered",
	"dark scattered",
	"thin broken",
	"broken",
	"dark broken",
	"thin overcast",
	"overcast",
	"dark overcast",
}

// SkyText returns what a sky condition code means, as NOAA's ISD-Lite format
// document has it; false when there is no such code.
func SkyText(code Value) (string, bool) {
	if code < 0 || code >= SkyConditions {
		return "", false
	}
	return skyTexts[code], true
}
