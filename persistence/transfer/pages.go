package transfer

import (
	"context"
	"maps"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// writePages writes the pages of the group, entries of indexes before those that
// they follow from, and then the checkpoints.
func (g *group) writePages(ctx context.Context) error {
	b := &pageBatch{group: g}
	for i, s := range g.sources {
		_, err := s.Pages(ctx, s.log, func(page persistence.Page) error {
			page, ok := g.place(s, g.places[i], page)
			if !ok {
				return nil
			}
			return b.add(ctx, page)
		})
		if err != nil {
			return err
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	for t, w := range g.writers {
		for index := range g.indexes() {
			key := persistence.PageKey{Shard: t, Page: indexedPrefix + index}
			if err := b.add(ctx, persistence.Page{Key: key, Position: persistence.At(w.next.Epoch(), 0), Version: 1}); err != nil {
				return err
			}
		}
		if err := b.add(ctx, persistence.Page{Key: persistence.CheckpointKey(t), Position: w.checkpoint}); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// place returns a page as the target has it; false when it has none, or has it
// already. Without places it stays where it is.
func (g *group) place(s *source, places map[persistence.Shard]*places, page persistence.Page) (persistence.Page, bool) {
	owner := persistence.Owner{Kind: page.Key.Kind, ID: page.Key.ID}
	if owner.Kind == "" {
		if !strings.HasPrefix(page.Key.Page, indexPrefix) {
			return page, false
		}
		owner, _, _ = entryOwner(page.Key.Page)
	}
	sp := s.split(owner)
	if page.Key.Kind == "" && sp.deleted && page.Position <= sp.at {
		return page, false // of before the deletion, whose replay knows nothing of it
	}
	page.Key.Shard = s.home(owner)
	if places == nil {
		return page, true
	}
	p := places[page.Key.Shard]
	if p == nil {
		return page, false
	}
	page.Position = p.of(owner, sp, s.Checkpoint, page.Position)
	return page, true
}

// indexes returns those that are complete in all sources. Those that are not in
// one are built by the first node that starts.
func (g *group) indexes() map[string]bool {
	all := make(map[string]bool)
	for _, s := range g.sources {
		maps.Copy(all, s.complete)
		maps.Copy(all, s.entries)
	}
	for index := range all {
		if _, name, _ := strings.Cut(index, "/"); name == "id" {
			delete(all, index) // every kind has it, and nobody says that it is complete
			continue
		}
		for _, s := range g.sources {
			if !s.isComplete(index) {
				delete(all, index)
				g.rebuilt[index] = true
				break
			}
		}
	}
	return all
}

// pageBatch are pages that are written together.
type pageBatch struct {
	*group

	pages []persistence.Page
	bytes int
}

func (b *pageBatch) add(ctx context.Context, page persistence.Page) error {
	b.pages = append(b.pages, page)
	b.bytes += len(page.Data) + 100
	if page.Key.Kind != "" {
		b.done.Pages++
	} else if strings.HasPrefix(page.Key.Page, indexPrefix) {
		b.done.Entries++
	}
	if b.bytes < b.cfg.PageBytes {
		return nil
	}
	b.progress(0.5)
	return b.flush(ctx)
}

func (b *pageBatch) flush(ctx context.Context) error {
	if len(b.pages) == 0 {
		return nil
	}
	err := b.to.Pages().Write(ctx, b.pages)
	b.pages, b.bytes = b.pages[:0], 0
	return err
}
