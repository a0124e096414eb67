package replicated

import (
	"fmt"
	"maps"
)

// nodeRow is a node's register: its incarnation, and the token of the boot that
// raised it, 0 for a fence. It is changed by conditional writes only. An owner's
// check reads the copies, as they are, and a change reaches them when it is
// committed.
type nodeRow struct {
	inc    int
	token  int
	copies [replicas]int
}

// shardRow is the shard's register.
type shardRow struct {
	epoch int
	owner int // a node
	inc   int // of the owner, when it took the shard
	low   position
	token int // of the claim that made the epoch
	seals map[int]position
}

const nobody = -1

// same reports whether nothing differs that a claim was decided on.
func (r shardRow) same(o shardRow) bool {
	return r.epoch == o.epoch && r.owner == o.owner && r.inc == o.inc && r.low == o.low
}

// claimed returns the row in which the epoch has ended and the next begun.
func (r shardRow) claimed(owner, inc int, seal position, token int) shardRow {
	seals := maps.Clone(r.seals)
	seals[r.epoch] = seal
	return shardRow{epoch: r.epoch + 1, owner: owner, inc: inc, low: r.low, token: token, seals: seals}
}

func (r shardRow) String() string {
	return fmt.Sprintf("epoch %d of node %d (incarnation %d), low %s, seals %v", r.epoch, r.owner, r.inc, r.low, r.seals)
}

// result is what a conditional change came to, as far as who asked for it
// knows.
type result int

const (
	applied result = iota
	refused
	// uncertain: it was applied, or was not, or will be.
	uncertain
)

// change asks for a conditional change (a lightweight transaction). commit, if
// any, brings it to the copies that plain reads see.
func (t *task) change(try func() bool, commit func()) result {
	w := t.p.w
	t.pause()
	switch n := w.rng.IntN(w.doubts); {
	case n > 2 || w.calm:
	case n == 0:
		w.noteIf(try(), "a change is applied, and nobody hears of it")
		return uncertain
	case n == 1:
		w.late = append(w.late, try)
		return uncertain
	default:
		return uncertain
	}
	if !try() {
		t.pause()
		return refused
	}
	if commit != nil {
		commit()
	}
	t.pause()
	return applied
}

// runLate executes a change whose asker has long turned to other things.
func (w *world) runLate() bool {
	if len(w.late) == 0 {
		return false
	}
	i := w.rng.IntN(len(w.late))
	try := w.late[i]
	w.late = append(w.late[:i:i], w.late[i+1:]...)
	w.noteIf(try(), "a change is applied late")
	return true
}

// commit brings a node's incarnation to two copies.
func (w *world) commit(node int) {
	order := w.rng.Perm(replicas)
	for _, i := range order[:2] {
		w.nodes[node].copies[i] = w.nodes[node].inc
	}
}

// spread brings the incarnation of a node to one more copy.
func (w *world) spread() bool {
	n, i := &w.nodes[w.rng.IntN(nodes)], w.rng.IntN(replicas)
	if n.copies[i] == n.inc {
		return false
	}
	n.copies[i] = n.inc
	return true
}

// readNode is a SERIAL read: it sees every change that was applied, and commits
// one that was not committed.
func (t *task) readNode(node int) nodeRow {
	t.p.w.commit(node)
	row := t.p.w.nodes[node]
	t.pause()
	return row
}

// readCopies is a plain read of an incarnation at QUORUM.
func (t *task) readCopies(node int) int {
	w := t.p.w
	order := w.rng.Perm(replicas)
	inc := w.nodes[node].copies[order[0]]
	t.pause()
	if !w.broken(checkAtOne) {
		inc = max(inc, w.nodes[node].copies[order[1]])
	}
	t.pause()
	return inc
}

// raiseNode changes a node's incarnation from what was seen.
func (t *task) raiseNode(node, seen, token int) result {
	w := t.p.w
	return t.change(func() bool {
		row := &w.nodes[node]
		if row.inc != seen {
			return false
		}
		row.inc, row.token = seen+1, token
		w.tell("registers", "node %d is incarnation %d, token %d", node, row.inc, token)
		w.lateToHear(node)
		return true
	}, func() { w.commit(node) })
}

// readShard is a SERIAL read.
func (t *task) readShard() shardRow {
	row := t.p.w.row
	t.pause()
	return row
}

// claimShard is the one conditional change that ends an epoch and begins the
// next.
func (t *task) claimShard(seen, next shardRow) result {
	w := t.p.w
	return t.change(func() bool {
		is := w.row
		if w.broken(claimBlindToDeletion) || w.broken(noLowCondition) {
			seen.low = is.low
		}
		if w.broken(conditionEpochOnly) {
			seen.owner, seen.inc = is.owner, is.inc
		}
		if w.broken(claimUnconditionally) && is.epoch > 0 {
			seen = is
			next = is.claimed(next.owner, next.inc, firstOf(is.epoch)+next.seals[next.epoch-1]%positionsOfEpoch, next.token)
		}
		if !is.same(seen) {
			return false
		}
		if !w.broken(moveForgetsLow) {
			next.low = is.low
		}
		w.row = next
		w.tell("registers", "shard: %s", next)
		w.checker.sealed(next.epoch-1, next.seals[next.epoch-1])
		return true
	}, nil)
}

// raiseLow changes the low mark under the epoch of the row that was seen.
func (t *task) raiseLow(seen shardRow, low position) result {
	w := t.p.w
	return t.change(func() bool {
		if !w.row.same(seen) && !w.broken(lowUnderAnyEpoch) {
			return false
		}
		w.row.low = max(w.row.low, low)
		w.tell("registers", "low is %s", w.row.low)
		return true
	}, nil)
}
