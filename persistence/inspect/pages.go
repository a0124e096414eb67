package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/persistence"
)

// Pages is what was met of a shard's pages.
type Pages struct {
	// Pages of entities, with Bytes of data.
	Pages int
	Bytes int64
	// Entities are those that have pages, by kind.
	Entities map[string]int
	// Own are the pages of the shard itself, by the first part of their name.
	Own map[string]int
	// Whole says that all pages could be read.
	Whole bool
}

// Pages walks over the pages of a shard and calls visit with each that can be
// read, those of the shard itself first, then in the order of kind, id and name.
// An error of visit ends the walk. log is what the walk over the log has met.
func (s *Shard) Pages(ctx context.Context, log Log, visit func(persistence.Page) error) (Pages, error) {
	p := Pages{Entities: make(map[string]int), Own: make(map[string]int), Whole: true}
	var last persistence.PageKey
	for page, err := range s.store.Pages().Scan(ctx, s.Row.Shard, persistence.PageKey{}, false) {
		switch {
		case ctx.Err() != nil:
			return p, context.Cause(ctx)
		case err != nil && !errors.Is(err, persistence.ErrCorrupt):
			return p, err
		case err != nil:
			p.Whole = false
			s.badPage(page.Key, last, err)
			continue
		}
		if page.Key.Kind == "" {
			name, _, _ := strings.Cut(page.Key.Page, "/")
			p.Own[name]++
		} else {
			p.Pages++
			p.Bytes += int64(len(page.Data))
			if page.Key.Kind != last.Kind || page.Key.ID != last.ID {
				p.Entities[page.Key.Kind]++
			}
		}
		last = page.Key
		if err := s.judgePage(ctx, page, log); err != nil {
			return p, err
		}
		if visit != nil {
			if err := visit(page); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// badPage tells of a page that can't be read, by its key or, when not even that
// is known, by the one before.
func (s *Shard) badPage(key, before persistence.PageKey, err error) {
	place := fmt.Sprintf("shard %d, pages after %s", s.Row.Shard, before)
	switch {
	case key != persistence.PageKey{}:
		place = key.String()
	case before == persistence.PageKey{}:
		place = fmt.Sprintf("shard %d, all pages", s.Row.Shard)
	}
	s.tell(Finding{BadPage, s.Row.Shard, place, reason(err), Restore})
}

// keptPrefix is what the names of pages begin with that keep events of entities
// (actors/entity). Their positions put their changes in order, of which there may
// be several between two events: only the epoch says something of the log.
const keptPrefix = "kept/"

// viewPrefix is the same for pages that say how far a view of tables has come.
const viewPrefix = "viewed/"

// entryPrefix is what the names of entries of indexes begin with. Those that were
// built have the last position before the epoch in which they were.
const entryPrefix = "index/"

// judgePage looks whether a page can be where it is.
func (s *Shard) judgePage(ctx context.Context, page persistence.Page, log Log) error {
	key := page.Key
	if shards := s.store.Info().Shards; key.Kind != "" && persistence.ShardOf(key.Kind, key.ID, shards) != s.Row.Shard {
		s.tell(Finding{
			PageMisplaced, s.Row.Shard, key.String(),
			fmt.Sprintf("it is in shard %d, and its entity in shard %d", s.Row.Shard, persistence.ShardOf(key.Kind, key.ID, shards)), Restore,
		})
	}
	if key == persistence.CheckpointKey(s.Row.Shard) || s.Row.Epoch == 0 {
		return nil // Log judges it
	}
	e := page.Position.Epoch()
	own := strings.HasPrefix(key.Page, keptPrefix) || strings.HasPrefix(key.Page, viewPrefix)
	built := strings.HasPrefix(key.Page, entryPrefix) && page.Position+1 == persistence.At(e+1, 0)
	if key.Kind == "" && (own && e <= s.Row.Epoch || built && e < s.Row.Epoch) {
		return nil
	}
	end, sealed := s.end(e)
	switch {
	case e == s.Row.Epoch && log.Whole:
		end = log.To
	case e < s.Row.Epoch && sealed, e > s.Row.Epoch:
	default:
		return nil // nothing says where the epoch ended
	}
	if e <= s.Row.Epoch && page.Position <= end {
		return nil
	}
	moved, err := s.moved(ctx, page.Position, log)
	if err == nil && !moved {
		s.tell(Finding{
			PageAhead, s.Row.Shard, key.String(),
			fmt.Sprintf("it has come to %s, and the log only to %s", page.Position, min(end, log.To)), Restore,
		})
	}
	return err
}

// moved reports whether the shard has come to a position since its log was walked
// over: on a store that others reach, its owner may write meanwhile.
func (s *Shard) moved(ctx context.Context, to persistence.Position, log Log) (bool, error) {
	if s.store.Info().Local || to < log.To {
		return false, nil
	}
	if s.come >= to {
		return true, nil
	}
	row, err := s.store.Ownership().Shard(ctx, s.Row.Shard)
	if err != nil || to.Epoch() > row.Epoch {
		return false, err
	}
	if row.Epoch > s.Row.Epoch {
		return true, nil // by another owner, whose log was not looked at
	}
	s.come = max(s.come, log.To)
	for f, err := range s.store.Log().Read(ctx, s.Row.Shard, s.come) {
		if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
			return false, err
		}
		if err != nil || f.Position != s.come {
			break
		}
		s.come = f.End()
	}
	return s.come >= to, nil
}
