package station

import (
	"context"
	"fmt"
	"iter"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// declarePlaces declares the index of where the registered stations are. One whose
// place is not known is not in it.
func (s *Station) declarePlaces() {
	s.places = entity.IndexOf(s.Kind, "place", s.heads, func(event any) bool {
		_, ok := event.(*storagev1.StationRegistered)
		return ok
	}, func(dst []string, h *Head) []string {
		if place, ok := h.Station.Place(); ok && h.Registered {
			dst = append(dst, place.Key())
		}
		return dst
	})
}

// Finder looks entities up in indexes, as a node does.
type Finder interface {
	// Find yields the entries of an index from one on, in order of key and id.
	Find(ctx context.Context, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
}

// In yields the stations in a box that come after one, the zero value for all: in
// an order that keeps neighbours together, that of their places' keys and then of
// their ids. It wakes none of them.
func (s *Station) In(ctx context.Context, f Finder, box weather.Box, after weather.Located) iter.Seq2[weather.Located, error] {
	return func(yield func(weather.Located, error) bool) {
		from := entity.Entry{}
		if after.ID != "" {
			from = entity.Entry{Key: after.Place.Key(), ID: after.ID + "\x00"}
		}
		for _, r := range box.KeyRanges() {
			if r.Last < from.Key {
				continue
			}
			begin := from
			if r.First > from.Key {
				begin = entity.Entry{Key: r.First}
			}
			for l, err := range s.located(ctx, f, begin, r.Last) {
				if (err != nil || box.Contains(l.Place)) && !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// Nearest returns up to n stations that are nearest to a place, by distance and
// then by id, after one of them; the zero value for all. It wakes none of them.
func (s *Station) Nearest(ctx context.Context, f Finder, of weather.Place, after weather.Neighbor, n int) ([]weather.Neighbor, error) {
	return weather.Nearest(of, after, n, func(r weather.KeyRange) iter.Seq2[weather.Located, error] {
		return s.located(ctx, f, entity.Entry{Key: r.First}, r.Last)
	})
}

// located yields what the index has from an entry on to a key.
func (s *Station) located(ctx context.Context, f Finder, from entity.Entry, last string) iter.Seq2[weather.Located, error] {
	return func(yield func(weather.Located, error) bool) {
		for e, err := range f.Find(ctx, s.places, from) {
			if err == nil && e.Key > last {
				return
			}
			l := weather.Located{ID: e.ID}
			if err == nil {
				if l.Place, err = weather.ParseKey(e.Key); err != nil {
					err = fmt.Errorf("%w: the index of places has station %s: %w", entity.ErrCorrupt, e.ID, err)
				}
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}
