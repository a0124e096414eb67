package ingest

import (
	"context"
	"errors"

	"github.com/mesonet/mesonet/weather"
)

// ErrRetry marks an error of a sink that another attempt may not meet: it is
// overloaded, not available for now, or does not know whether what it was sent
// has taken effect. A sink wraps it with what happened.
var ErrRetry = errors.New("ingest: try again")

// ErrReading marks an error of a sink that is about single readings of a run, and
// so may not meet the others: the load then sends the halves of the run, and
// theirs, until only those are refused that have to be. A sink wraps it with what
// happened. Reasons that hold for all readings of a station, such as that it is
// not known, do not have it.
var ErrReading = errors.New("ingest: a reading was refused")

// StationRun is readings of one station.
type StationRun struct {
	Station string
	// Run is shared: it may be sent again, so nobody changes it.
	Run *weather.Run
}

// Outcome is what became of one StationRun. Either all of its observations took
// effect, and the counts add up to their number, or Err says why none did.
type Outcome struct {
	// Stored is the number of observations that were new.
	Stored int
	// Duplicates were known already and changed nothing.
	Duplicates int
	// Corrected replaced another value for the same station and time.
	Corrected int
	// Err is not nil when the run was refused: for good, or, if it wraps
	// ErrRetry, for now.
	Err error
}

// Sink stores readings.
type Sink interface {
	// Send hands over a batch of runs and returns, often before they are
	// stored. Batches that are sent one after the other take effect in that
	// order, station by station. Send may wait while the sink is busy, and
	// returns an error when ctx is done.
	//
	// Unless Send returns an error the sink calls done once, from any
	// goroutine, also before Send returns, with the outcome of each run in
	// the order of the batch; done does not block. Until then the sink may
	// read the batch; it must not change it.
	//
	// An error that wraps ErrRetry is the outcome of the whole batch; any
	// other ends the load.
	Send(ctx context.Context, batch []StationRun, done func([]Outcome)) error
}
