// Package ingest reads observations and stations from files and hands them to
// whatever stores them.
//
// # Reading
//
// A [Source] is a stream of lines, such as a [File] on disk, plain or gzipped.
// [Open] reads the whole of a compressed file once and refuses it if it is
// damaged, so that a bad file changes nothing. A [Format] turns one line into a
// [Reading]; [KillrWeather] is one. A [Reader] puts both together. A line that
// can't be read is a [*LineError] with file, line and reason; the next call goes
// on with the next line. [Stations] reads the catalogue of stations.
//
// # Loading
//
// [Load] reads sources, gathers readings into runs of one station and sends them
// in batches to a [Sink], which answers later, from any goroutine:
//
//	file, err := ingest.Open(ctx, "2008.csv.gz", ingest.DefaultLimits())
//	…
//	summary, err := ingest.Load(ctx, []ingest.Source{file}, sink, ingest.DefaultConfig())
//
// What is promised:
//   - The readings of one station take effect in the order in which they were
//     read, also when some have to be sent again.
//   - Memory is bounded: by Config.Buffer readings that wait to be grouped, and
//     by Config.InFlight that are sent and not answered. When both are full
//     reading stops until the sink has answered.
//   - Nothing is dropped silently: each reading is counted as stored, duplicate,
//     corrected or refused, and each line that is none as malformed.
//   - A run that the sink could not take for now (ErrRetry) is sent again, with
//     pauses that grow. As a reading is known by its station and time, sending
//     one twice does no harm; neither does loading a file again.
//
// # Concurrency
//
// Load uses two goroutines of its own and waits for both. Readers and Formats
// belong to one goroutine; a File may be opened many times at once.
package ingest
