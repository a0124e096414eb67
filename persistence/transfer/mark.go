package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// A target belongs to the copy until it is done, in two ways. Its shards are
// claimed for a node of the copy's own, which nobody has fenced: a node that comes
// to open them is refused as by any other owner. And each shard has an entity of
// a kind that no program has: should somebody fence the copy, because nothing is
// heard of it, no node starts with that kind in its store. The entity's page is the
// copy's memory. At the end the pages go, and then the copy fences itself.
//
// A shard that was not done when a copy broke off is written anew in a further
// epoch, and the one before is sealed at its beginning: whatever of it is there,
// or still comes, counts for nothing. So it need not be known, nor be the same.
const (
	markKind = "unfinished-copy"
	markPage = "state"
	copyNode = persistence.NodeID(markKind)
)

// Places of the mark's states in an epoch.
const (
	markClaimed = iota
	markBegun
	markDone
	markGone
)

// mark is what the target says of one of its shards.
type mark struct {
	// Source is the id of the store that is copied.
	Source string `json:"source"`
	// Epoch is the one that it speaks of.
	Epoch persistence.Epoch `json:"epoch"`
	// Begun says that something may have been written in this epoch, Done
	// that all of it was, and compared.
	Begun bool `json:"begun"`
	Done  bool `json:"done"`
	// From are the shards that went into this one, when they were read.
	From []state `json:"from,omitempty"`
}

// state says of a shard of the source whether it is still the same.
type state struct {
	Shard       persistence.Shard       `json:"shard"`
	Epoch       persistence.Epoch       `json:"epoch"`
	Owner       persistence.NodeID      `json:"owner"`
	Incarnation persistence.Incarnation `json:"incarnation"`
	Low         persistence.Position    `json:"low"`
	Checkpoint  persistence.Position    `json:"checkpoint"`
	End         persistence.Position    `json:"end"`
}

// Unfinished reports whether a store is a copy that was not finished, and of which
// store. It says nothing of what else is in it.
func Unfinished(ctx context.Context, store persistence.Store) (source string, ok bool, err error) {
	for n := range persistence.Shard(store.Info().Shards) {
		m, ok, err := readMark(ctx, store, n)
		if ok || err != nil {
			return m.Source, ok, err
		}
	}
	node, err := store.Ownership().Node(ctx, copyNode)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	row, err := store.Ownership().Shard(ctx, 0)
	if err != nil {
		return "", false, err
	}
	// All that is left to do may be the last step.
	return "unknown", row.Owner == copyNode && row.Incarnation == node.Incarnation, nil
}

// markKey names the mark of a shard: an entity that is at home in it.
func markKey(shard persistence.Shard, shards uint32) persistence.PageKey {
	for i := 0; ; i++ {
		id := fmt.Sprintf("shard-%d-%d", shard, i)
		if persistence.ShardOf(markKind, id, shards) == shard {
			return persistence.PageKey{Shard: shard, Kind: markKind, ID: id, Page: markPage}
		}
	}
}

func readMark(ctx context.Context, store persistence.Store, shard persistence.Shard) (m mark, ok bool, err error) {
	page, err := store.Pages().Read(ctx, markKey(shard, store.Info().Shards))
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return m, false, nil
	case err != nil:
		return m, false, err
	}
	if err := json.Unmarshal(page.Data, &m); err != nil {
		return m, false, &persistence.CorruptError{Record: "page", Key: page.Key.String(), Reason: err.Error()}
	}
	return m, true, nil
}

func writeMark(ctx context.Context, store persistence.Store, shard persistence.Shard, at persistence.Position, m *mark) error {
	page := persistence.Page{Key: markKey(shard, store.Info().Shards), Position: at, Version: 1, Deleted: m == nil}
	if m != nil {
		data, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("transfer: %w", err)
		}
		page.Data = data
	}
	return store.Pages().Write(ctx, []persistence.Page{page})
}

// target is the target as the copy owns it.
type target struct {
	c      *copying
	node   persistence.NodeRow
	shards []targetShard
}

type targetShard struct {
	row  persistence.ShardRow
	mark mark
	gone bool // the mark: the copy was being finished
}

// begin takes an empty target, or goes on with one.
func (c *copying) begin(ctx context.Context) (*target, error) {
	t := &target{c: c, shards: make([]targetShard, c.to.Info().Shards)}
	own := c.to.Ownership()
	node, err := own.Node(ctx, copyNode)
	fresh := errors.Is(err, persistence.ErrNotFound)
	if err != nil && !fresh {
		return nil, err
	}
	for n := range t.shards {
		if err := t.look(ctx, persistence.Shard(n), fresh, node); err != nil {
			return nil, err
		}
	}
	if fresh {
		inc, err := own.Boot(ctx, copyNode, fmt.Sprintf("(a copy of the store %s that is not finished; go on with mesonet store copy)", c.from.Info().ID))
		if err != nil {
			return nil, err
		}
		node = persistence.NodeRow{ID: copyNode, Incarnation: inc}
	}
	t.node = node
	c.done.Resumed = !fresh
	return t, t.claim(ctx)
}

// look finds out what is in a shard of the target, and refuses what is no part of
// this copy.
func (t *target) look(ctx context.Context, n persistence.Shard, fresh bool, node persistence.NodeRow) error {
	c, s := t.c, &t.shards[n]
	var err error
	if s.row, err = c.to.Ownership().Shard(ctx, n); err != nil {
		return err
	}
	m, there, err := readMark(ctx, c.to, n)
	if err != nil {
		return err
	}
	s.mark = m
	switch {
	case there && m.Source != c.from.Info().ID.String():
		return fmt.Errorf("%w: it is an unfinished copy of another store, %s; finish that, or take an empty one", ErrNotEmpty, m.Source)
	case s.row.Epoch == 0 && !there:
		return t.empty(ctx, n)
	case !fresh && !there && s.row.Owner == copyNode && s.row.Incarnation < node.Incarnation:
		return ErrFinished
	case fresh:
		return fmt.Errorf("%w: shard %d belongs to %q; take an empty one", ErrNotEmpty, n, s.row.Owner)
	case s.row.Epoch != 0 && (s.row.Owner != copyNode || s.row.Incarnation != node.Incarnation):
		if !there {
			return fmt.Errorf("%w: shard %d belongs to %q; take an empty one", ErrNotEmpty, n, s.row.Owner)
		}
		return fmt.Errorf("%w: shard %d of the unfinished copy belongs to %q; begin anew with an empty target", ErrTaken, n, s.row.Owner)
	}
	s.gone = !there
	return nil
}

// empty returns an error unless there is nothing in a shard without an owner.
func (t *target) empty(ctx context.Context, n persistence.Shard) error {
	for p, err := range t.c.to.Pages().Scan(ctx, n, persistence.PageKey{}, true) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: shard %d has the page %s; take an empty one", ErrNotEmpty, n, p.Key)
	}
	for f, err := range t.c.to.Log().Read(ctx, n, persistence.At(persistence.FirstEpoch, 0)) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: shard %d has events at %s; take an empty one", ErrNotEmpty, n, f.Position)
	}
	return nil
}

// claim makes all shards the copy's, each in an epoch in which nothing was
// written, but for those that are done.
func (t *target) claim(ctx context.Context) error {
	for n := range t.shards {
		s := &t.shards[n]
		if s.gone && slices.ContainsFunc(t.shards, func(o targetShard) bool { return !o.gone && !o.mark.Done }) {
			return fmt.Errorf("%w: shard %d has lost the mark of the unfinished copy; begin anew with an empty target", ErrTaken, n)
		}
		if s.gone || s.row.Epoch != 0 && s.row.Epoch == s.mark.Epoch && (s.mark.Done || !s.mark.Begun) {
			continue
		}
		if err := t.claimShard(ctx, persistence.Shard(n), s); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) claimShard(ctx context.Context, n persistence.Shard, s *targetShard) error {
	next, seal := persistence.FirstEpoch, persistence.Position(0)
	if s.row.Epoch != 0 {
		next, seal = s.row.Epoch+1, persistence.At(s.row.Epoch, 0)
	}
	// The mark is first: there is no claim of the copy's without one.
	s.mark = mark{Source: t.c.from.Info().ID.String(), Epoch: next}
	if err := writeMark(ctx, t.c.to, n, persistence.At(next, markClaimed), &s.mark); err != nil {
		return err
	}
	row, err := t.c.to.Ownership().Claim(ctx, persistence.Claim{
		Shard: n, Owner: copyNode, Incarnation: t.node.Incarnation, Seen: s.row, Seal: seal,
	})
	if errors.Is(err, persistence.ErrLost) {
		return fmt.Errorf("%w: %w", ErrTaken, err)
	}
	if err != nil {
		return err
	}
	s.row = row
	if seal == 0 {
		return nil
	}
	return t.c.to.Log().Delete(ctx, n, persistence.At(next, 0)) // it counts for nothing, and takes room
}

// write takes note that something is about to be written to a shard.
func (t *target) write(ctx context.Context, n persistence.Shard) error {
	s := &t.shards[n]
	s.mark.Begun = true
	return writeMark(ctx, t.c.to, n, persistence.At(s.row.Epoch, markBegun), &s.mark)
}

// written takes note that a shard is done.
func (t *target) written(ctx context.Context, n persistence.Shard, from []state) error {
	if err := t.mine(ctx, n); err != nil {
		return err
	}
	s := &t.shards[n]
	s.mark.Done, s.mark.From = true, from
	return writeMark(ctx, t.c.to, n, persistence.At(s.row.Epoch, markDone), &s.mark)
}

// lower takes note that history below the beginning of a shard was dropped.
func (t *target) lower(ctx context.Context, n persistence.Shard) error {
	s := &t.shards[n]
	low := persistence.At(s.row.Epoch, 0)
	if s.row.Low == low {
		return nil
	}
	row, err := t.c.to.Ownership().RaiseLow(ctx, s.row, low)
	if errors.Is(err, persistence.ErrLost) {
		return fmt.Errorf("%w: %w", ErrTaken, err)
	}
	if err == nil {
		s.row = row
	}
	return err
}

// mine returns an error unless the shard is still the copy's, in the same epoch.
func (t *target) mine(ctx context.Context, n persistence.Shard) error {
	row, err := t.c.to.Ownership().Shard(ctx, n)
	switch {
	case err != nil:
		return err
	case !row.Same(t.shards[n].row):
		return fmt.Errorf("%w: shard %d is in epoch %d of %q; begin anew with an empty target", ErrTaken, n, row.Epoch, row.Owner)
	}
	return t.c.to.Ownership().Check(ctx, copyNode, t.node.Incarnation)
}

// unchanged returns an error unless the source is as it was when its shards were
// copied, by whichever call.
func (t *target) unchanged(ctx context.Context) error {
	for n := range t.shards {
		for _, was := range t.shards[n].mark.From {
			if err := t.c.unchanged(ctx, was); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *copying) unchanged(ctx context.Context, was state) error {
	s, ok, err := inspect.Open(ctx, c.from, was.Shard, c.found)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrDamaged
	}
	is := was
	is.Epoch, is.Owner, is.Incarnation, is.Low, is.Checkpoint = s.Row.Epoch, s.Row.Owner, s.Row.Incarnation, s.Row.Low, s.Checkpoint
	if was.Epoch != 0 { // what is there behind the end
		for f, err := range c.from.Log().Read(ctx, was.Shard, was.End) {
			if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
				return err
			}
			if f.Position == was.End {
				is.End = f.End()
			}
			break
		}
	}
	if is != was {
		return fmt.Errorf("%w: shard %d was in epoch %d of %q, with its checkpoint at %s and its end at %s, and is in epoch %d of %q, with these at %s and %s; stop whoever serves from it, and begin anew with an empty target",
			ErrChanged, was.Shard, was.Epoch, was.Owner, was.Checkpoint, was.End, is.Epoch, is.Owner, is.Checkpoint, is.End)
	}
	return nil
}

// finish gives the target away.
func (t *target) finish(ctx context.Context) error {
	for n := range t.shards {
		if err := t.mine(ctx, persistence.Shard(n)); err != nil {
			return err
		}
	}
	for n := range t.shards {
		s := &t.shards[n]
		if s.gone {
			continue
		}
		if err := writeMark(ctx, t.c.to, persistence.Shard(n), persistence.At(s.row.Epoch, markGone), nil); err != nil {
			return err
		}
	}
	_, err := t.c.to.Ownership().Fence(ctx, copyNode, t.node.Incarnation)
	if errors.Is(err, persistence.ErrLost) {
		return nil // somebody else has: the same
	}
	return err
}

// Owners returns the nodes that own shards of a store and have not been fenced: they
// are running, or were not stopped in order.
func Owners(ctx context.Context, store persistence.Store) (nodes []persistence.NodeRow, err error) {
	own := store.Ownership()
	for n := range persistence.Shard(store.Info().Shards) {
		row, err := own.Shard(ctx, n)
		if err != nil {
			return nil, err
		}
		if row.Epoch == 0 || slices.ContainsFunc(nodes, func(o persistence.NodeRow) bool { return o.ID == row.Owner }) {
			continue
		}
		node, err := own.Node(ctx, row.Owner)
		if err != nil {
			return nil, err
		}
		if node.Incarnation == row.Incarnation {
			nodes = append(nodes, node)
		}
	}
	return nodes, nil
}
