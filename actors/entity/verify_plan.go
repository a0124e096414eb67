package entity

import (
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// verifyPlan is what the first walk over a shard finds out: whether every page is
// one of its kind and can be decoded, how much memory all of them take, and which
// events are skipped.
type verifyPlan struct {
	*verifier
	checkpoint persistence.Position
	skipped    map[persistence.Position]bool
	complete   map[string]bool // indexes, as kind/index
	weight     int64
	entities   int
	entries    int
	last       ID
}

// subjectBytes is about what an entity takes while it is verified, beside its
// pages, and entryBytes what an entry does.
const (
	subjectBytes = 500
	entryBytes   = 100
)

// frame looks at the events of a frame.
func (p *verifyPlan) frame(f persistence.Frame, records []persistence.Record) error {
	p.read(len(records))
	for i := range records {
		r := &records[i]
		id := ID{r.Type.Kind, r.ID}
		if in := persistence.ShardOf(id.Kind, id.ID, p.store.Info().Shards); in != p.number {
			p.found(inspect.BadEvent, id, "at "+r.Position.String(), inspect.Restore,
				"it is in the log of shard %d, and its entity in shard %d", p.number, in)
		}
		k := p.kinds[r.Type.Kind]
		switch {
		case k == nil && r.Position >= p.checkpoint:
			p.foreign(r.Type.Kind)
		case k == nil || !isSkip(r):
		default:
			for at := range k.skips(records[i : i+1]) {
				p.skipped[at] = true
			}
		}
	}
	return nil
}

// page looks at a page by itself.
func (p *verifyPlan) page(stored persistence.Page) error {
	if stored.Key.Kind == "" {
		if strings.HasPrefix(stored.Key.Page, indexPrefix) {
			p.entries++
			p.weight += entryBytes + int64(len(stored.Key.Page))
		}
		if index, ok := strings.CutPrefix(stored.Key.Page, recordPrefix); ok {
			p.complete[index] = true
		}
		return nil
	}
	id := ID{stored.Key.Kind, stored.Key.ID}
	if id != p.last {
		p.entities++
		p.weight += subjectBytes
		p.last = id
	}
	k := p.kinds[id.Kind]
	if k == nil {
		p.foreign(id.Kind)
		p.leave(noSuchKind, 1)
		return nil
	}
	ref, ok := k.pageNamed(stored.Key.Page)
	const advice = "use the version of the program that wrote it"
	switch {
	case !ok:
		p.found(inspect.UnknownPage, id, stored.Key.Page, advice, "it is not a page of kind %q", k.name)
		return nil
	case stored.Version > ref.set.version:
		p.found(inspect.UnknownPage, id, stored.Key.Page, advice, "it has version %d, and this program knows version %d", stored.Version, ref.set.version)
		return nil
	}
	made := &page{ref: ref}
	if err := guard("decoding it", func() (err error) {
		made.state, err = ref.set.decode(stored.Version, stored.Data)
		return err
	}); err != nil {
		p.found(inspect.BadPage, id, stored.Key.Page, inspect.Restore, "%v", err)
		return nil
	}
	made.measure(len(stored.Data))
	p.weight += int64(made.bytes)
	return nil
}

// foreign tells once of a kind that the program does not have.
func (v *verifier) foreign(kind string) {
	if v.unknown[kind] {
		return
	}
	v.unknown[kind] = true
	v.tell(inspect.Finding{
		Kind: inspect.UnknownKind, Shard: v.number, Place: fmt.Sprintf("kind %q", kind),
		Reason: "the store has entities of it, and this program does not have the kind",
		Advice: "use a program that does; no other starts on the store",
	})
}

// guard calls a function of a kind and turns a panic into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", what, p)
		}
	}()
	return f()
}
