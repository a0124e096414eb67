package ingest

import (
	"iter"
	"slices"

	"github.com/mesonet/mesonet/weather"
)

// window gathers readings and hands them out as runs of one station. Readings
// lie row by row in a few large slices until the window is full; then a counting
// sort brings those of a station together, in the order in which they came, and
// runs are made at their exact size. Stations take turns, so that a sink that
// works on many at once gets many.
type window struct {
	stations map[string]int32
	names    []string
	last     int32   // station of the last reading, the usual one of the next
	station  []int32 // of each reading
	times    []weather.Minute
	values   []weather.Value // measures of each reading
	places   []place         // of each reading
	measures int
	room     int
}

func newWindow(room int) *window {
	return &window{stations: map[string]int32{}, last: -1, room: room}
}

func (w *window) len() int   { return len(w.times) }
func (w *window) full() bool { return len(w.times) >= w.room }

// fits reports whether a reading has as many values as those before.
func (w *window) fits(r *Reading) bool {
	return w.measures == len(r.Values) || w.measures == 0
}

// add keeps a copy of a reading. All readings of a window have the same number
// of measures.
func (w *window) add(r *Reading, at place) {
	if w.last < 0 || w.names[w.last] != r.Station {
		w.last = w.index(r.Station)
	}
	if w.measures = len(r.Values); len(w.times) == 0 {
		w.reserve()
	}
	w.station = append(w.station, w.last)
	w.times = append(w.times, r.Time)
	w.values = append(w.values, r.Values...)
	w.places = append(w.places, at)
}

// reserve makes room for a whole window at once, rather than in steps each of
// which leaves the one before to the garbage collector.
func (w *window) reserve() {
	w.station = slices.Grow(w.station, w.room)
	w.times = slices.Grow(w.times, w.room)
	w.values = slices.Grow(w.values, w.room*w.measures)
	w.places = slices.Grow(w.places, w.room)
}

func (w *window) index(station string) int32 {
	i, ok := w.stations[station]
	if !ok {
		i = int32(len(w.names))
		w.stations[station] = i
		w.names = append(w.names, station)
	}
	return i
}

// runs takes all readings out, as runs of at most length each. It must be
// consumed to its end or the window dropped.
func (w *window) runs(length int) iter.Seq[located] {
	return func(yield func(located) bool) {
		rows, starts := w.grouped()
		for round := 0; ; round++ {
			left := false
			for i, name := range w.names {
				mine := rows[starts[i]:starts[i+1]]
				part := chunk(mine, round, length)
				if len(part) == 0 {
					continue
				}
				left = true
				run := located{StationRun{Station: name, Run: w.run(part)}, make([]place, len(part))}
				for k, row := range part {
					run.places[k] = w.places[row]
				}
				if !yield(run) {
					return
				}
			}
			if !left {
				break
			}
		}
		w.reset()
	}
}

// grouped returns the readings by station; those of station i are
// rows[starts[i]:starts[i+1]].
func (w *window) grouped() (rows, starts []int32) {
	starts = make([]int32, len(w.names)+1)
	for _, i := range w.station {
		starts[i+1]++
	}
	for i := range w.names {
		starts[i+1] += starts[i]
	}
	next := append([]int32(nil), starts...)
	rows = make([]int32, len(w.station))
	for row, i := range w.station {
		rows[next[i]] = int32(row)
		next[i]++
	}
	return rows, starts
}

// chunk returns one of the parts into which rows are cut: as few as can be, of
// at most length each, and all about as long, so that none is a tiny rest.
func chunk(rows []int32, part, length int) []int32 {
	parts := (len(rows) + length - 1) / length
	if part >= parts {
		return nil
	}
	return rows[len(rows)*part/parts : len(rows)*(part+1)/parts]
}

// run copies readings into columns. Measures that are missing in all of them
// have none.
func (w *window) run(rows []int32) *weather.Run {
	r := &weather.Run{Times: make([]weather.Minute, len(rows)), Columns: make([][]weather.Value, w.measures)}
	present := make([]bool, w.measures)
	count := 0
	for k, row := range rows {
		r.Times[k] = w.times[row]
		for m, v := range w.values[int(row)*w.measures : (int(row)+1)*w.measures] {
			if v != weather.Missing && !present[m] {
				present[m] = true
				count++
			}
		}
	}
	slab := make([]weather.Value, count*len(rows))
	for m, has := range present {
		if !has {
			continue
		}
		column := slab[:len(rows):len(rows)]
		slab = slab[len(rows):]
		for k, row := range rows {
			column[k] = w.values[int(row)*w.measures+m]
		}
		r.Columns[m] = column
	}
	return r
}

// reset forgets the readings, and the stations once they are very many.
func (w *window) reset() {
	w.station, w.times, w.values, w.places = w.station[:0], w.times[:0], w.values[:0], w.places[:0]
	if len(w.names) > maxInterned {
		w.stations, w.names, w.last = map[string]int32{}, nil, -1
	}
}
