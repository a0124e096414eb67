// Package station is the weather station as an entity: it remembers every
// observation, knows what is new, a duplicate or a correction, and answers
// questions about its weather.
//
// # Pages
//
//	head           what the station is, how many observations it has, the latest
//	year/2008      sums and extremes by day: temperature and precipitation of
//	               any day, month or the year
//	month/2008-05  the observations themselves, as columns
//
// Where the stations are is an index beside them: [Station.In] and
// [Station.Nearest] find them by their place without waking any.
//
// The form of the pages is the catalogue that [New] is given, so the same code
// keeps a network of any other measures.
//
// # What it promises
//
// An observation takes effect at most once for ever: the same reading again
// changes nothing, whenever and from wherever it comes, and readings may come
// in any order. Another reading for the same time is a correction: it holds
// from then on, and the event keeps both. What [Station.Observe] takes in one
// command takes effect as a whole or not at all.
//
// Questions about a period without data are refused with the reason
// [NoData], never answered with a zero.
//
// # Use
//
//	stations := station.New(weather.Standard())
//	node, err := mesonet.Start(ctx, cfg, stations)
//	_, err = stations.Register.Ask(ctx, node, "725030:14732", &station.Register{Station: laGuardia})
//	_, err = stations.Observe.Ask(ctx, node, "725030:14732", &station.Observe{Run: run})
//	rain, err := stations.Precipitation.Ask(ctx, node, "725030:14732", &station.Precipitation{Period: …})
//
// A Station is immutable and may be used by many goroutines, one for each node
// or one for all.
package station
