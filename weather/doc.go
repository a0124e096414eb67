// Package weather holds the pure values of the network: what is measured, when
// and where, and the pages in which a station remembers it.
//
// # What is here
//
// A [Value] is a measured quantity in fixed point, with two states of its own:
// [Missing] and [Trace]. One that quality control finds [Value.Erroneous] is
// marked, and left out of what is asked of many. A [Catalogue] of [Measure] says what the numbers mean;
// [Standard] is the one of a weather station. A [Minute] is the time of an
// observation, a [Station] the place. A [Run] carries observations of one
// station as columns, one a measure.
//
// Where stations are can be asked by a [Box], and what is near with [Nearest]: both
// by the keys of [Place], whose order an index keeps.
//
// A station remembers in pages. A [Month] holds every observation of one UTC
// month, a [Year] the sums and extremes of each day of one UTC year. Nothing in
// a page knows of temperature or rain: the catalogue is its form, so a network
// of river gauges declares its own measures and gets the same answers.
//
// [Judge] marks what is not usual of a measure, or by a [Profile] at a station;
// [Inspect] says what is suspect, when somebody looks. Questions of whole days are
// for a year, others for the months: [TotalOf], [SummaryOf], [BestTotal],
// [DirectionOf], [RoseOf]. A [MonthSet] knows which months there are.
//
// # How it is used
//
// A run that arrives is checked, judged, compared with the months that it touches, and
// put into the pages:
//
//	if err := run.Check(catalogue); err != nil { … } // refused
//	run = weather.Judge(catalogue, profile, run)
//	c := weather.Compare(run, func(id weather.YearMonth) *weather.Month { … })
//	fresh, corrected := c.FreshOf(run), run.Select(c.Corrected)
//	month.Put(fresh)
//	year.Add(fresh)
//	month.Put(corrected)
//	for … each day and measure that was corrected {
//		year.Restate(measure.ID, day, weather.DayOf(month, day, measure))
//	}
//
// A page takes of a run what falls into its own period and leaves the rest to
// the other pages, so one event may touch several.
//
// # What it promises
//
// Sums are integers: they are exact and do not depend on the order of arrival.
// The same observations make the same page, and the same page the same bytes.
// Decoders take hostile input: they answer with [ErrCorrupt], never panic, and
// allocate at most 48 times what they read, beyond a fixed part of some KiB. What
// they return shares no memory with what they read.
//
// Nothing here has a clock, a goroutine or any I/O. The values may be read from
// many goroutines at once; whoever changes one must have it alone.
package weather
