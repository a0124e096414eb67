package transfer

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// sum is what an entity has, whatever the positions are. Two stores that have the
// same sum of an entity have the same events of it in the same order, and the same
// pages and entries at the same places among them, and a start replays the same.
type sum struct {
	events, replayed, pages, entries int
	// log is of the events, in their order; state of pages and entries, each
	// with the number of events below it.
	log, state uint64
}

// tally adds up what an entity has: first its pages, then its events in order.
type tally struct {
	sum

	stamped []stamped // by position, once the events begin
	sorted  bool
}

// stamped is a page or an entry.
type stamped struct {
	at   persistence.Position
	hash uint64
}

func (t *tally) page(page persistence.Page) {
	h := xxhash.New()
	_, _ = h.WriteString(page.Key.Page)
	_, _ = h.Write(binary.BigEndian.AppendUint32([]byte{0}, page.Version))
	_, _ = h.Write(page.Data)
	t.stamped = append(t.stamped, stamped{page.Position, h.Sum64()})
	if page.Key.Kind == "" {
		t.entries++
	} else {
		t.pages++
	}
}

// pass adds the pages up to a position, which have as many events as were met.
func (t *tally) pass(at persistence.Position) {
	if !t.sorted {
		slices.SortFunc(t.stamped, func(a, b stamped) int { return cmp.Compare(a.at, b.at) })
		t.sorted = true
	}
	for len(t.stamped) > 0 && t.stamped[0].at <= at {
		b := binary.BigEndian.AppendUint64(nil, t.stamped[0].hash)
		t.state += xxhash.Sum64(binary.BigEndian.AppendUint64(b, uint64(t.events)))
		t.stamped = t.stamped[1:]
	}
}

// event adds an event; instead is what its payload means, for one that has a
// position in it.
func (t *tally) event(r persistence.Record, instead []byte, replayed bool) {
	t.pass(r.Position)
	if instead == nil {
		instead = r.Payload
	}
	h := xxhash.New()
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, t.log))
	_, _ = h.WriteString(r.Type.Name)
	_, _ = h.Write(binary.BigEndian.AppendUint32([]byte{0}, r.Type.Version))
	_, _ = h.Write(instead)
	t.log = h.Sum64()
	t.events++
	if replayed {
		t.replayed++
	}
}

// tallies are those of many entities.
type tallies map[persistence.Owner]*tally

func (all tallies) of(o persistence.Owner) *tally {
	t := all[o]
	if t == nil {
		t = &tally{}
		all[o] = t
	}
	return t
}

// skips finds out what skips mean: the number of the event in its entity.
type skips map[persistence.Position]int

// meaning notes the number of an event that is skipped, and returns what a skip
// says; nil for any other event.
func (n skips) meaning(t *tally, r persistence.Record) ([]byte, error) {
	if _, ok := n[r.Position]; ok {
		n[r.Position] = t.events + 1
	}
	if r.Type.Name != skipName {
		return nil, nil
	}
	at, err := skipped(r)
	return binary.AppendUvarint([]byte{1}, uint64(n[at])), err
}

// compare reads the group back and compares it with what the source has, which is
// read once more: so it is noticed, too, if that has changed meanwhile.
func (g *group) compare(ctx context.Context) error {
	want, have := make(tallies), make(tallies)
	for _, s := range g.sources {
		if err := g.tallySource(ctx, s, want); err != nil {
			return err
		}
	}
	g.progress(0.85)
	for t := range g.writers {
		if err := g.tallyTarget(ctx, t, have); err != nil {
			return err
		}
	}
	for _, all := range []tallies{want, have} {
		for _, t := range all {
			t.pass(^persistence.Position(0))
		}
	}
	for owner, w := range want {
		h := have[owner]
		if h == nil || w.sum != h.sum {
			return differ(owner, w.sum, h)
		}
		delete(have, owner)
	}
	for owner, h := range have {
		return differ(owner, sum{}, h)
	}
	g.done.Entities += len(want)
	return nil
}

func differ(o persistence.Owner, want sum, have *tally) error {
	if have == nil {
		have = &tally{}
	}
	say := func(s sum) string {
		return fmt.Sprintf("%d events (of which a start reads %d), %d pages and %d entries of indexes, with the sums %016x and %016x",
			s.events, s.replayed, s.pages, s.entries, s.log, s.state)
	}
	return fmt.Errorf("%w: %s/%s has %s, and in the copy %s; was the source used meanwhile? begin anew with an empty target",
		ErrDiffers, o.Kind, o.ID, say(want), say(have.sum))
}

// tallySource adds up what the source has of the entities whose shards are written.
func (g *group) tallySource(ctx context.Context, s *source, all tallies) error {
	_, err := s.Pages(ctx, s.log, func(page persistence.Page) error {
		if placed, ok := g.place(s, nil, page); ok && g.writers[placed.Key.Shard] != nil {
			owner := persistence.Owner{Kind: page.Key.Kind, ID: page.Key.ID}
			if owner.Kind == "" {
				owner, _, _ = entryOwner(page.Key.Page)
			}
			all.of(owner).page(page)
		}
		return nil
	})
	if err != nil {
		return err
	}
	numbers := make(skips)
	for at := range s.skips {
		numbers[at] = 0
	}
	add := func(r persistence.Record) error {
		owner := persistence.Owner{Kind: r.Type.Kind, ID: r.ID}
		if g.writers[s.home(owner)] == nil {
			return nil
		}
		t := all.of(owner)
		meaning, err := numbers.meaning(t, r)
		t.event(r, meaning, r.Position >= s.split(owner).at)
		return err
	}
	for _, records := range s.kept { // what is gone from the log
		for _, r := range records {
			if r.Position < s.log.From {
				if err := add(r); err != nil {
					return err
				}
			}
		}
	}
	_, err = s.Log(ctx, func(_ persistence.Frame, records []persistence.Record) error {
		for _, r := range records {
			if err := add(r); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// tallyTarget adds up what a shard of the target has, and looks whether it is as a
// shard should be.
func (g *group) tallyTarget(ctx context.Context, number persistence.Shard, all tallies) error {
	var first *inspect.Finding
	s, ok, err := inspect.Open(ctx, g.to, number, func(f inspect.Finding) {
		// The mark moves on in an epoch that may have no events.
		if first == nil && !strings.HasPrefix(f.Place, markKind+"/") {
			first = &f
		}
	})
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: %s", ErrDiffers, first)
	}
	numbers := make(skips)
	for _, source := range g.sources {
		for _, at := range source.skips {
			numbers[at] = 0
		}
	}
	log, err := s.Log(ctx, nil)
	if err != nil {
		return err
	}
	_, err = s.Pages(ctx, log, func(page persistence.Page) error {
		owner := persistence.Owner{Kind: page.Key.Kind, ID: page.Key.ID}
		switch {
		case owner.Kind == markKind:
			return nil
		case owner.Kind == "" && strings.HasPrefix(page.Key.Page, indexPrefix):
			owner, _, _ = entryOwner(page.Key.Page)
		case owner.Kind == "":
			return nil
		}
		all.of(owner).page(page)
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.Quiet().Log(ctx, func(_ persistence.Frame, records []persistence.Record) error {
		for _, r := range records {
			t := all.of(persistence.Owner{Kind: r.Type.Kind, ID: r.ID})
			meaning, err := numbers.meaning(t, r)
			t.event(r, meaning, r.Position >= s.Checkpoint)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && first != nil {
		err = fmt.Errorf("%w: %s", ErrDiffers, first)
	}
	return err
}
