package network

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// Recorded returns the catalogue that a store was filled with, from its page and
// its log; false when none was declared. Nobody may serve from the store.
func Recorded(ctx context.Context, store persistence.Store) (c weather.Catalogue, ok bool, err error) {
	number := persistence.ShardOf(KindName, CatalogueID, store.Info().Shards)
	stored, err := store.Pages().Read(ctx, persistence.PageKey{Shard: number, Kind: KindName, ID: CatalogueID, Page: page.At("").String()})
	switch {
	case err == nil:
		if c, err = decodeCatalogue(stored.Data); err != nil {
			return nil, false, err
		}
	case !errors.Is(err, persistence.ErrNotFound):
		return nil, false, fmt.Errorf("network: the catalogue can't be read: %w", err)
	}
	// Each event has all of the catalogue, so the last one is enough. What is
	// damaged on the way is for those to tell who look at the whole store.
	shard, readable, err := inspect.Open(ctx, store, number, func(inspect.Finding) {})
	if err != nil || !readable {
		return c, len(c) > 0, err
	}
	declared := string((&storagev1.MeasuresDeclared{}).ProtoReflect().Descriptor().FullName())
	_, err = shard.Log(ctx, func(_ persistence.Frame, records []persistence.Record) error {
		for _, r := range records {
			if r.Type.Kind != KindName || r.ID != CatalogueID || r.Type.Name != declared || r.Position < stored.Position {
				continue
			}
			e := &storagev1.MeasuresDeclared{}
			if err := proto.Unmarshal(r.Payload, e); err != nil {
				return fmt.Errorf("network: the catalogue at %s: %w", r.Position, err)
			}
			c = catalogueOf(e.GetMeasures())
		}
		return nil
	})
	return c, len(c) > 0, err
}
