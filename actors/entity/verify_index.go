package entity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mesonet/mesonet/persistence/inspect"
)

// entriesSeen are the entries that an entity has had from its stored pages on to
// the end of the log: which it had at some moment, and which at all of them.
type entriesSeen struct {
	of         *subject
	listed     bool
	skips      bool // an event is skipped, whose entries may have been stored before
	some, each []string
}

func newEntriesSeen(s *subject, some pages) *entriesSeen {
	e := &entriesSeen{of: s, listed: len(s.stored) > 0}
	e.some = e.now(some)
	e.each = slices.Clone(e.some)
	return e
}

// now returns the entries that follow from pages.
func (e *entriesSeen) now(some pages) []string {
	a := &entityActor{kind: e.of.kind, pages: some, view: View{id: e.of.id}}
	var now []string
	_ = guard("indexing", func() error { now = a.entries(e.listed); return nil }) // the runtime crashes on it, and says so
	return now
}

// see takes note of the entries after an event.
func (e *entriesSeen) see(event any, some pages) {
	_, deletes := event.(deletion)
	if !deletes && e.listed && !e.of.kind.changesIndex(event) {
		return
	}
	e.listed = !deletes
	now := e.now(some)
	e.some = append(e.some, now...)
	e.each = slices.DeleteFunc(e.each, func(entry string) bool { return !slices.Contains(now, entry) })
}

// compareEntries holds the stored entries of an entity against those that it has
// had.
func (p *verifyPass) compareEntries(s *subject, e *entriesSeen) {
	for _, entry := range e.each {
		switch {
		case slices.Contains(s.entries, entry):
		case !p.isComplete(s.kind, entry):
			p.leave(notBuilt, 1)
		case e.skips: // the next start puts it, see unlikeEntries
		default:
			p.found(inspect.EntryMissing, s.id, named(entry), inspect.Restore, "the index does not have it, and the entity is not found there")
		}
	}
	for _, entry := range s.entries {
		index, _, _ := strings.Cut(entry, "/")
		switch {
		case slices.Contains(e.some, entry):
		case index != idIndex && !slices.ContainsFunc(s.kind.indexes, func(i *Index) bool { return i.name == index }):
			p.leave(noSuchKind, 1)
		case !p.isComplete(s.kind, entry):
			p.leave(notBuilt, 1)
		case e.skips: // the next start removes it, see unlikeEntries
		default:
			p.found(inspect.EntryStray, s.id, named(entry), inspect.Restore, "the index has it, and nothing in the entity's pages makes it")
		}
	}
}

// isComplete reports whether the store says that it has all of an entry's index.
func (p *verifyPass) isComplete(k *Kind, entry string) bool {
	index, _, _ := strings.Cut(entry, "/")
	return index == idIndex || p.complete[k.name+"/"+index]
}

// named shows an entry as people would look for it.
func named(entry string) string {
	index, key, _ := strings.Cut(entry, "/")
	if key == "" {
		return "index " + index
	}
	return fmt.Sprintf("index %s %s", index, key)
}
