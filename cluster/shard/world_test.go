package shard

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// world is some machines, each with a host of shards, around a store, with a gossip
// between them: a cluster, as far as this package can tell. All that happens comes
// from its seed and from what the test does to it.
type world struct {
	t     fataler
	rand  *rand.Rand
	now   Millis
	queue events
	order int

	shards uint32
	procs  map[persistence.NodeID]*proc
	known  []persistence.NodeID // of procs, in order
	store  store
	cut    map[[2]persistence.NodeID]bool // from, to
	blind  map[[2]persistence.NodeID]bool // who, whom: gossip is wrong
	fuzzy  bool                           // what is lost, late and slow is up to chance

	trace func(p *proc, in Input, e Effect)
	acts  []string // takes, hand-overs and fences
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// store is what the store has, and counts of conditional changes.
type store struct {
	nodes map[persistence.NodeID]persistence.Incarnation
	rows  []persistence.ShardRow
	beats map[persistence.NodeID]Beat
	old   []Beat // what a replica that is behind has

	claims, refused  int // conditional changes of shards
	changes          int // of owner or incarnation
	unknown          int // whose answer was lost
	fences, accepted int
	fencedOnce       map[string]bool
}

// proc is a process of a node. What it had asked for before it ended finds another
// life.
type proc struct {
	w    *world
	id   persistence.NodeID
	cfg  Config
	m    *Machine
	life int

	up, away, leaving bool
	inc               persistence.Incarnation
	state             State // as announced
	left              bool
	open              map[persistence.Shard]persistence.Epoch
	view              map[persistence.NodeID]Member
	heard             map[persistence.NodeID]Millis
	count             uint64
	read              [][]Beat // the last ones
	routes            map[persistence.Shard]Route
	highest           map[persistence.Shard]persistence.Epoch // that was routed to
	refusals          map[persistence.Shard]refusal
	said              []Effect // Moved and Drained

	// The node's clock: at real it showed shown, and goes at rate.
	real, shown Millis
	rate        float64
	frozen      bool
}

type event struct {
	at    Millis
	order int
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(e any)   { *q = append(*q, e.(event)) }
func (q *events) Pop() any {
	e := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return e
}

func newWorld(t fataler, seed uint64, shards uint32) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), shards: shards,
		procs: make(map[persistence.NodeID]*proc),
		cut:   make(map[[2]persistence.NodeID]bool), blind: make(map[[2]persistence.NodeID]bool),
		store: store{
			nodes: make(map[persistence.NodeID]persistence.Incarnation), rows: make([]persistence.ShardRow, shards),
			beats: make(map[persistence.NodeID]Beat), fencedOnce: make(map[string]bool),
		},
	}
	return w
}

// after lets something happen in d, or, where chance rules, somewhat later.
func (w *world) after(d Millis, do func()) {
	if w.fuzzy {
		d += Millis(w.rand.Int64N(int64(d) + 1))
		if w.chance(100) {
			d *= 5
		}
	}
	w.order++
	heap.Push(&w.queue, event{w.now + d, w.order, do})
}

// chance is true once in n times, where chance rules.
func (w *world) chance(n int) bool { return w.fuzzy && w.rand.IntN(n) == 0 }

func (w *world) run(d Millis) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

func (w *world) ids() []persistence.NodeID { return slices.Sorted(maps.Keys(w.procs)) }

// start starts a node, for the first time or again.
func (w *world) start(cfg Config) *proc {
	w.t.Helper()
	m, err := New(cfg)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	p := w.procs[cfg.Node]
	if p == nil {
		p = &proc{w: w, id: cfg.Node, rate: 1, real: w.now}
		w.procs[cfg.Node] = p
		w.known = w.ids()
	}
	p.cfg, p.m, p.up, p.leaving, p.left, p.state, p.inc = cfg, m, true, false, false, Joining, 0
	p.life++
	p.open, p.view = make(map[persistence.Shard]persistence.Epoch), make(map[persistence.NodeID]Member)
	p.heard, p.routes = make(map[persistence.NodeID]Millis), make(map[persistence.Shard]Route)
	p.read, p.said = nil, nil
	p.highest, p.refusals = make(map[persistence.Shard]persistence.Epoch), make(map[persistence.Shard]refusal)
	p.step(Tick{p.clock()})
	p.later(20, p.joinStore)
	p.later(300, func() { p.step(JoinedGossip{}) })
	p.every(100, func() { p.step(Tick{p.clock()}) })
	p.every(100, p.gossip)
	p.every(1000, p.check)
	p.every(200, p.beat)
	p.every(200, p.readBeats)
	return p
}

// later does something in d, unless the process has ended by then.
func (p *proc) later(d Millis, do func()) {
	life := p.life
	p.w.after(d, func() {
		if p.up && p.life == life {
			do()
		}
	})
}

func (p *proc) every(d Millis, do func()) {
	p.later(d, func() {
		do()
		p.every(d, do)
	})
}

func (p *proc) clock() Millis {
	if p.frozen {
		return p.shown
	}
	return p.shown + Millis(float64(p.w.now-p.real)*p.rate)
}

// setClock lets the clock show something else from now on, at another speed.
func (p *proc) setClock(shown Millis, rate float64, frozen bool) {
	p.real, p.shown, p.rate, p.frozen = p.w.now, shown, rate, frozen
}

func (p *proc) step(in Input) {
	w := p.w
	before := len(p.m.shards)
	out := p.m.Step(in)
	if w.trace != nil {
		w.trace(p, in, nil)
	}
	if before != len(p.m.shards) {
		w.t.Fatalf("shards came or went")
	}
	p.checkBusy()
	for _, e := range out {
		if w.trace != nil {
			w.trace(p, in, e)
		}
		p.checkEffect(e)
		p.carryOut(e)
	}
}

func (p *proc) carryOut(e Effect) {
	w := p.w
	switch e.(type) {
	case Take, HandOver, Fence:
		w.acts = append(w.acts, fmt.Sprintf("%d %s: %s", w.now, p.id, e))
	}
	switch e := e.(type) {
	case Announce:
		p.state = e.State
	case Take:
		p.later(5, func() { p.take(e.Shard) })
	case HandOver:
		p.later(10, func() { p.handOver(e) })
	case Fence:
		p.later(5, func() { p.fence(e) })
	case Route:
		p.routes[e.Shard] = e
	case Tell:
		for _, id := range w.ids() {
			if _, known := p.view[id]; id != p.id && (e.To == id || e.To == "" && known) {
				p.tell(w.procs[id], e.Word)
			}
		}
	case Moved:
		p.said = append(p.said, e)
	case Drained:
		p.said = append(p.said, e)
		if p.leaving && len(e.Left) == 0 {
			p.later(50, p.leave)
		}
	}
}

func (p *proc) tell(o *proc, word Input) {
	w := p.w
	if w.chance(20) {
		return
	}
	life := o.life
	w.after(3, func() {
		if o.up && o.life == life && !w.cut[[2]persistence.NodeID{p.id, o.id}] {
			o.step(word)
		}
	})
}

// The store.

func (p *proc) reachesStore() bool { return !p.away && !p.w.chance(200) }

func (p *proc) joinStore() {
	if !p.reachesStore() {
		p.later(500, p.joinStore)
		return
	}
	s := &p.w.store
	s.nodes[p.id]++
	p.inc = s.nodes[p.id]
	clear(p.open)
	p.step(JoinedStore{p.inc})
}

func (p *proc) fenced() bool { return p.w.store.nodes[p.id] != p.inc }

// check is the ownership check, by which a node finds out that it was fenced.
func (p *proc) check() {
	if p.inc == 0 {
		return
	}
	if !p.reachesStore() {
		p.step(Checked{false})
		return
	}
	p.step(Checked{true})
	if p.fenced() {
		for _, s := range slices.Sorted(maps.Keys(p.open)) {
			delete(p.open, s)
			p.step(Lost{s})
		}
		p.later(50, p.joinStore)
	}
}

func (p *proc) free(row persistence.ShardRow) bool {
	return row.Epoch == 0 || row.Owner == p.id || p.w.store.nodes[row.Owner] > row.Incarnation
}

// change is a conditional change of a shard's row.
func (s *store) change(seen, next persistence.ShardRow) bool {
	s.claims++
	if !s.rows[next.Shard].Same(seen) {
		s.refused++
		return false
	}
	if seen.Owner != next.Owner || seen.Incarnation != next.Incarnation {
		s.changes++
	}
	s.rows[next.Shard] = next
	return true
}

func nextRow(seen persistence.ShardRow, shard persistence.Shard, owner persistence.NodeID, inc persistence.Incarnation) persistence.ShardRow {
	next := persistence.ShardRow{Shard: shard, Owner: owner, Incarnation: inc, Epoch: max(seen.Epoch+1, persistence.FirstEpoch)}
	return next
}

func (p *proc) take(shard persistence.Shard) {
	s := &p.w.store
	if epoch, ok := p.open[shard]; ok {
		p.step(Opened{shard, epoch})
		return
	}
	if !p.reachesStore() || p.fenced() || p.inc == 0 {
		p.later(50, func() { p.step(TakeFailed{shard}) })
		return
	}
	seen := s.rows[shard]
	if !p.free(seen) {
		p.refusals[shard] = refusal{seen, p.m.now}
		p.step(Refused{Owner{Shard: shard, Node: seen.Owner, Incarnation: seen.Incarnation, Epoch: seen.Epoch}})
		return
	}
	inc := p.inc
	p.later(20, func() { // reading the tail
		next := nextRow(seen, shard, p.id, inc)
		granted := p.reachesStore() && inc == p.inc && s.change(seen, next)
		if granted && p.w.chance(30) {
			s.unknown++
			granted = false
		}
		p.later(5, func() {
			if !granted || inc != p.inc {
				p.step(TakeFailed{shard})
				return
			}
			p.open[shard] = next.Epoch
			p.step(Opened{shard, next.Epoch})
		})
	})
}

func (p *proc) handOver(e HandOver) {
	s := &p.w.store
	epoch, open := p.open[e.Shard]
	to, known := s.nodes[e.To], s.nodes[e.To] != 0
	if !open || !known || !p.reachesStore() || p.w.chance(30) {
		p.step(HandedOver{Shard: e.Shard, To: e.To, Outcome: Kept})
		return
	}
	delete(p.open, e.Shard)
	inc, seen := p.inc, s.rows[e.Shard]
	p.later(10, func() {
		next := nextRow(seen, e.Shard, e.To, to)
		done := p.reachesStore() && inc == p.inc && seen.Epoch == epoch && s.change(seen, next)
		outcome := HandedOver{Shard: e.Shard, To: e.To, Outcome: Unknown}
		switch {
		case done && p.w.chance(20):
			s.unknown++
		case done:
			outcome.Outcome, outcome.Incarnation, outcome.Epoch = Given, to, next.Epoch
		}
		p.later(5, func() { p.step(outcome) })
	})
}

func (p *proc) fence(e Fence) {
	s := &p.w.store
	if !p.reachesStore() {
		p.step(FenceFailed{e.Node})
		return
	}
	s.fences++
	if s.nodes[e.Node] == e.Incarnation {
		s.accepted++
		s.nodes[e.Node]++
		key := fmt.Sprint(e.Node, e.Incarnation)
		if s.fencedOnce[key] {
			p.w.t.Fatalf("%s was fenced twice", key)
		}
		s.fencedOnce[key] = true
		if p.w.chance(10) {
			s.unknown++
			p.step(FenceFailed{e.Node})
			return
		}
	}
	inc := s.nodes[e.Node]
	p.later(5, func() { p.step(Raised{e.Node, inc}) })
}

func (p *proc) beat() {
	if p.inc == 0 || p.away || p.state != Serving && p.state != Draining {
		return
	}
	p.count++
	p.w.store.beats[p.id] = Beat{p.id, p.inc, p.count, slices.Sorted(maps.Keys(p.view))}
}

func (p *proc) readBeats() {
	if !p.reachesStore() {
		return
	}
	s := &p.w.store
	rows := s.old
	if !p.w.chance(5) {
		rows = nil
		for _, id := range slices.Sorted(maps.Keys(s.beats)) {
			rows = append(rows, s.beats[id])
		}
		s.old = rows
	}
	p.read = append(p.read, rows)
	p.step(Beats{rows})
}

// Gossip.

// hears reports whether what one node says comes to another, by whatever way.
func (w *world) hears(from, to persistence.NodeID) bool {
	if len(w.cut) == 0 {
		return true
	}
	reached := map[persistence.NodeID]bool{from: true}
	for grown := true; grown; {
		grown = false
		for a := range reached {
			for _, b := range w.known {
				if !reached[b] && w.procs[b].up && !w.cut[[2]persistence.NodeID{a, b}] {
					reached[b], grown = true, true
				}
			}
		}
	}
	return reached[to]
}

// gossip brings what a process knows of the others up to date.
func (p *proc) gossip() {
	w := p.w
	for _, id := range w.known {
		o := w.procs[id]
		if id == p.id {
			continue
		}
		was, known := p.view[id]
		there := o.up && o.inc != 0 && o.m.touch.inGossip && w.hears(id, p.id) && w.hears(p.id, id) && !w.blind[[2]persistence.NodeID{p.id, id}]
		switch {
		case there:
			p.heard[id] = w.now
			if is := (Member{id, o.inc, o.state, o.cfg.Weight}); is != was {
				p.view[id] = is
				p.step(Seen{is})
			}
		case known && o.left && w.hears(id, p.id):
			delete(p.view, id)
			p.step(Gone{id, was.Incarnation, true})
		case known && w.now-p.heard[id] > 1500:
			delete(p.view, id)
			p.step(Gone{id, was.Incarnation, false})
		}
	}
}

// What happens to nodes.

// leave ends a process that has drained.
func (p *proc) leave() {
	if !p.fenced() && p.reachesStore() {
		p.w.store.nodes[p.id]++
	}
	p.up, p.left, p.leaving = false, true, false
}

func (p *proc) stop() {
	if p.up && !p.leaving {
		p.leaving = true
		p.step(Drain{})
	}
}

func (p *proc) kill() { p.up, p.left = false, false }

func (w *world) split(sides ...[]persistence.NodeID) {
	for i, a := range sides {
		for j, b := range sides {
			for _, x := range a {
				for _, y := range b {
					if i != j {
						w.cut[[2]persistence.NodeID{x, y}] = true
					}
				}
			}
		}
	}
}

// serves reports who serves a shard in the store's current epoch.
func (w *world) servers(shard persistence.Shard) (ids []persistence.NodeID) {
	row := w.store.rows[shard]
	for _, id := range w.ids() {
		p := w.procs[id]
		if epoch, open := p.open[shard]; p.up && open && epoch == row.Epoch && !p.fenced() {
			ids = append(ids, id)
		}
	}
	return ids
}
