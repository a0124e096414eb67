package weather

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// AppendRun appends the encoding of r to dst: about 7 bytes an observation for
// hourly weather in runs of 64, 24 for one alone. A run of more than MaxRun observations, or of
// columns that do not fit, can't be decoded: Check comes first.
//
//	run = version, rows uvarint, columns uvarint, flags of each column,
//	      first time varint, steps between times packed, columns that are present
func AppendRun(dst []byte, r *Run) []byte {
	dst = append(dst, formatVersion)
	dst = binary.AppendUvarint(dst, uint64(len(r.Times)))
	flags := make([]byte, 0, 32) // enough to stay off the heap, most often
	present := 0                 // columns up to the last that is
	for _, values := range r.Columns {
		flags = append(flags, flagsOf(values, Missing))
		if flags[len(flags)-1] != 0 {
			present = len(flags)
		}
	}
	dst = appendFlags(dst, flags[:present])
	dst = appendTimes(dst, r.Times)
	for id, f := range flags[:present] {
		if f != 0 {
			dst = appendColumn(dst, f, r.Columns[id], Missing)
		}
	}
	return dst
}

// appendTimes writes the first time and the steps to the others. Steps wrap
// around in 32 bits, as their sum does again.
func appendTimes(dst []byte, times []Minute) []byte {
	if len(times) == 0 {
		return dst
	}
	dst = binary.AppendVarint(dst, int64(times[0]))
	var steps [blockSize]int32
	for before, rest := times[0], times[1:]; len(rest) > 0; {
		n := min(len(rest), blockSize)
		for i, t := range rest[:n] {
			steps[i] = int32(t - before)
			before = t
		}
		dst = appendBlock(dst, steps[:n])
		rest = rest[n:]
	}
	return dst
}

// DecodeRun reads what AppendRun wrote; all of b. Columns that were Missing
// throughout are nil, and the run ends with the last that was not. It returns
// ErrCorrupt for anything else. The values are not checked against a catalogue.
func DecodeRun(b []byte) (*Run, error) {
	d := open("run", b)
	var flags [MaxMeasures + 1]byte
	rows, measures, present := d.runHead(&flags)
	if d.err != nil {
		return nil, d.err
	}
	r := &Run{Columns: make([][]Value, measures)}
	if rows > 0 {
		r.Times = make([]Minute, rows)
		d.times(r.Times)
	}
	slab := make([]Value, rows*present)
	for id, f := range flags[:measures] {
		if f != 0 {
			r.Columns[id], slab = slab[:rows:rows], slab[rows:]
			d.column(f, r.Columns[id])
		}
	}
	if err := d.close(); err != nil {
		return nil, err
	}
	return r, nil
}

// JoinRun reads what AppendRun wrote, as DecodeRun does, and appends it to r,
// which has room for more if it has been joined before: reading a thousand runs
// of one observation allocates little. After an error r must not be used.
func JoinRun(r *Run, b []byte) error {
	d := open("run", b)
	var flags [MaxMeasures + 1]byte
	rows, measures, _ := d.runHead(&flags)
	if d.err != nil {
		return d.err
	}
	before := len(r.Times)
	if before+rows > MaxRun {
		return fmt.Errorf("%w of a run: %d rows and %d are more than a run takes", ErrCorrupt, before, rows)
	}
	for len(r.Columns) < measures {
		r.Columns = append(r.Columns, nil)
	}
	if rows == 0 {
		return d.close()
	}
	r.Times = lengthened(r.Times, rows)
	d.times(r.Times[before:])
	if rows == 1 {
		d.row(r, flags[:measures], before)
		return d.close()
	}
	for id := range r.Columns {
		column, f := r.Columns[id], flags[min(id, measures)]
		switch {
		case f == 0 && column == nil:
			continue
		case column == nil:
			column = filled(before, max(64, before))
		}
		column = lengthened(column, rows)
		if f != 0 {
			d.column(f, column[before:])
		} else {
			for i := range column[before:] {
				column[before+i] = Missing
			}
		}
		r.Columns[id] = column
	}
	return d.close()
}

// row reads the values of a run of one row, of which none but those present are
// there, and appends them.
func (d *decoder) row(r *Run, flags []byte, before int) {
	for id := range r.Columns {
		v := Missing
		if id < len(flags) && flags[id] != 0 {
			var one [1]Value
			d.column(flags[id], one[:])
			v = one[0]
		}
		if r.Columns[id] == nil {
			if v == Missing {
				continue
			}
			r.Columns[id] = filled(before, max(64, before))
		}
		r.Columns[id] = append(r.Columns[id], v) // in place: no pointer is written, most often
	}
}

// lengthened returns s with n more elements, of any value.
func lengthened[T any](s []T, n int) []T {
	if cap(s)-len(s) < n {
		s = slices.Grow(s, max(n, 64))
	}
	return s[:len(s)+n]
}

// runHead reads the number of rows and the flags of the columns: how many there
// are, and how many of them are present. The flag behind the last is 0.
func (d *decoder) runHead(flags *[MaxMeasures + 1]byte) (rows, measures, present int) {
	rows = d.count(MaxRun)
	measures = d.flags(flags)
	for _, f := range flags[:measures] {
		if f != 0 {
			present++
		}
	}
	// Each value costs a bit; a first time more.
	if d.err == nil && rows*(present+1) > 8*(len(d.b)-d.at) {
		d.fail("%d rows of %d columns do not fit", rows, present)
	}
	return rows, measures, present
}

// times reads times, all of a slice that is not empty.
func (d *decoder) times(times []Minute) {
	n := len(times)
	times[0] = Minute(d.int32())
	var steps [blockSize]int32
	for at := 1; at < n && d.err == nil; {
		part := steps[:min(n-at, blockSize)]
		unpack(d, part)
		for i, step := range part {
			times[at+i] = times[at+i-1] + Minute(step)
		}
		at += len(part)
	}
}
