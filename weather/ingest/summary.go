package ingest

import (
	"cmp"
	"slices"
	"time"
)

// Progress is how far a load is.
type Progress struct {
	// File is the source that is being read, or was last.
	File string
	// FilesDone of Files have been read to their end.
	FilesDone, Files int
	// BytesRead of BytesTotal, uncompressed; the total is -1 when a source
	// does not know its size.
	BytesRead, BytesTotal int64
	// Readings were read, of which so many are Acknowledged by the sink:
	// stored, known before, or refused.
	Readings, Acknowledged int64
	// Malformed lines were not readings.
	Malformed int64
	// Elapsed since the load began.
	Elapsed time.Duration
	// Rate is in acknowledged readings a second, since the load began.
	Rate float64
	// Left is an estimate of the time until the end; -1 when it is not known.
	Left time.Duration
}

// left estimates the time until the end: as much again for each part as the
// parts before took. What is read and not acknowledged is not done.
func (p *Progress) left() time.Duration {
	if p.Acknowledged == 0 || p.BytesRead <= 0 || p.BytesTotal <= 0 {
		return -1
	}
	done := float64(p.Acknowledged) / float64(p.Readings) * float64(p.BytesRead) / float64(p.BytesTotal)
	return time.Duration(float64(p.Elapsed) * max(0, 1-done) / done)
}

// Summary is what a load has done.
type Summary struct {
	// Files is the number of sources read to their end.
	Files int
	// Lines read, blank ones included, and Bytes of them, uncompressed.
	Lines, Bytes int64
	// Resumed is the number of Lines that an earlier load had dealt with, and
	// Finished that of the Files of which it had all.
	Resumed  int64
	Finished int
	// Readings that the lines held. When Load returns no error each of them is
	// Stored, one of Duplicates, Corrected or Refused.
	Readings int64
	// Stored is the number of observations that were new.
	Stored int64
	// Duplicates were known already and changed nothing.
	Duplicates int64
	// Corrected replaced another value for the same station and time.
	Corrected int64
	// Refused is the number of observations that the sink did not take.
	Refused int64
	// Refusals say which and why, by station and reason; those beyond
	// Config.MaxErrors are together in the last, without a station.
	Refusals []Refusal
	// Malformed is the number of lines that were not readings.
	Malformed int64
	// LineErrors are the first of them, up to Config.MaxErrors.
	LineErrors []*LineError
	// Elapsed is how long the load took.
	Elapsed time.Duration
	// Rate is in acknowledged readings a second.
	Rate float64
}

// Acknowledged returns the number of readings that the sink has answered.
func (s *Summary) Acknowledged() int64 {
	return s.Stored + s.Duplicates + s.Corrected + s.Refused
}

// Refusal is a station's observations that the sink did not take.
type Refusal struct {
	Station, Reason string
	// Readings is how many.
	Readings int64
}

// refusals counts what was refused, by station and reason.
type refusals struct {
	counts map[Refusal]int64 // Readings is 0 in the keys
	most   int
	others int64
}

func (r *refusals) add(station, reason string, readings int64) {
	key := Refusal{Station: station, Reason: reason}
	if _, known := r.counts[key]; !known && len(r.counts) >= r.most {
		r.others += readings
		return
	}
	r.counts[key] += readings
}

// list returns the refusals by station and reason.
func (r *refusals) list() []Refusal {
	var list []Refusal
	for key, n := range r.counts {
		key.Readings = n
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(a.Station, b.Station), cmp.Compare(a.Reason, b.Reason))
	})
	if r.others > 0 {
		list = append(list, Refusal{Reason: "more stations and reasons than are told apart", Readings: r.others})
	}
	return list
}
