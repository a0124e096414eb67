package ingest

import "sync"

// tracker knows up to which line of each input everything has been dealt with:
// stored, known before, refused, or malformed. Runs of many stations are answered
// in any order, so it counts the readings that are not answered by blocks of
// lines; what comes before the first block with one is done. The producer tells
// it what is sent, the load what is answered. A nil tracker tracks nothing.
type tracker struct {
	mu     sync.Mutex
	inputs []tracked
}

// tracked is one input.
type tracked struct {
	least int64 // that an earlier load had dealt with
	next  mark  // once what was read up to here has been opened
	read  mark  // all readings up to here have been opened
	first int64
	open  []int32 // readings not answered of the blocks from first on
}

// mark is how far an input was read.
type mark struct {
	line  int64
	ended bool
}

// blockBits make blocks of 1,024 lines: what is read again after a kill is that
// much more than what was in flight.
const blockBits = 10

// newTracker returns nil if nothing is to be resumed.
func newTracker(inputs []*input) *tracker {
	t := &tracker{inputs: make([]tracked, len(inputs))}
	wanted := false
	for i, in := range inputs {
		wanted = wanted || in.identity != nil
		t.inputs[i].least = in.resume
		t.inputs[i].read = mark{in.resume, in.finished}
		t.inputs[i].next = t.inputs[i].read
	}
	if !wanted {
		return nil
	}
	return t
}

// reached says that all lines of an input up to that one have been read, and that
// their readings will be opened next.
func (t *tracker) reached(input int, line int64) { t.note(input, mark{line: line}) }

// ended says the same of all lines of an input.
func (t *tracker) ended(input int, lines int64) { t.note(input, mark{lines, true}) }

func (t *tracker) note(input int, m mark) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.inputs[input].next = m
	t.mu.Unlock()
}

// opened says that readings are about to be sent: in the order in which they were
// read, and all of those that were since the last time.
func (t *tracker) opened(places []place) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range places {
		t.inputs[p.source()].add(p.line())
	}
	for i := range t.inputs {
		t.inputs[i].read = t.inputs[i].next
	}
}

// add counts a reading.
func (in *tracked) add(line int64) {
	block := line >> blockBits
	if len(in.open) == 0 {
		in.first = block
	}
	for in.first+int64(len(in.open)) <= block {
		in.open = append(in.open, 0)
	}
	in.open[block-in.first]++
}

// acknowledged says that readings have been answered for good.
func (t *tracker) acknowledged(places []place) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range places {
		in := &t.inputs[p.source()]
		in.open[p.line()>>blockBits-in.first]--
		for len(in.open) > 0 && in.open[0] == 0 {
			in.open = in.open[1:]
			in.first++
		}
	}
}

// upTo returns how far an input has been dealt with.
func (t *tracker) upTo(input int) mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := &t.inputs[input]
	if len(in.open) == 0 {
		return in.read
	}
	return mark{line: max(in.least, in.first<<blockBits-1)}
}
