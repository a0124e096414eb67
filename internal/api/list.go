package api

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

const (
	defaultPage = 50
	maxPage     = 1_000
)

// pageSize returns how many a page has at most.
func pageSize(asked uint32) (int, error) { return pageSizeOf(asked, defaultPage, maxPage) }

// pageSizeOf is pageSize for a list with limits of its own.
func pageSizeOf(asked uint32, usual, most int) (int, error) {
	switch {
	case asked == 0:
		return usual, nil
	case int64(asked) > int64(most):
		return 0, invalid(fmt.Sprintf("page_size %d is over the limit of %d", asked, most))
	}
	return int(asked), nil
}

// ListStations returns a page of the stations.
func (s *Server) ListStations(ctx context.Context, r *mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	q, err := toQuery(r)
	if err != nil {
		return nil, invalid(err.Error())
	}
	after, err := q.parseToken(r.GetPageToken())
	if err != nil {
		return nil, invalid(err.Error())
	}
	l := lister{s: s, read: r.GetRead(), query: q, size: size, after: after, tokens: make(map[persistence.Shard]*mesonetv1.Token)}
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	response := &mesonetv1.ListStationsResponse{Stations: l.found, DistancesM: l.distances}
	if l.more {
		response.NextPageToken = q.token(l.after)
	}
	for _, t := range l.tokens {
		response.Tokens = append(response.Tokens, t)
	}
	return response, nil
}

// query is what a list is of.
type query struct {
	country string
	box     *weather.Box
	near    *weather.Place
}

func toQuery(r *mesonetv1.ListStationsRequest) (query, error) {
	q := query{country: r.GetCountry()}
	switch where := r.GetWhere().(type) {
	case *mesonetv1.ListStationsRequest_Box:
		b := where.Box
		q.box = &weather.Box{}
		for _, edge := range []struct {
			name string
			from float64
			to   *weather.Value
		}{
			{"south", b.GetSouth(), &q.box.South},
			{"west", b.GetWest(), &q.box.West},
			{"north", b.GetNorth(), &q.box.North},
			{"east", b.GetEast(), &q.box.East},
		} {
			var ok bool
			if *edge.to, ok = toValue(edge.from, weather.CoordinateDecimals); !ok {
				return q, fmt.Errorf("%s %g of the box is no latitude or longitude", edge.name, edge.from)
			}
		}
		return q, q.box.Validate()
	case *mesonetv1.ListStationsRequest_Near:
		p := where.Near
		lat, ok := toValue(p.GetLatitude(), weather.CoordinateDecimals)
		lon, ok2 := toValue(p.GetLongitude(), weather.CoordinateDecimals)
		if !ok || !ok2 {
			return q, fmt.Errorf("near %g, %g is no place", p.GetLatitude(), p.GetLongitude())
		}
		q.near = &weather.Place{Latitude: lat, Longitude: lon}
		return q, q.near.Validate()
	}
	return q, nil
}

// lister collects a page of stations.
type lister struct {
	s    *Server
	read *mesonetv1.Read
	query
	size int

	after     weather.Neighbor // the last one looked at
	found     []*mesonetv1.Station
	distances []float64
	more      bool
	tokens    map[persistence.Shard]*mesonetv1.Token
}

// run looks stations up in an index, and asks no more of them what they are than
// the page has room for; with a country, which no index knows, some more.
func (l *lister) run(ctx context.Context) error {
	for {
		most := l.size - len(l.found)
		ask := most
		if l.country != "" {
			most, ask = maxPage, max(most, defaultPage)
		}
		candidates, err := l.next(ctx, most+1)
		if err != nil {
			return Status(err)
		}
		for rest := candidates; len(rest) > 0; {
			n := min(ask, len(rest))
			full, err := l.take(ctx, rest[:n])
			if err != nil {
				return err
			}
			if full {
				l.more = l.after != candidates[len(candidates)-1]
				return nil
			}
			rest = rest[n:]
		}
		if len(candidates) <= most {
			return nil
		}
	}
}

// next returns the next stations of the list, without asking them.
func (l *lister) next(ctx context.Context, n int) (some []weather.Neighbor, err error) {
	switch {
	case l.near != nil:
		return l.s.stations.Nearest(ctx, l.s.node, *l.near, l.after, n)
	case l.box != nil:
		for found, err := range l.s.stations.In(ctx, l.s.node, *l.box, l.after.Located) {
			if err != nil {
				return nil, err
			}
			if some = append(some, weather.Neighbor{Located: found}); len(some) == n {
				break
			}
		}
		return some, nil
	}
	ids, err := l.s.node.List(ctx, station.KindName, l.after.ID, n)
	for _, id := range ids {
		some = append(some, weather.Neighbor{Located: weather.Located{ID: id}})
	}
	return some, err
}

// take asks stations what they are, and takes those that are as the list wants
// them until the page is full.
func (l *lister) take(ctx context.Context, candidates []weather.Neighbor) (full bool, err error) {
	heads, err := l.heads(ctx, candidates)
	if err != nil {
		return false, err
	}
	for i, head := range heads {
		l.after = candidates[i]
		if head == nil || !l.wants(head, candidates[i]) {
			continue
		}
		l.found = append(l.found, toStation(head))
		if l.near != nil {
			l.distances = append(l.distances, float64(candidates[i].Distance)/1000)
		}
		if len(l.found) == l.size {
			return true, nil
		}
	}
	return false, nil
}

// wants reports whether a station belongs to the list: also that it has not moved
// since it was found in the index.
func (l *lister) wants(head *station.Head, c weather.Neighbor) bool {
	if l.country != "" && head.Station.Country != l.country {
		return false
	}
	if l.box == nil && l.near == nil {
		return true
	}
	place, ok := head.Station.Place()
	return ok && place.Key() == c.Place.Key()
}

// heads asks stations what they are; nil for one that is not registered.
func (l *lister) heads(ctx context.Context, candidates []weather.Neighbor) ([]*station.Head, error) {
	opts, err := l.s.after(l.read)
	if err != nil {
		return nil, err
	}
	heads := make([]*station.Head, len(candidates))
	tokens := make([]entity.Token, len(candidates))
	errs := make([]error, len(candidates))
	questions := make([]*station.GetHead, len(candidates))
	for i := range questions {
		questions[i] = &station.GetHead{}
	}
	err = askEach(ctx, l.s, l.s.stations.Head, questions, func(i int) string { return candidates[i].ID }, opts,
		func(i int, h *station.Head, t entity.Token, err error) { heads[i], tokens[i], errs[i] = h, t, err })
	if err != nil {
		return nil, Status(fmt.Errorf("%w: the stations did not answer in time: %w", entity.ErrUnavailable, err))
	}
	for i, err := range errs {
		if err == nil {
			l.see(tokens[i])
		} else if code, _ := outcome(err); code != codes.NotFound {
			return nil, Status(err)
		}
	}
	return heads, nil
}

// see keeps the highest token of each shard.
func (l *lister) see(t entity.Token) {
	if known := l.tokens[t.Shard]; known == nil || known.GetPosition() < uint64(t.Position) {
		l.tokens[t.Shard] = l.s.token(t)
	}
}
