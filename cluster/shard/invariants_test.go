package shard

import (
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// refusal is what a machine was told of a shard that is another's, and when.
type refusal struct {
	row persistence.ShardRow
	at  Millis
}

// checkEffect fails the test if a machine may not want this.
func (p *proc) checkEffect(e Effect) {
	w := p.w
	switch e := e.(type) {
	case Take:
		if p.m.state != Serving {
			w.t.Fatalf("%d: %s is %s and takes %d", w.now, p.id, p.m.state, e.Shard)
		}
		row, was := w.store.rows[e.Shard], p.refusals[e.Shard]
		if row.Same(was.row) && !p.free(row) && p.m.now-was.at < p.cfg.Retry*5 {
			w.t.Fatalf("%d: %s takes %d, which it was told %d ms ago is %s's", w.now, p.id, e.Shard, p.m.now-was.at, row.Owner)
		}
	case HandOver:
		is, known := p.view[e.To]
		if e.To == p.id || !known || is.State != Serving {
			w.t.Fatalf("%d: %s hands %d to %s, which it knows as %v", w.now, p.id, e.Shard, e.To, is)
		}
		if p.m.state != Serving && p.m.state != Draining {
			w.t.Fatalf("%d: %s is %s and hands over %d", w.now, p.id, p.m.state, e.Shard)
		}
	case Fence:
		if e.Node == p.id || p.m.state != Serving {
			w.t.Fatalf("%d: %s is %s and fences %s", w.now, p.id, p.m.state, e.Node)
		}
		p.checkStill(e)
	case Route:
		if was := p.routes[e.Shard]; e.Node != "" && p.highest[e.Shard] > e.Epoch {
			w.t.Fatalf("%d: %s routes %d to epoch %d of %s after %v", w.now, p.id, e.Shard, e.Epoch, e.Node, was)
		}
		p.highest[e.Shard] = max(p.highest[e.Shard], e.Epoch)
	}
}

// checkStill fails the test if a heartbeat moved in the reads that led to a fence.
func (p *proc) checkStill(e Fence) {
	var counts []uint64
	for _, rows := range p.read[max(0, len(p.read)-p.cfg.StillReads-1):] {
		for _, b := range rows {
			if b.Node == e.Node && b.Incarnation >= e.Incarnation {
				counts = append(counts, b.Count)
			}
		}
	}
	if len(p.read) <= p.cfg.StillReads {
		p.w.t.Fatalf("%d: %s fences %s after %d reads", p.w.now, p.id, e.Node, len(p.read))
	}
	if len(counts) > 0 && slices.Max(counts) > counts[0] {
		p.w.t.Fatalf("%d: %s fences %s whose heartbeat moves: %v", p.w.now, p.id, e.Node, counts)
	}
}

// checkBusy counts what is under way.
func (p *proc) checkBusy() {
	takes, hands := 0, 0
	for i := range p.m.shards {
		switch p.m.shards[i].doing {
		case taking:
			takes++
		case handing:
			hands++
		case idle:
		}
	}
	if takes != p.m.taking || hands != p.m.handing || takes > p.cfg.Takes || hands > max(p.cfg.HandOvers, p.cfg.DrainAtOnce) {
		p.w.t.Fatalf("%d: %s has %d takes and %d hand-overs under way, and counts %d and %d", p.w.now, p.id, takes, hands, p.m.taking, p.m.handing)
	}
}

// checkSettled fails the test unless every shard is where it belongs, and everybody
// who serves knows.
func (w *world) checkSettled() {
	w.t.Helper()
	var members []Member
	for _, id := range w.ids() {
		if p := w.procs[id]; p.up && p.state == Serving {
			members = append(members, Member{id, p.inc, p.state, p.cfg.Weight})
		}
	}
	if len(members) == 0 {
		return
	}
	for i, target := range Table(members, w.shards) {
		shard := persistence.Shard(i)
		if target == "" {
			continue
		}
		servers := w.servers(shard)
		if len(servers) == 1 && w.procs[servers[0]].m.shards[i].pinned {
			target = servers[0] // an operator wants it there
		}
		if !slices.Equal(servers, []persistence.NodeID{target}) {
			w.t.Fatalf("%d: shard %d is served by %v, not by %s; the store says %+v\n%s", w.now, shard, servers, target, w.store.rows[shard], w)
		}
		for _, m := range members {
			if r := w.procs[m.Node].routes[shard]; r.Node != target || r.Epoch != w.store.rows[shard].Epoch {
				w.t.Fatalf("%d: shard %d is served by %s, epoch %d; %s has %v\n%s", w.now, shard, target, w.store.rows[shard].Epoch, m.Node, r, w)
			}
		}
	}
}

// String returns what all machines know.
func (w *world) String() string {
	var s string
	for _, id := range w.ids() {
		if p := w.procs[id]; p.up {
			s += string(id) + " " + p.m.Snapshot().String()
		}
	}
	return s
}
