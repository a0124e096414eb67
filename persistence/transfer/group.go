package transfer

import (
	"context"

	"github.com/mesonet/mesonet/persistence"
)

// group are shards of the source and shards of the target that have entities in
// common with each other, and with no others: as shards are the low bits of a
// hash, those whose numbers agree in the bits that both stores use. Either side,
// or both, is one shard.
type group struct {
	*copying

	number  persistence.Shard
	sources []*source
	writers map[persistence.Shard]*writer
	places  []map[persistence.Shard]*places // by source
}

// members returns the shards of the group in a store of so many.
func (g *group) members(shards uint32) (all []persistence.Shard) {
	step := min(g.from.Info().Shards, g.to.Info().Shards)
	for n := uint32(g.number); n < shards; n += step {
		all = append(all, persistence.Shard(n))
	}
	return all
}

func (g *group) run(ctx context.Context) error {
	targets := g.members(g.to.Info().Shards)
	left := targets[:0:0]
	for _, t := range targets {
		if s := g.target.shards[t]; s.gone || s.mark.Done {
			g.done.Kept++
			continue
		}
		left = append(left, t)
	}
	if len(left) == 0 {
		return nil
	}
	lowered := false
	for _, n := range g.members(g.from.Info().Shards) {
		s, err := g.read(ctx, n)
		if err != nil {
			return err
		}
		lowered = lowered || s.Row.Low != 0
		g.sources = append(g.sources, s)
		g.done.Late += s.log.Late
	}
	g.progress(0.3)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.writers = make(map[persistence.Shard]*writer)
	for _, t := range left {
		if err := g.target.write(ctx, t); err != nil {
			return err
		}
		if lowered {
			if err := g.target.lower(ctx, t); err != nil {
				return err
			}
		}
		w := newWriter(g.cfg, g.to, t, g.target.shards[t].row.Epoch, cancel)
		defer w.wg.Wait() // also when something else ends the copy
		g.writers[t] = w
	}
	if err := g.writeLogs(ctx); err != nil {
		return err
	}
	g.progress(0.5)
	if err := g.writePages(ctx); err != nil {
		return err
	}
	g.progress(0.7)
	if err := g.compare(ctx); err != nil {
		return err
	}
	for _, s := range g.sources {
		if err := g.unchanged(ctx, s.state()); err != nil {
			return err
		}
	}
	var from []state
	for _, s := range g.sources {
		from = append(from, s.state())
	}
	for _, t := range left {
		if err := g.target.written(ctx, t, from); err != nil {
			return err
		}
		g.done.Shards++
	}
	return nil
}

// writeLogs writes the events: what a start need not read, of all sources, then
// the rest.
func (g *group) writeLogs(ctx context.Context) error {
	for _, s := range g.sources {
		places := make(map[persistence.Shard]*places)
		for t := range g.writers {
			places[t] = newPlaces(s.needed[t])
		}
		g.places = append(g.places, places)
	}
	for i, s := range g.sources {
		if err := g.writeHistory(ctx, s, g.places[i]); err != nil {
			return err
		}
	}
	for _, w := range g.writers {
		if err := w.turn(ctx); err != nil {
			return err
		}
	}
	for i, s := range g.sources {
		if err := g.writeTail(ctx, s, g.places[i]); err != nil {
			return err
		}
	}
	for _, w := range g.writers {
		if err := w.flush(ctx); err != nil {
			return err
		}
		if err := w.wait(); err != nil {
			return err
		}
	}
	return nil
}

// writeHistory writes the events of a source that a start need not read.
func (g *group) writeHistory(ctx context.Context, s *source, places map[persistence.Shard]*places) error {
	section := history
	pass := func() error { // over the checkpoint
		g.endSection(places, history)
		if err := g.writeKept(ctx, s, places, setAside); err != nil {
			return err
		}
		section = ended
		return nil
	}
	_, err := s.Log(ctx, func(f persistence.Frame, records []persistence.Record) error {
		if section == history && f.Position >= s.Checkpoint {
			if err := pass(); err != nil {
				return err
			}
		}
		for _, r := range records {
			owner := persistence.Owner{Kind: r.Type.Kind, ID: r.ID}
			if s.isKept(owner, r.Position) || section == ended && r.Position >= s.split(owner).at {
				continue
			}
			if err := g.write(ctx, s, places, section, owner, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && section == history {
		err = pass()
	}
	g.endSection(places, ended)
	return err
}

// writeTail writes the events of a source that a start has to read.
func (g *group) writeTail(ctx context.Context, s *source, places map[persistence.Shard]*places) error {
	if err := g.writeKept(ctx, s, places, setAsideT); err != nil {
		return err
	}
	_, err := s.LogFrom(ctx, s.Checkpoint, func(f persistence.Frame, records []persistence.Record) error {
		if f.Position < s.Checkpoint {
			return nil
		}
		for _, r := range records {
			owner := persistence.Owner{Kind: r.Type.Kind, ID: r.ID}
			if s.isKept(owner, r.Position) || r.Position < s.split(owner).at {
				continue
			}
			if err := g.write(ctx, s, places, tail, owner, r); err != nil {
				return err
			}
		}
		return nil
	})
	g.endSection(places, tail)
	return err
}

// writeKept writes those of the events that were set aside that belong into a
// section.
func (g *group) writeKept(ctx context.Context, s *source, places map[persistence.Shard]*places, section int) error {
	for owner, records := range s.kept {
		for _, r := range records {
			if (r.Position < s.split(owner).at) != (section == setAside) {
				continue
			}
			if err := g.write(ctx, s, places, section, owner, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes an event, unless its shard is done.
func (g *group) write(ctx context.Context, s *source, places map[persistence.Shard]*places, section int, owner persistence.Owner, r persistence.Record) error {
	home := s.home(owner)
	w := g.writers[home]
	if w == nil {
		return nil
	}
	if r.Type.Name == skipName {
		at, err := skipped(r)
		if err != nil {
			return err
		}
		r.Payload = skipOf(s.skips[at]) // 0, where no event is, when what it skips is gone with the history
	}
	to, err := w.add(ctx, owner, r)
	if err != nil {
		return err
	}
	if _, ok := s.skips[r.Position]; ok {
		s.skips[r.Position] = to
	}
	p := places[home]
	if section == setAside || section == setAsideT {
		p.kept[owner] = append(p.kept[owner], moved{r.Position, to})
	} else {
		p.see(section, r.Position, to)
	}
	if g.done.Events++; g.done.Events%(1<<14) == 0 {
		g.progress(0.3)
	}
	return nil
}

func (g *group) endSection(places map[persistence.Shard]*places, section int) {
	for t, p := range places {
		p.end(section, g.writers[t].next)
	}
}
