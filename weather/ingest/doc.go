// Package ingest reads observations and stations from files and hands them to
// whatever stores them.
//
// # Reading
//
// A [Source] is a stream of text, or of a Parquet file. [Open] returns those
// under a path: a file, plain or compressed by gzip or zstd, the members of a zip
// archive, or all that is in a folder. It reads the whole of what is compressed
// once and refuses what is damaged, expands beyond [Limits] or has a hostile
// name, so that a bad file changes nothing.
//
// A [Format] makes a [Decoder] of a stream, which reads one [Reading] after the
// other. [KillrWeatherFormat] and [ISDLiteFormat] are made for the measures of
// weather.Standard; CSV, NDJSON and Parquet are read by a [Mapping], which says
// what columns hold and in which units, for the measures of any catalogue.
// [Formats] holds those of a network and finds that of a source by its first
// bytes. Numbers are converted exactly, and rounded only where the mapping allows
// it.
//
// A line that can't be read is a [*LineError] with file, line and reason; the
// next call goes on with the next line. Values that a measure can't have are
// refused line by line. [Stations] reads the catalogue of stations.
//
// # Loading
//
// [Load] reads sources, gathers readings into runs of one station and sends them
// in batches to a [Sink], which answers later, from any goroutine:
//
//	found, err := ingest.Open(ctx, "2008.zip", ingest.DefaultLimits())
//	…
//	formats, err := ingest.NewFormats(weather.Standard(), mappings...)
//	…
//	cfg := ingest.DefaultConfig()
//	cfg.Format = formats.Recognise
//	summary, err := ingest.Load(ctx, found.Sources, sink, cfg)
//
// What is promised:
//   - The readings of one station take effect in the order in which they were
//     read, also when some have to be sent again.
//   - Memory is bounded: by Config.Buffer readings that wait to be grouped, and
//     by Config.InFlight that are sent and not answered. When both are full
//     reading stops until the sink has answered.
//   - Nothing is dropped silently: each reading is counted as stored, duplicate,
//     corrected or refused, and each line that is none as malformed. Both are
//     given to Config.Quarantine, with source, line and reason. A run that is
//     refused for one of its readings (ErrReading) loses that one alone.
//   - A run that the sink could not take for now (ErrRetry) is sent again, with
//     pauses that grow. As a reading is known by its station and time, sending
//     one twice does no harm; neither does loading a file again.
//   - A load with a [Resume] that was killed goes on behind what was
//     acknowledged, and reads again little more than what was in flight.
//
// # Concurrency
//
// Load uses two goroutines of its own and waits for both. Decoders belong to one
// goroutine; formats are shared, and a source of Open may be opened many times at
// once.
package ingest
