package entity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
)

// minutes say what was asked of chronicles, and what was answered. Some of that shows at
// once to be wrong; the rest when they are held against the log, which has the order
// in which everything happened: each answer has to be what the events below its
// token make.
type minutes struct {
	mu     sync.Mutex
	number uint32 // of the last order
	// known is how far an answer has come: what is asked from now on must come
	// as far.
	known   map[persistence.Shard]persistence.Position
	asked   []*asked
	walks   []*walk
	ended   map[outcome]int
	wrong   []string
	wrongs  int
	longest time.Duration // that a call took
}

func newMinutes() *minutes {
	return &minutes{known: make(map[persistence.Shard]persistence.Position), ended: make(map[outcome]int)}
}

// asked is a command or question.
type asked struct {
	id       string
	shard    persistence.Shard
	order    order // of a question, only where it looks
	question bool
	sender   int  // who asks, in an order that has to be kept for each chronicle
	bulk     bool // and may be overtaken by what is not
	limited  bool // its context may end before it does
	any      bool // it may be answered from memory, however old
	low      persistence.Position
	begun    time.Time

	outcome  outcome
	position persistence.Position // of its token
	seen     string
}

type outcome int

const (
	underWay outcome = iota
	answered
	rejected
	unknown
	unavailable
	overloaded
)

var outcomeNames = []string{"under way", "answered", "rejected", "unknown", "unavailable", "overloaded"}

func (o outcome) String() string { return outcomeNames[o] }

func (a *asked) String() string {
	what := "a question"
	if !a.question {
		what = fmt.Sprintf("command %d (%d events)", a.order.number, a.order.parts)
	}
	return fmt.Sprintf("%s to %s (%s)", what, a.id, a.outcome)
}

// complain notes what is wrong; m.mu is held.
func (m *minutes) complain(format string, args ...any) {
	if m.wrongs++; len(m.wrong) < 10 {
		m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
	}
}

// newOrder numbers an order.
func (m *minutes) newOrder(o order) order {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.number++
	o.number = m.number
	return o
}

// begin notes what is about to be asked.
func (m *minutes) begin(a asked) *asked {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.begun = time.Now(); !a.any {
		a.low = m.known[a.shard]
	}
	m.asked = append(m.asked, &a)
	return &a
}

// end notes the outcome.
func (m *minutes) end(a *asked, seen sight, token entity.Token, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.outcome != underWay {
		m.complain("%s was told twice, the second time %v", a, err)
		return
	}
	took := time.Since(a.begun)
	m.longest = max(m.longest, took)
	if took > patience {
		m.complain("%s took %s", a, took)
	}
	a.outcome = m.outcome(a, err)
	m.ended[a.outcome]++
	var r *entity.Rejection
	switch {
	case a.outcome > rejected:
		return
	case errors.As(err, &r):
		a.seen = r.Message
	default:
		a.seen = fmt.Sprint(seen)
	}
	a.position = token.Position
	if token.Shard != a.shard || a.position < a.low {
		m.complain("%s had come to %s of shard %d; when it was asked, an answer had come to %s of shard %d",
			a, token.Position, token.Shard, a.low, a.shard)
	}
	m.known[a.shard] = max(m.known[a.shard], a.position)
}

// patience is longer than all pauses of shards and entities that start again.
const patience = 5 * time.Minute

// outcome tells outcomes apart: an error is one of those that are documented, and
// one that is to happen. m.mu is held.
func (m *minutes) outcome(a *asked, err error) outcome {
	if err == nil {
		return answered
	}
	var r *entity.Rejection
	if errors.As(err, &r) {
		if !a.order.refuse || r.Reason != "TOLD_TO" {
			m.complain("%s: rejected with %q", a, r.Message)
		}
		return rejected
	}
	if o := m.failure(err, a.limited); o != underWay {
		if o == unknown && (a.question || a.order.parts == 0 && !a.limited) {
			m.complain("%s, which has no events: %v", a, err)
		}
		return o
	}
	m.complain("%s: an error that nobody expects: %v", a, err)
	return unknown
}

// failure returns the outcome that an error says, underWay if it is none that may
// come. m.mu is held.
func (m *minutes) failure(err error, limited bool) outcome {
	all := []error{entity.ErrUnknown, entity.ErrUnavailable, entity.ErrOverloaded, entity.ErrCrashed, entity.ErrCorrupt, entity.ErrUnknownKind}
	var is outcome
	n := 0
	for i, target := range all {
		if errors.Is(err, target) {
			n++
			is = unknown + outcome(i)
		}
	}
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if n != 1 || is > overloaded || ended && !limited {
		return underWay
	}
	return is
}

// left returns what has no outcome.
func (m *minutes) left() (left []*asked) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.asked {
		if a.outcome == underWay {
			left = append(left, a)
		}
	}
	return left
}

// walk is what a listing, or a look into an index, came upon.
type walk struct {
	byNumber bool
	low      map[persistence.Shard]persistence.Position
	entries  []entity.Entry
	next     map[string]persistence.Position // where a chronicle's shard had come to at the end, 0 if that is not known
}

// beginWalk notes what the walk must have.
func (m *minutes) beginWalk(byNumber bool) *walk {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &walk{byNumber: byNumber, low: make(map[persistence.Shard]persistence.Position)}
	for shard, p := range m.known {
		w.low[shard] = p
	}
	return w
}

// endWalk notes what it came upon.
func (m *minutes) endWalk(w *walk, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.walks = append(m.walks, w)
	case m.failure(err, false) == underWay, errors.Is(err, entity.ErrUnknown):
		m.complain("a walk ended with %v", err)
	}
}

// done is a command in the log.
type done struct {
	asked      *asked
	begin, end persistence.Position
	after      account // it
}

// hold holds the minutes against the log.
func (m *minutes) hold(log map[string][]chronicleEvent, shardOf func(id string) persistence.Shard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	orders := make(map[uint32]*asked)
	for _, a := range m.asked {
		if !a.question {
			orders[a.order.number] = a
		}
	}
	did := make(map[uint32]done)
	histories := make(map[string][]done)
	for id, events := range log {
		histories[id] = m.history(id, events, orders)
		for _, d := range histories[id] {
			if _, twice := did[d.asked.order.number]; twice {
				m.complain("%s happened twice, the second time at %s", d.asked, d.begin)
			}
			did[d.asked.order.number] = d
		}
	}
	for _, a := range m.asked {
		d, happened := did[a.order.number]
		m.judge(a, d, happened && !a.question, histories[a.id])
	}
	for _, w := range m.walks {
		m.judgeWalk(w, histories, shardOf)
	}
}

// history returns the commands that a chronicle's events are of: each is whole, and
// those of one sender are in the order in which they were sent.
func (m *minutes) history(id string, events []chronicleEvent, orders map[uint32]*asked) (all []done) {
	var now account
	type lane struct {
		sender int
		bulk   bool
	}
	last := make(map[lane]uint32)
	for len(events) > 0 {
		first := events[0]
		a := orders[first.number]
		if a == nil || first.deletes || first.part != 0 || a.id != id || a.order.parts != first.parts || len(events) < int(first.parts) {
			m.complain("%s has at %s a part of what was not asked of it: %v", id, first.at, first.posting)
			return all
		}
		for part, e := range events[:first.parts] {
			want := posting{first.number, uint8(part), first.parts}
			deletes := part > 0 && part == int(a.order.erase)
			if e.deletes != deletes || !deletes && e.posting != want || e.at != first.at+persistence.Position(part) {
				m.complain("%s is in the log in part: it has %v at %s where part %d should be", a, e.posting, e.at, part)
			}
			now.apply(e)
		}
		if l := (lane{a.sender, a.bulk}); last[l] > first.number {
			m.complain("%s came behind number %d of the same sender", a, last[l])
		} else {
			last[l] = first.number
		}
		events = events[first.parts:]
		all = append(all, done{a, first.at, first.at + persistence.Position(first.parts), now})
	}
	return all
}

// judge holds an outcome against what happened.
func (m *minutes) judge(a *asked, d done, happened bool, history []done) {
	wrote := a.outcome == answered && !a.question && a.order.parts > 0
	switch {
	case a.outcome == underWay:
		m.complain("%s has no outcome", a)
		return
	case happened && (a.outcome == unavailable || a.outcome == overloaded || a.outcome == rejected):
		m.complain("%s happened, at %s", a, d.begin)
		return
	case wrote && !happened:
		m.complain("%s is lost; it was at %s", a, a.position)
		return
	case wrote && d.end != a.position:
		m.complain("%s ends at %s in the log, and its token says %s", a, d.end, a.position)
	case happened && d.begin < a.low:
		m.complain("%s is at %s, and an answer before it had come to %s", a, d.begin, a.low)
	}
	if a.outcome > rejected {
		return
	}
	upTo := a.position
	if wrote {
		upTo = d.begin
	}
	if want, _ := stateAt(history, upTo); a.seen != fmt.Sprint(want.seen(a.order.look)) {
		as := "never was"
		for _, d := range history {
			if a.seen == fmt.Sprint(d.after.seen(a.order.look)) {
				as = fmt.Sprintf("was so after %s", d.end)
			}
		}
		m.complain("%s saw what it should not: at %s it is %v, and it saw %s, which %s", a, upTo, want.seen(a.order.look), a.seen, as)
	}
}

// stateAt returns what a chronicle was when its events went to a position, and how
// many commands that are.
func stateAt(history []done, p persistence.Position) (account, int) {
	n, _ := slices.BinarySearchFunc(history, p, func(d done, p persistence.Position) int {
		if d.end <= p {
			return -1
		}
		return 1
	})
	if n == 0 {
		return account{}, 0
	}
	return history[n-1].after, n
}

// judgeWalk holds what a walk came upon against what there was, from what was known
// when it began to what there was when it ended.
func (m *minutes) judgeWalk(w *walk, histories map[string][]done, shardOf func(id string) persistence.Shard) {
	found := make(map[string][]string)
	for i, e := range w.entries {
		if i > 0 && (w.entries[i-1].Key > e.Key || w.entries[i-1].Key == e.Key && w.entries[i-1].ID >= e.ID) {
			m.complain("a walk came upon %v after %v", e, w.entries[i-1])
		}
		found[e.ID] = append(found[e.ID], e.Key)
		if len(histories[e.ID]) == 0 {
			m.complain("a walk came upon %v, which never was", e)
		}
	}
	for id, history := range histories {
		low := w.low[shardOf(id)]
		state, n := stateAt(history, low)
		could := []string{w.entry(state)}
		for _, d := range history[n:] {
			if w.next[id] == 0 || d.begin < w.next[id] {
				could = append(could, w.entry(d.after))
			}
		}
		slices.Sort(could)
		could = slices.Compact(could)
		for _, key := range found[id] {
			if !slices.Contains(could, "="+key) {
				m.complain("a walk came upon %q for %s, which was one of %q since %s", key, id, could, low)
			}
		}
		if len(found[id]) == 0 && len(could) == 1 && could[0] != "" {
			m.complain("a walk did not come upon %s, which was %q since %s", id, could[0], low)
		}
	}
}

// entry returns what a walk finds of a chronicle, "" for nothing.
func (w *walk) entry(a account) string {
	switch {
	case w.byNumber && a.entry() != "":
		return "=" + a.entry()
	case !w.byNumber && a.listed:
		return "="
	}
	return ""
}
