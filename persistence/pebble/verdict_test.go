package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// verdict is what a store holds that was opened again, compared with promises,
// a line for each difference.
type verdict struct {
	// gone is what was kept and is not there, strange what is there and was never
	// asked for, or lies behind something that is gone.
	gone, strange []string
	// said are the errors of reading: what can't be read says so.
	said error
}

func (v *verdict) wrong() []string { return append(slices.Clone(v.gone), v.strange...) }

func note(lines *[]string, format string, args ...any) {
	*lines = append(*lines, fmt.Sprintf(format, args...))
}

func (p *promises) check(ctx context.Context, s *Store) *verdict {
	v := &verdict{}
	for n := range persistence.Shard(scriptShards) {
		p.checkLog(ctx, s, n, v)
	}
	for key, q := range p.pages {
		page, err := s.Pages().Read(ctx, key)
		gone := errors.Is(err, persistence.ErrNotFound)
		asked := func(from persistence.Position) bool {
			return gone && from == 0 || slices.ContainsFunc(q.asked, func(a persistence.Page) bool {
				return a.Position >= from && (gone && a.Deleted ||
					!gone && !a.Deleted && a.Position == page.Position && bytes.Equal(a.Data, page.Data))
			})
		}
		switch {
		case err != nil && !gone:
			v.said = errors.Join(v.said, err)
		case !asked(0):
			note(&v.strange, "page %s at %s with %d bytes", key, page.Position, len(page.Data))
		case !asked(q.kept):
			note(&v.gone, "page %s is at %s, and was at %s", key, page.Position, q.kept)
		}
	}
	for node, n := range p.nodes {
		row, err := s.Ownership().Node(ctx, node)
		switch {
		case err != nil && !errors.Is(err, persistence.ErrNotFound):
			v.said = errors.Join(v.said, err)
		case row.Incarnation > n.asked:
			note(&v.strange, "node %s has incarnation %d; %d was asked for", node, row.Incarnation, n.asked)
		case row.Incarnation < n.kept:
			note(&v.gone, "node %s has incarnation %d; it was %d", node, row.Incarnation, n.kept)
		}
	}
	for shard, n := range p.shards {
		row, err := s.Ownership().Shard(ctx, shard)
		same := func(r persistence.ShardRow) bool { return r.Same(row) && slices.Equal(r.Seals, row.Seals) }
		switch {
		case err != nil:
			v.said = errors.Join(v.said, err)
		case row.Epoch != 0 && !slices.ContainsFunc(n.asked, same):
			note(&v.strange, "shard %d is %+v; it was %+v", shard, row, n.kept)
		case row.Epoch < n.kept.Epoch || row.Low < n.kept.Low:
			note(&v.gone, "shard %d is %+v; it was %+v", shard, row, n.kept)
		}
	}
	return v
}

// checkLog looks at the frames of a shard.
func (p *promises) checkLog(ctx context.Context, s *Store, n persistence.Shard, v *verdict) {
	found := make(map[persistence.Position]bool)
	var last persistence.Position
	for e := range persistence.Epoch(40) {
		frames, err := persistencetest.ReadAll(ctx, s.Log(), n, persistence.At(persistence.FirstEpoch+e, 0))
		if err != nil {
			v.said = errors.Join(v.said, err)
			return
		}
		for _, f := range frames {
			found[f.Position], last = true, f.Position
			switch asked := p.frames[framePlace{n, f.Position}]; {
			case asked == nil:
				note(&v.strange, "a frame at %s of shard %d that nobody wrote", f.Position, n)
			case !bytes.Equal(asked.data, f.Data):
				note(&v.strange, "the frame at %s of shard %d is another", f.Position, n)
			case asked.gone:
				note(&v.gone, "the deletion of the frame at %s of shard %d", f.Position, n)
			}
		}
	}
	for place, f := range p.frames {
		switch {
		case place.shard != n || !f.kept || f.deleted || found[place.at]:
		case place.at < last:
			note(&v.strange, "the frame at %s of shard %d is gone, and there is one at %s", place.at, n, last)
		default:
			note(&v.gone, "the frame at %s of shard %d is gone", place.at, n)
		}
	}
}
