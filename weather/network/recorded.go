package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// Recorded returns the catalogue that a store was filled with, from its page and
// its log; false when none was declared. What the node that serves it has not
// acknowledged yet may be missing.
func Recorded(ctx context.Context, store persistence.Store) (c weather.Catalogue, ok bool, err error) {
	return NewReader(store).Read(ctx)
}

// Reader reads the catalogue of a store again and again, the log only from where it has
// come to, or from the checkpoint: what lies below is in the page. It can be used by
// several goroutines at a time; those that come while it reads share the next read.
type Reader struct {
	store persistence.Store
	shard persistence.Shard
	begun atomic.Uint64 // reads

	turn  chan struct{} // has room for who reads; the rest is his
	ended uint64        // the read of which the rest is, by its number
	known weather.Catalogue
	from  persistence.Position // what declared known; that below it is older
	come  persistence.Position // how far the log was read, 0 before
}

// NewReader returns a reader that has read nothing.
func NewReader(store persistence.Store) *Reader {
	return &Reader{
		store: store, shard: persistence.ShardOf(KindName, CatalogueID, store.Info().Shards),
		turn: make(chan struct{}, 1),
	}
}

// Read returns the catalogue; false when none was declared. Whatever was acknowledged
// before Read was called is in it.
func (r *Reader) Read(ctx context.Context) (c weather.Catalogue, ok bool, err error) {
	came := r.begun.Load()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, false, fmt.Errorf("network: the catalogue was not read: %w", context.Cause(ctx))
	}
	if r.ended <= came { // else one has begun since
		number := r.begun.Add(1)
		if err := r.read(ctx); err != nil {
			return nil, false, err
		}
		r.ended = number
	}
	return r.known, len(r.known) > 0, nil
}

// read takes note of what is new.
func (r *Reader) read(ctx context.Context) error {
	// What is damaged on the way is for those to tell who look at the whole store.
	shard, readable, err := inspect.Open(ctx, r.store, r.shard, func(inspect.Finding) {})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(shard.Row.Seals, func(seal persistence.Position) bool { return seal.Epoch() == r.come.Epoch() && seal < r.come }) {
		r.known, r.from, r.come = nil, 0, 0 // what was read last had not been acknowledged, and came to nothing
	}
	if shard.Checkpoint > r.come || r.come == 0 {
		if err := r.readPage(ctx); err != nil { // after the checkpoint, which stands above what is in it
			return err
		}
	}
	if !readable {
		return nil
	}
	// Each event has all of the catalogue, so the last one is enough.
	declared := string((&storagev1.MeasuresDeclared{}).ProtoReflect().Descriptor().FullName())
	log, err := shard.LogFrom(ctx, max(shard.Checkpoint, r.come), func(_ persistence.Frame, records []persistence.Record) error {
		for _, e := range records {
			if e.Type.Kind != KindName || e.ID != CatalogueID || e.Type.Name != declared || e.Position < r.from {
				continue
			}
			m := &storagev1.MeasuresDeclared{}
			if err := proto.Unmarshal(e.Payload, m); err != nil {
				return fmt.Errorf("network: the catalogue at %s: %w", e.Position, err)
			}
			r.known, r.from = catalogueOf(m.GetMeasures()), e.Position
		}
		return nil
	})
	if err == nil && log.Whole {
		r.come = max(r.come, log.To)
	}
	return err
}

func (r *Reader) readPage(ctx context.Context) error {
	key := persistence.PageKey{Shard: r.shard, Kind: KindName, ID: CatalogueID, Page: page.At("").String()}
	stored, err := r.store.Pages().Read(ctx, key)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("network: the catalogue can't be read: %w", err)
	}
	c, err := decodeCatalogue(stored.Data)
	if err == nil && stored.Position >= r.from {
		r.known, r.from = c, stored.Position
	}
	return err
}
