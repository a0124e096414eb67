package replicated

import (
	"fmt"
	"slices"
)

// position is a place in the shard's log, epoch and number, ordered by <. As
// the end of something it is exclusive: the first position not covered.
type position int

const positionsOfEpoch = 10_000

func firstOf(epoch int) position { return position(epoch * positionsOfEpoch) }

func (p position) epoch() int { return int(p) / positionsOfEpoch }

func (p position) String() string {
	return fmt.Sprintf("%d:%d", p.epoch(), int(p)%positionsOfEpoch)
}

const (
	entities = 2
	pages    = 2 // of each
	// windowSize is how many of a client's commands an entity knows.
	windowSize = 1
)

type entityID int

func (e entityID) String() string { return string(rune('a' + e)) }

// pageKey names a page.
type pageKey struct {
	entity entityID
	page   int
}

func (k pageKey) String() string { return fmt.Sprintf("%s/%d", k.entity, k.page) }

// ids is the state of a page: the events that it has applied. Whatever is lost,
// doubled or out of order shows. Every event is on page 0, which thereby has the
// commands that took effect too; some are on page 1.
type ids []int

// command is what a client sends once or several times.
type command struct{ client, number int }

// event is what an entity remembers.
type event struct {
	at      position
	entity  entityID
	id      int
	command command
	both    bool // it touches page 1 too
}

func (e event) touches(page int) bool { return page == 0 || e.both }

func (e event) String() string { return fmt.Sprintf("%s+%d@%s", e.entity, e.id, e.at) }

// after returns the state of a page after an event.
func (i ids) after(e event, page int) ids {
	if !e.touches(page) {
		return i
	}
	return append(slices.Clone(i), e.id)
}

// frame is a group commit: the events at [begin, end), stored as one.
type frame struct {
	begin, end position
	events     []event
}

func (f frame) String() string { return fmt.Sprintf("[%s,%s)%v", f.begin, f.end, f.events) }

// cell is a page as it is stored. Its position is its write time too.
type cell struct {
	position position
	ids      ids
}

func (c cell) String() string { return fmt.Sprintf("%v@%s", c.ids, c.position) }
