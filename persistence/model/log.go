package model

import (
	"fmt"
	"strings"
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
	entities = 3
	pages    = 3 // of each
)

type entityID int

func (e entityID) String() string { return string(rune('a' + e)) }

// pageKey names a page.
type pageKey struct {
	entity entityID
	page   int
}

func (k pageKey) String() string { return fmt.Sprintf("%s/%d", k.entity, k.page) }

// everyPage yields the keys of all pages.
func everyPage(yield func(pageKey) bool) {
	for id := range entityID(entities) {
		for k := range pages {
			if !yield(pageKey{id, k}) {
				return
			}
		}
	}
}

// pageSet is a set of pages of one entity.
type pageSet uint8

func (s pageSet) has(page int) bool { return s>>page&1 == 1 }

func (s *pageSet) add(page int) { *s |= 1 << page }

func (s pageSet) String() string {
	var names []string
	for k := range pages {
		if s.has(k) {
			names = append(names, fmt.Sprint(k))
		}
	}
	return "{" + strings.Join(names, " ") + "}"
}

// ids is the state of a page: the events that it has applied since the entity
// was last deleted. Whatever is lost, doubled or out of order shows.
type ids []int

// event is what an entity remembers. It adds its id to the pages that it
// touches, of which there may be none, or it empties every page that there is.
type event struct {
	at      position
	entity  entityID
	id      int
	touches pageSet
	deletes bool
	// siblings is how many events its command has, which are in the log
	// together or not at all; command is the id of the first.
	command, siblings int
}

func (e event) String() string {
	if e.deletes {
		return fmt.Sprintf("%s-%d@%s", e.entity, e.id, e.at)
	}
	return fmt.Sprintf("%s+%d%s@%s", e.entity, e.id, e.touches, e.at)
}

// frame is a group commit: the events at [begin, end), stored as one.
type frame struct {
	begin, end position
	events     []event
}

func (f frame) String() string { return fmt.Sprintf("[%s,%s)%v", f.begin, f.end, f.events) }
