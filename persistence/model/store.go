package model

import (
	"maps"
	"slices"
)

// cell is a page as it is stored. Without ids it is a tombstone.
type cell struct {
	position position
	ids      ids
}

// layer is what the store holds, as far as one kind of crash leaves it.
type layer struct {
	frames     map[position]frame
	cells      map[pageKey]cell
	checkpoint position
	low        position
}

func (l layer) clone() layer {
	l.frames, l.cells = maps.Clone(l.frames), maps.Clone(l.cells)
	return l
}

// store is the disk. A write is under way, then written (readers see it, and it
// outlives the process), then durable (it outlives the power, and its writer is
// told). Frames come through in their order, all else in any.
type store struct {
	w       *world
	written layer
	durable layer
	writes  []*write // not durable yet, in the order in which they were begun
	// epoch and seals are the shard's row, which changes in one durable step.
	epoch int
	seals map[int]position
}

// write is a batch of records.
type write struct {
	text    string
	frame   bool
	records []record
	written bool
	done    func() // tells the writer that all of it is durable
}

// record puts one key into a layer.
type record func(l *layer)

func newStore(w *world) *store {
	empty := layer{frames: map[position]frame{}, cells: map[pageKey]cell{}}
	return &store{w: w, written: empty, durable: empty.clone(), seals: map[int]position{}}
}

func (s *store) begin(wr *write) {
	s.writes = append(s.writes, wr)
	s.w.tell("store", "takes %s", wr.text)
}

// advance takes one write to its next stage.
func (s *store) advance() bool {
	if len(s.writes) == 0 {
		return false
	}
	i := s.w.rng.IntN(len(s.writes))
	if s.writes[i].frame {
		i = slices.IndexFunc(s.writes, func(wr *write) bool { return wr.frame })
	}
	if wr := s.writes[i]; !wr.written {
		s.write(wr)
	} else {
		s.writes = slices.Delete(s.writes, i, i+1)
		s.sync(wr)
	}
	return true
}

func (s *store) write(wr *write) {
	wr.written = true
	for _, put := range wr.records {
		put(&s.written)
	}
	s.w.tell("store", "has written %s", wr.text)
	if wr.frame && s.w.broken(ackWritten) || !wr.frame && s.w.broken(flushWritten) {
		wr.tellWriter()
	}
}

func (s *store) sync(wr *write) {
	for _, put := range wr.records {
		put(&s.durable)
	}
	s.w.tell("store", "has synced %s", wr.text)
	wr.tellWriter()
}

func (wr *write) tellWriter() {
	if wr.done != nil {
		wr.done()
	}
	wr.done = nil
}

// kill is the end of the process: what was written stays, what was under way
// may have got there or not, and nobody is there to be told.
func (s *store) kill() {
	luck := s.newLuck()
	for _, wr := range s.writes {
		wr.done = nil
		if !wr.written {
			wr.records = luck.survivors(wr)
			s.write(wr)
		}
	}
}

// powerLoss leaves what was synced and, by luck, more.
func (s *store) powerLoss() {
	luck := s.newLuck()
	for _, wr := range s.writes {
		for _, put := range luck.survivors(wr) {
			put(&s.durable)
		}
	}
	s.writes = nil
	s.written = s.durable.clone()
}

// luck decides what a crash leaves of the writes under way.
type luck struct {
	w         *world
	of4       int  // chances of a record in 4
	frameLost bool // no later one survives
}

func (s *store) newLuck() *luck {
	return &luck{w: s.w, of4: []int{0, 2, 4}[s.w.rng.IntN(3)]}
}

func (l *luck) survivors(wr *write) []record {
	var left []record
	for _, r := range wr.records {
		if l.w.rng.IntN(4) < l.of4 && !(wr.frame && l.frameLost) {
			left = append(left, r)
		} else if wr.frame {
			l.frameLost = true
		}
	}
	if 0 < len(left) && len(left) < len(wr.records) {
		l.w.note("a crash leaves a part of a write")
	}
	return left
}
