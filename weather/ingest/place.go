package ingest

import "github.com/mesonet/mesonet/weather"

// place is where a reading was read: the number of its input in the upper 24
// bits, its line in the others. Each reading in flight has one, so it is small.
type place uint64

const lineBits = 40

func placeOf(input int, line int64) place { return place(input)<<lineBits | place(line) }

func (p place) source() int { return int(p >> lineBits) }
func (p place) line() int64 { return int64(p & (1<<lineBits - 1)) }

// located is a run and where each of its readings was read.
type located struct {
	StationRun
	places []place
}

// halves cuts a run of more than one reading.
func (l *located) halves() (first, second located) {
	n := len(l.places) / 2
	first = located{StationRun{l.Station, l.Run.Slice(0, n)}, l.places[:n:n]}
	second = located{StationRun{l.Station, l.Run.Slice(n, l.Run.Len())}, l.places[n:]}
	return first, second
}

// reading returns one of the readings.
func (l *located) reading(i int) *Reading {
	r := &Reading{Station: l.Station, Time: l.Run.Times[i], Values: make([]weather.Value, len(l.Run.Columns))}
	for m := range r.Values {
		r.Values[m] = l.Run.Value(i, weather.MeasureID(m))
	}
	return r
}
