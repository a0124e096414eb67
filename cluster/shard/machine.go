package shard

import (
	"cmp"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// Machine is what one node knows of the others and of all shards, and what it does
// about it. Make it with [New].
type Machine struct {
	cfg Config
	now Millis
	out []Effect

	// Of the node itself.
	state    State // as announced
	inc      persistence.Incarnation
	draining bool
	touch    touch

	nodes  []*node // in order of their ids
	self   *node   // this one, among them
	alloc  allocator
	tabled Millis // when the table changed last
	told   Millis // when all that is served was told last

	shards []slot
	// taking and handing are how many are under way; short says that a shard has to
	// wait for one to end.
	taking, handing int
	short           bool
	drained         *Drained // as said last
}

// slot is what is known of one shard.
type slot struct {
	number persistence.Shard

	// owner is the newest word of whose it is, with no node when there was none. Its
	// epoch only rises.
	owner  Owner
	holder *node // of that id
	heard  Millis
	open   bool // it is served here; then owner is this node
	doing  doing
	to     persistence.NodeID // who it is being handed over to

	// target is who the table says should have it, since when.
	target persistence.NodeID
	since  Millis

	opened Millis // when it was opened, while it is open
	// gave says that this node handed it to another, and when. If it comes back soon,
	// it rests here until then, or until the one that gave it back is not what it was.
	gave   bool
	gaveAt Millis
	rest   Millis
	giver  Owner

	pinned bool
	moving bool // an operator waits for the hand-over that is under way

	backoff backoff
	routed  Route
}

type doing uint8

const (
	idle doing = iota
	taking
	handing
)

// backoff says when something may be tried again.
type backoff struct{ at, pause Millis }

func (b *backoff) fail(m *Machine) { b.failFor(m, m.cfg.Retry, m.cfg.RetryMost) }

func (b *backoff) failFor(m *Machine, least, most Millis) {
	b.pause = min(max(2*b.pause, least), max(most, least))
	b.at = m.now + b.pause
}

func (b *backoff) reset() { *b = backoff{} }

// New returns the machine of a node that has not joined anything yet. The error says
// what in the configuration can't be used.
func New(cfg Config) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg, state: Joining, shards: make([]slot, cfg.Shards)}
	for i := range m.shards {
		m.shards[i].number = persistence.Shard(i)
		m.shards[i].routed.Shard = persistence.Shard(i)
	}
	m.self = m.node(cfg.Node)
	return m, nil
}

// Step takes an input and returns what is to be done, in its order.
func (m *Machine) Step(in Input) []Effect {
	m.out = nil
	switch in := in.(type) {
	case Tick:
		m.now = max(m.now, in.Now)
		m.retell()
	case JoinedStore:
		m.joinedStore(in.Incarnation)
	case JoinedGossip:
		m.touch.inGossip, m.touch.met = true, m.now
	case Seen:
		m.seen(in.Member)
	case Gone:
		m.gone(in)
	case Link:
		m.link(m.node(in.Node), in.Up)
	case Beats:
		m.beats(in.Rows)
	case Checked:
		m.checked(in.OK)
	case Raised:
		m.fenced(in)
	case FenceFailed:
		m.fenceFailed(in.Node)
	case Owns:
		for _, w := range in.Words {
			if s := m.slot(w.Shard); s != nil {
				m.learn(s, w)
			}
		}
	case Drain:
		m.draining, m.drained = true, nil // whoever asks again is told again
	case Move:
		m.move(in)
	default:
		m.ofShard(in)
		return m.out
	}
	m.settle()
	return m.out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// settle does what there is to do after anything that may touch more than one shard.
func (m *Machine) settle() {
	m.stand()
	m.retable()
	m.suspect()
	m.short = false
	for i := range m.shards {
		m.visit(&m.shards[i])
	}
	m.sayDrained()
}

// ofShard takes an input that is about one shard, which costs no look at the others,
// but to let one of them have the place that became free.
func (m *Machine) ofShard(in Input) {
	var s *slot
	busy := m.taking + m.handing
	switch in := in.(type) {
	case Opened:
		if s = m.slot(in.Shard); s != nil {
			m.opened(s, in.Epoch)
		}
	case Refused:
		if s = m.slot(in.Owner.Shard); s != nil {
			m.refused(s, in.Owner)
		}
	case TakeFailed:
		if s = m.slot(in.Shard); s != nil {
			m.takeFailed(s)
		}
	case Lost:
		if s = m.slot(in.Shard); s != nil {
			m.lost(s)
		}
	case HandedOver:
		if s = m.slot(in.Shard); s != nil {
			m.handedOver(s, in)
		}
	case Owner:
		if s = m.slot(in.Shard); s != nil {
			m.learn(s, in)
		}
	}
	switch {
	case s == nil: // a shard that no store of this cluster has
	case m.short && m.taking+m.handing < busy:
		m.settle()
	default:
		m.visit(s)
		m.sayDrained()
	}
}

func (m *Machine) slot(n persistence.Shard) *slot {
	if int(n) >= len(m.shards) {
		return nil
	}
	return &m.shards[n]
}

// visit does what there is to do about one shard.
func (m *Machine) visit(s *slot) {
	switch {
	case s.doing != idle:
	case s.open:
		m.mayHandOver(s)
	default:
		m.mayTake(s)
	}
	m.route(s)
}

// joinedStore begins anew as another incarnation: what the former one had is for
// whoever takes it.
func (m *Machine) joinedStore(inc persistence.Incarnation) {
	first := m.inc == 0
	if inc <= m.inc {
		return
	}
	m.inc = inc
	m.raised(m.cfg.Node, inc)
	for i := range m.shards {
		s := &m.shards[i]
		m.stop(s)
		if s.open || s.owner.Node == m.cfg.Node {
			s.open, s.pinned = false, false
			s.backoff.reset()
			if !first {
				s.backoff.at = m.now + m.cfg.HoldOff
			}
		}
	}
	if !first {
		m.emit(Announce{m.state}) // with the new incarnation
	}
}

// stop ends what is under way with a shard.
func (m *Machine) stop(s *slot) {
	switch s.doing {
	case taking:
		m.taking--
	case handing:
		m.handing--
		if s.moving {
			m.emit(Moved{s.number, s.to, "it is not known yet whose it is; look again"})
		}
	case idle:
	}
	s.doing, s.to, s.moving = idle, "", false
}

// retable computes the table anew, if there is reason to.
func (m *Machine) retable() {
	if !m.stale() {
		return
	}
	members := m.members()
	m.alloc.forget(members)
	for i, node := range m.alloc.table(members, m.cfg.Shards) {
		if s := &m.shards[i]; s.target != node {
			s.target, s.since = node, m.now
		}
	}
	m.tabled = m.now
}

// members are the nodes as the table sees them.
func (m *Machine) members() []Member {
	var members []Member
	for _, n := range m.nodes {
		if m.serves(n) {
			members = append(members, n.member)
		}
	}
	return members
}

// stale reports whether the table is of other members than there are.
func (m *Machine) stale() (stale bool) {
	for _, n := range m.nodes {
		weight := uint32(0)
		if m.serves(n) {
			weight = n.member.Weight
		}
		if n.tabled != weight {
			n.tabled, stale = weight, true
		}
	}
	return stale
}

// node returns what is known of a node, after making room for one that is new.
func (m *Machine) node(id persistence.NodeID) *node {
	at, found := slices.BinarySearchFunc(m.nodes, id, func(n *node, id persistence.NodeID) int { return cmp.Compare(n.id, id) })
	if !found {
		m.nodes = slices.Insert(m.nodes, at, &node{id: id, since: m.now})
	}
	return m.nodes[at]
}
