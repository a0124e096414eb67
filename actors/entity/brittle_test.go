package entity_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/mesonet/mesonet/actors/entity"
)

// brittle is a kind of which every function may be made to panic, by the trap:
// it is told which function was called, and for which entity. So that all of them
// know that, what is written in a brittle entity carries its number.
var (
	brittle = entity.NewKind("brittle")
	sheets  = entity.Pages(brittle, "sheet", entity.PageCodec[*sheet]{
		Version: 1,
		New: func(name string) (*sheet, error) {
			owner, err := strconv.Atoi(name[1:])
			spring("new", note{owner, 0})
			return &sheet{owner: owner, letter: name[0]}, err
		},
		Append: func(dst []byte, s *sheet) []byte {
			spring("encode page", note{s.owner, 0})
			dst = append(binary.AppendUvarint(dst, uint64(s.owner)), s.letter)
			for _, n := range s.notes {
				dst = n.append(dst)
			}
			return dst
		},
		Decode: func(_ uint32, b []byte) (*sheet, error) {
			owner, size := binary.Uvarint(b)
			spring("decode page", note{int(owner), 0})
			s := &sheet{owner: int(owner), letter: b[size]}
			for b = b[size+1:]; len(b) > 0; b = b[noteSize:] {
				n, err := noteOf(b)
				if err != nil {
					return nil, err
				}
				s.notes = append(s.notes, n)
			}
			return s, nil
		},
		Size: func(s *sheet) int {
			spring("size", note{s.owner, 0})
			return int(heft.Load()) + noteSize*len(s.notes)
		},
	}, func(dst []string, event any) []string {
		s := scrawlOf(event)
		spring("touched", s.first())
		for i, name := range sheetNames {
			if s.bits()&(1<<i) != 0 {
				dst = append(dst, sheetName(name, s.owner))
			}
		}
		return dst
	}, func(s *sheet, event any) {
		written := scrawlOf(event)
		for _, number := range written.numbers {
			if number&(1<<(s.letter-'a')) != 0 {
				s.notes = append(s.notes, note{written.owner, number})
			}
		}
		spring("evolve", written.first()) // with the page changed already
	})
	byLast = entity.IndexOf(brittle, "last", sheets, func(event any) bool {
		s := scrawlOf(event) // without numbers for a deletion
		spring("changes", s.first())
		return s.bits()&1 != 0
	}, func(dst []string, s *sheet) []string {
		spring("entries", note{s.owner, 0})
		if s.letter == 'a' {
			dst = append(dst, fmt.Sprintf("%08d", s.notes[len(s.notes)-1].number))
		}
		return dst
	})
	// jot writes a note down; 0 deletes the entity.
	jot = entity.CommandOn(brittle, func(dst []entity.PageRef, n note) []entity.PageRef {
		spring("needs", n)
		return append(dst, sheets.At(sheetName("a", n.owner)))
	}, func(v *entity.View, n note) (entity.Events, int, error) {
		spring("decide", n)
		var seen int
		if s, ok := sheets.In(v, sheetName("a", n.owner)); ok {
			seen = len(s.notes)
		}
		if n.number == 0 {
			return entity.Persist(entity.Delete()), seen, nil
		}
		return entity.Persist(n), seen, nil
	})
	// scribble writes several notes down, as one event, which is joined with those
	// before it when it is read.
	scribble = entity.CommandOn(brittle, func(dst []entity.PageRef, s scrawl) []entity.PageRef {
		spring("needs", s.first())
		return dst
	}, func(_ *entity.View, s scrawl) (entity.Events, int, error) {
		spring("decide", s.first())
		return entity.Persist(s), len(s.numbers), nil
	})
	leafThrough = entity.QueryOn(brittle, func(dst []entity.PageRef, all allOf) []entity.PageRef {
		spring("needs", note{int(all), 0})
		for _, name := range sheetNames {
			dst = append(dst, sheets.At(sheetName(name, int(all))))
		}
		return dst
	}, func(v *entity.View, all allOf) (written [3][]int, _ error) {
		spring("decide", note{int(all), 0})
		for i, name := range sheetNames {
			if s, ok := sheets.In(v, sheetName(name, int(all))); ok {
				for _, n := range s.notes {
					written[i] = append(written[i], n.number)
				}
			}
		}
		return written, nil
	})
)

func init() {
	entity.Event(brittle, "note", entity.EventCodec[note]{
		Version: 1,
		Append: func(dst []byte, n note) []byte {
			spring("encode event", n)
			return n.append(dst)
		},
		Decode: func(_ uint32, b []byte) (note, error) {
			n, err := noteOf(b)
			spring("decode event", n)
			return n, err
		},
	})
	entity.Event(brittle, "scrawl", entity.EventCodec[scrawl]{
		Version: 1,
		Append: func(dst []byte, s scrawl) []byte {
			spring("encode event", s.first())
			for _, n := range s.numbers {
				dst = note{s.owner, n}.append(dst)
			}
			return dst
		},
		Decode: func(_ uint32, b []byte) (scrawl, error) {
			s, err := scrawlIn(b)
			spring("decode event", s.first())
			return s, err
		},
		Join: func(into scrawl, _ uint32, b []byte) (scrawl, bool, error) {
			s, err := scrawlIn(b)
			if len(into.numbers) >= mostJoined {
				return into, false, err
			}
			into.numbers = append(into.numbers, s.numbers...)
			spring("join", s.first()) // with what it is joined to changed already
			return into, true, err
		},
	})
}

// trap is called by every function of a brittle entity, with the note that it is
// given, or one that has the owner only.
var trap atomic.Pointer[func(point string, n note)]

func spring(point string, n note) {
	if f := trap.Load(); f != nil {
		(*f)(point, n)
	}
}

// setTrap sets the trap, nil to remove it.
func setTrap(f func(point string, n note)) {
	if f == nil {
		trap.Store(nil)
		return
	}
	trap.Store(&f)
}

// note is an event and a command: a number, above those before, for each of the
// pages whose bit it has.
type note struct{ owner, number int }

// scrawl is an event and a command: several notes at once.
type scrawl struct {
	owner   int
	numbers []int
}

// mostJoined is how many notes are enough for one event.
const mostJoined = 4

// scrawlOf returns any event of a brittle entity as a scrawl.
func scrawlOf(event any) scrawl {
	switch e := event.(type) {
	case scrawl:
		return e
	case note:
		return scrawl{e.owner, []int{e.number}}
	}
	return scrawl{}
}

// scrawlIn reads a scrawl.
func scrawlIn(b []byte) (s scrawl, _ error) {
	for ; len(b) > 0; b = b[noteSize:] {
		n, err := noteOf(b)
		if err != nil {
			return s, err
		}
		s.owner, s.numbers = n.owner, append(s.numbers, n.number)
	}
	return s, nil
}

// first is what the trap is told of a scrawl.
func (s scrawl) first() note {
	if len(s.numbers) == 0 {
		return note{s.owner, 0}
	}
	return note{s.owner, s.numbers[0]}
}

// bits says which pages it is for.
func (s scrawl) bits() (all int) {
	for _, n := range s.numbers {
		all |= n & (1<<len(sheetNames) - 1)
	}
	return all
}

// heft is what a page says that it takes beside its notes, for tests that want
// memory to be scarce.
var heft atomic.Int64

// sheet is a page.
type sheet struct {
	owner  int
	letter byte
	notes  []note
}

// allOf is a question for all that is written in an entity.
type allOf int

var sheetNames = []string{"a", "b", "c"}

func sheetName(letter string, owner int) string { return letter + strconv.Itoa(owner) }

const noteSize = 8

func (n note) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n.owner)<<32|uint64(n.number))
}

func noteOf(b []byte) (note, error) {
	if len(b) < noteSize {
		return note{}, errors.New("a note is cut")
	}
	n := binary.BigEndian.Uint64(b)
	return note{int(n >> 32), int(n & (1<<32 - 1))}, nil
}

// jottings is what is written in a brittle entity: the dumb twin.
type jottings [3][]int

func (j *jottings) jot(number int) {
	for i := range j {
		if number == 0 {
			j[i] = nil
		} else if number&(1<<i) != 0 {
			j[i] = append(j[i], number)
		}
	}
}

func (j *jottings) equal(got [3][]int) bool { return slices.EqualFunc(j[:], got[:], slices.Equal) }

// entry returns the entity's entry in the index, "" for none.
func (j *jottings) entry() string {
	if n := len(j[0]); n > 0 {
		return fmt.Sprintf("%08d", j[0][n-1])
	}
	return ""
}

// scribbleOn writes one number down in the entity b0.
func scribbleOn(t *testing.T, h *entity.Host, n int) {
	t.Helper()
	if _, err := scribble.Ask(t.Context(), h, "b0", scrawl{0, []int{n}}); err != nil {
		t.Fatal(err)
	}
}
