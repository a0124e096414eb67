package pebble

import (
	"bytes"
	"context"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// promises is what a store has been asked to keep, and what it has said that it
// keeps. All of the latter must be there when it is opened again, and nothing
// that is in neither.
type promises struct {
	mu     sync.Mutex
	frames map[framePlace]*promisedFrame
	pages  map[persistence.PageKey]*promisedPage
	nodes  map[persistence.NodeID]*promisedNode
	shards map[persistence.Shard]*promisedShard
}

type framePlace struct {
	shard persistence.Shard
	at    persistence.Position
}

type promisedFrame struct {
	data []byte
	kept bool
	// deleted and gone: a deletion was asked for, and reported done.
	deleted, gone bool
}

type promisedPage struct {
	asked []persistence.Page
	kept  persistence.Position
}

type promisedNode struct{ asked, kept persistence.Incarnation }

type promisedShard struct {
	asked []persistence.ShardRow
	kept  persistence.ShardRow
}

func newPromises() *promises {
	return &promises{
		frames: make(map[framePlace]*promisedFrame), pages: make(map[persistence.PageKey]*promisedPage),
		nodes: make(map[persistence.NodeID]*promisedNode), shards: make(map[persistence.Shard]*promisedShard),
	}
}

// The following operate on a store and write down what was asked and what came
// of it.

func (p *promises) append(s *Store, f persistence.Frame, done func(error)) {
	p.mu.Lock()
	asked := &promisedFrame{data: bytes.Clone(f.Data)}
	p.frames[framePlace{f.Shard, f.Position}] = asked
	p.mu.Unlock()
	s.Log().Append(context.Background(), f, func(err error) {
		p.mu.Lock()
		asked.kept = err == nil
		p.mu.Unlock()
		done(err)
	})
}

func (p *promises) write(s *Store, pages ...persistence.Page) error {
	p.mu.Lock()
	for _, page := range pages {
		if p.pages[page.Key] == nil {
			p.pages[page.Key] = &promisedPage{}
		}
		p.pages[page.Key].asked = append(p.pages[page.Key].asked, page)
	}
	p.mu.Unlock()
	err := s.Pages().Write(context.Background(), pages)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, page := range pages {
		if q := p.pages[page.Key]; err == nil {
			q.kept = max(q.kept, page.Position)
		}
	}
	return err
}

func (p *promises) boot(s *Store, node persistence.NodeID) error {
	n := p.nodes[node]
	if n == nil {
		n = &promisedNode{}
		p.nodes[node] = n
	}
	n.asked++
	inc, err := s.Ownership().Boot(context.Background(), node, "addr")
	if err == nil {
		n.asked, n.kept = inc, inc
	}
	return err
}

// claim seals the shard's epoch at its end, as far as that is known.
func (p *promises) claim(s *Store, shard persistence.Shard, seal persistence.Position) error {
	sh := p.shard(shard)
	row, err := s.Ownership().Shard(context.Background(), shard)
	if err != nil {
		return err
	}
	c := persistence.Claim{Shard: shard, Owner: "n", Incarnation: p.nodes["n"].kept, Seen: row, Seal: seal}
	if row.Epoch == 0 {
		c.Seal = 0
	}
	want, err := c.Apply(row)
	if err != nil {
		return err
	}
	sh.asked = append(sh.asked, want)
	row, err = s.Ownership().Claim(context.Background(), c)
	if err == nil {
		sh.kept = row
	}
	return err
}

// forget raises the low mark of a shard and deletes its log below.
func (p *promises) forget(s *Store, shard persistence.Shard, below persistence.Position) error {
	row, err := s.Ownership().Shard(context.Background(), shard)
	if err != nil {
		return err
	}
	sh, want := p.shard(shard), row
	want.Low = below
	sh.asked = append(sh.asked, want)
	if row, err = s.Ownership().RaiseLow(context.Background(), row, below); err != nil {
		return err
	}
	sh.kept = row
	var deleted []*promisedFrame
	p.mu.Lock()
	for place, f := range p.frames {
		if place.shard == shard && place.at+2 <= below { // every frame here has two events
			f.deleted = true
			deleted = append(deleted, f)
		}
	}
	p.mu.Unlock()
	if err := s.Log().Delete(context.Background(), shard, below); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range deleted {
		f.gone = true
	}
	return nil
}

func (p *promises) shard(n persistence.Shard) *promisedShard {
	if p.shards[n] == nil {
		p.shards[n] = &promisedShard{}
	}
	return p.shards[n]
}
