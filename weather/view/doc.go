// Package view renders the pages of stations into ordinary tables, those of the
// KillrWeather reference application, for cqlsh, Spark, Grafana and whatever else
// reads Cassandra:
//
//	weather_station              what is known of each station
//	raw_weather_data             an observation an hour
//	daily_aggregate_temperature  high, low, mean, variance and deviation of a day
//	daily_aggregate_precip       what fell on a day
//	year_cumulative_precip       what fell in a year
//	sky_condition_lookup         what the codes mean
//
// The rows are what the pages say: a correction, a retraction and a deletion change
// them. They are written when pages are stored, some time after an observation was
// acknowledged; how that is safe is said in package actors/entity. Nothing is ever
// read back from them.
//
// What a row says follows from one page alone, by pure functions. Numbers are in
// °C, hPa, m/s, degrees and mm. What was not measured is no value (null); an amount
// too small to measure is 0. What quality control has found to be erroneous is no
// value either, and counts nowhere: so what others compute from raw_weather_data is
// what the other tables say. Of several observations in an hour raw_weather_data has
// the first, which is the nearest to the full hour, and the aggregates have them all.
// A day or a year in which nothing was measured has no row.
//
//	tables, err := store.Views(ctx, "mesonet_views", view.Tables(cfg))
//	views, err := view.New(stations, tables, cfg)
//	node, err := mesonet.Start(ctx, mesonet.Config{Views: views, …}, stations)
package view
