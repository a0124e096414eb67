package inspect

import (
	"context"

	"github.com/mesonet/mesonet/persistence"
)

// Summary is what a store holds of a shard.
type Summary struct {
	Row        persistence.ShardRow
	Checkpoint persistence.Position
	Log        Log
	Pages      Pages
	// Entities are those that there are, by kind: with pages, or with events
	// from the checkpoint on, the deletion of which may be among these.
	Entities map[string]int
}

// Read walks over a shard and returns what is in it. found is told of damage.
func Read(ctx context.Context, store persistence.Store, number persistence.Shard, found func(Finding)) (Summary, error) {
	sum := Summary{Row: persistence.ShardRow{Shard: number}, Entities: make(map[string]int)}
	s, ok, err := Open(ctx, store, number, found)
	if err != nil || !ok {
		return sum, err
	}
	sum.Row, sum.Checkpoint = s.Row, s.Checkpoint
	type entity struct{ kind, id string }
	tail := make(map[entity]bool)
	sum.Log, err = s.Log(ctx, func(f persistence.Frame, records []persistence.Record) error {
		if f.Position >= s.Checkpoint {
			for _, r := range records {
				tail[entity{r.Type.Kind, r.ID}] = true
			}
		}
		return nil
	})
	if err != nil {
		return sum, err
	}
	sum.Pages, err = s.Pages(ctx, sum.Log, func(p persistence.Page) error {
		delete(tail, entity{p.Key.Kind, p.Key.ID})
		return nil
	})
	for kind, n := range sum.Pages.Entities {
		sum.Entities[kind] = n
	}
	for e := range tail {
		sum.Entities[e.kind]++
	}
	return sum, err
}
