package weather

import "encoding/binary"

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
		flags = append(flags, flagsOf(values))
		if flags[len(flags)-1] != 0 {
			present = len(flags)
		}
	}
	dst = appendFlags(dst, flags[:present])
	dst = appendTimes(dst, r.Times)
	for id, f := range flags[:present] {
		if f != 0 {
			dst = appendColumn(dst, f, r.Columns[id])
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
	rows := d.count(MaxRun)
	flags := d.flags()
	present := 0
	for _, f := range flags {
		if f != 0 {
			present++
		}
	}
	// Each value costs a bit; a first time more.
	if d.err == nil && rows*(present+1) > 8*(len(b)-d.at) {
		d.fail("%d rows of %d columns do not fit", rows, present)
	}
	if d.err != nil {
		return nil, d.err
	}
	r := &Run{Times: d.times(rows), Columns: make([][]Value, len(flags))}
	slab := make([]Value, rows*present)
	for id, f := range flags {
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

func (d *decoder) times(n int) []Minute {
	if n == 0 {
		return nil
	}
	times := make([]Minute, n)
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
	return times
}
