package persistencetest

import (
	"context"
	"iter"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

type faultyLog struct {
	persistence.Log
	f *Faulty
}

// Append runs on a goroutine of its own if a fault may hold it.
func (l faultyLog) Append(ctx context.Context, frame persistence.Frame, done func(error)) {
	op := Op{Kind: OpAppend, Shard: frame.Shard, Position: frame.Position, Frame: frame}
	m := l.f.meet(&op)
	for _, fault := range m {
		if fault.Late {
			late := frame
			late.Data = slices.Clone(frame.Data)
			l.f.mu.Lock()
			l.f.late = append(l.f.late, late)
			l.f.mu.Unlock()
			done(fault.err())
			return
		}
		if fault.Write != nil {
			frame = fault.Write(frame)
		}
	}
	store := func() {
		l.Log.Append(ctx, frame, func(err error) {
			if err == nil {
				err = m.after(ctx, op)
			}
			done(err)
		})
	}
	if !slices.ContainsFunc(m, func(f *Fault) bool { return f.Before != nil }) {
		store()
		return
	}
	l.f.wg.Go(func() {
		if err := m.before(ctx, op); err != nil {
			done(err)
			return
		}
		store()
	})
}

func (l faultyLog) Read(ctx context.Context, shard persistence.Shard, from persistence.Position) iter.Seq2[persistence.Frame, error] {
	return func(yield func(persistence.Frame, error) bool) {
		op := Op{Kind: OpReadLog, Shard: shard, Position: from}
		m := l.f.meet(&op)
		err := m.before(ctx, op)
		if err == nil {
			n := 0
			for frame, err := range l.Log.Read(ctx, shard, from) {
				frame, err = m.frame(n, frame, err)
				if n++; !yield(frame, err) || err != nil {
					return
				}
			}
			err = m.after(ctx, op)
		}
		if err != nil {
			yield(persistence.Frame{}, err)
		}
	}
}

func (m met) frame(n int, frame persistence.Frame, err error) (persistence.Frame, error) {
	for _, fault := range m {
		if err == nil && fault.Frame != nil {
			frame, err = fault.Frame(n, frame)
		}
	}
	return frame, err
}

func (l faultyLog) Delete(ctx context.Context, shard persistence.Shard, below persistence.Position) error {
	op := Op{Kind: OpDelete, Shard: shard, Position: below}
	_, err := do(ctx, l.f, op, func(met) (struct{}, error) { return struct{}{}, l.Log.Delete(ctx, shard, below) })
	return err
}

type faultyPages struct {
	persistence.Pages
	f *Faulty
}

func (p faultyPages) Write(ctx context.Context, pages []persistence.Page) error {
	op := Op{Kind: OpWritePages, Pages: pages}
	if len(pages) > 0 {
		op.Shard = pages[0].Key.Shard
	}
	_, err := do(ctx, p.f, op, func(met) (struct{}, error) { return struct{}{}, p.Pages.Write(ctx, pages) })
	return err
}

func (p faultyPages) Read(ctx context.Context, key persistence.PageKey) (persistence.Page, error) {
	op := Op{Kind: OpReadPage, Shard: key.Shard, Key: key}
	return do(ctx, p.f, op, func(m met) (persistence.Page, error) {
		page, err := p.Pages.Read(ctx, key)
		return m.page(page, err)
	})
}

func (m met) page(page persistence.Page, err error) (persistence.Page, error) {
	for _, fault := range m {
		if err == nil && fault.Page != nil {
			page, err = fault.Page(page)
		}
	}
	return page, err
}

func (p faultyPages) Kinds(ctx context.Context, shard persistence.Shard) ([]string, error) {
	op := Op{Kind: OpScan, Shard: shard}
	return do(ctx, p.f, op, func(met) ([]string, error) { return p.Pages.Kinds(ctx, shard) })
}

func (p faultyPages) Scan(ctx context.Context, shard persistence.Shard, from persistence.PageKey, keysOnly bool) iter.Seq2[persistence.Page, error] {
	return func(yield func(persistence.Page, error) bool) {
		op := Op{Kind: OpScan, Shard: shard, Key: from}
		m := p.f.meet(&op)
		err := m.before(ctx, op)
		if err == nil {
			for page, err := range p.Pages.Scan(ctx, shard, from, keysOnly) {
				page, err = m.page(page, err)
				if !yield(page, err) || err != nil {
					return
				}
			}
			err = m.after(ctx, op)
		}
		if err != nil {
			yield(persistence.Page{}, err)
		}
	}
}

type faultyOwnership struct {
	persistence.Ownership
	f *Faulty
}

func (o faultyOwnership) Boot(ctx context.Context, node persistence.NodeID, address string) (persistence.Incarnation, error) {
	return do(ctx, o.f, Op{Kind: OpBoot, Node: node}, func(met) (persistence.Incarnation, error) {
		return o.Ownership.Boot(ctx, node, address)
	})
}

func (o faultyOwnership) Check(ctx context.Context, node persistence.NodeID, inc persistence.Incarnation) error {
	_, err := do(ctx, o.f, Op{Kind: OpCheck, Node: node, Incarnation: inc}, func(met) (struct{}, error) {
		return struct{}{}, o.Ownership.Check(ctx, node, inc)
	})
	return err
}

func (o faultyOwnership) Node(ctx context.Context, node persistence.NodeID) (persistence.NodeRow, error) {
	return do(ctx, o.f, Op{Kind: OpNode, Node: node}, func(met) (persistence.NodeRow, error) {
		return o.Ownership.Node(ctx, node)
	})
}

func (o faultyOwnership) Fence(ctx context.Context, node persistence.NodeID, seen persistence.Incarnation) (persistence.Incarnation, error) {
	return do(ctx, o.f, Op{Kind: OpFence, Node: node, Incarnation: seen}, func(met) (persistence.Incarnation, error) {
		return o.Ownership.Fence(ctx, node, seen)
	})
}

func (o faultyOwnership) Shard(ctx context.Context, shard persistence.Shard) (persistence.ShardRow, error) {
	return do(ctx, o.f, Op{Kind: OpShard, Shard: shard}, func(met) (persistence.ShardRow, error) {
		return o.Ownership.Shard(ctx, shard)
	})
}

func (o faultyOwnership) Claim(ctx context.Context, c persistence.Claim) (persistence.ShardRow, error) {
	op := Op{Kind: OpClaim, Shard: c.Shard, Node: c.Owner, Incarnation: c.Incarnation, Position: c.Seal}
	return do(ctx, o.f, op, func(met) (persistence.ShardRow, error) { return o.Ownership.Claim(ctx, c) })
}

func (o faultyOwnership) RaiseLow(ctx context.Context, seen persistence.ShardRow, low persistence.Position) (persistence.ShardRow, error) {
	op := Op{Kind: OpRaiseLow, Shard: seen.Shard, Position: low}
	return do(ctx, o.f, op, func(met) (persistence.ShardRow, error) { return o.Ownership.RaiseLow(ctx, seen, low) })
}
