package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// history is one shard, its nodes, and everything that is known of what they
// did: what was appended where, what was acknowledged, and what each opening of
// the shard has seen. It looks for contradictions as it goes.
//
// Pages are stood in for by one, which holds the events below its position. What
// an opening recovers is that page and the tail.
type history struct {
	t     *testing.T
	store *persistencetest.Faulty

	mu       sync.Mutex
	placed   map[persistence.Position]string // I8, I15: once for ever
	acked    map[persistence.Position]string
	openings []opening // by epoch
	shards   []*open   // handles, the last one opened last
	changed  chan struct{}
	broken   []string

	handed atomic.Int64 // how often it was handed over

	// For I5: when frames became durable, and when the checks began that found
	// a node's incarnation unchanged, by the numbers of operations.
	tick    int
	begun   map[int]int
	durable map[persistence.Position]int
	checked map[incarnation]int
}

type incarnation struct {
	node persistence.NodeID
	inc  persistence.Incarnation
}

// open is a shard in the hands of a journal.
type open struct {
	shard *journal.Shard
	by    incarnation
}

// opening is what was recovered when the shard was opened.
type opening struct {
	epoch  persistence.Epoch
	end    persistence.Position
	events map[persistence.Position]string
}

const theShard persistence.Shard = 0

var thePage = persistence.PageKey{Shard: theShard, Kind: "test", ID: "all", Page: "events"}

func newHistory(t *testing.T, remote bool) *history {
	h := &history{
		t: t, store: newStore(t, remote), changed: make(chan struct{}),
		placed: make(map[persistence.Position]string), acked: make(map[persistence.Position]string),
		begun: make(map[int]int), durable: make(map[persistence.Position]int), checked: make(map[incarnation]int),
	}
	h.heal()
	return h
}

// heal takes the faults away, and leaves those who watch.
func (h *history) heal() {
	h.store.Heal()
	h.store.Inject(&persistencetest.Fault{Name: "watch", Before: h.begins, After: h.ends})
}

func (h *history) begins(_ context.Context, op persistencetest.Op) error {
	if op.Kind == persistencetest.OpCheck {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tick++
		h.begun[op.N] = h.tick
	}
	return nil
}

func (h *history) ends(_ context.Context, op persistencetest.Op) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	switch op.Kind {
	case persistencetest.OpAppend:
		for i := range op.Frame.Count {
			h.durable[op.Frame.Position+persistence.Position(i)] = h.tick
		}
	case persistencetest.OpCheck:
		by := incarnation{op.Node, op.Incarnation}
		h.checked[by] = max(h.checked[by], h.begun[op.N])
	}
	return nil
}

// wrong notes a contradiction; h.mu is held.
func (h *history) wrong(format string, args ...any) {
	if len(h.broken) < 10 {
		h.broken = append(h.broken, fmt.Sprintf(format, args...))
	}
}

// append appends the events of one command, and is told what becomes of them.
// done, if not nil, is called then.
func (h *history) append(o *open, w *journal.Writer, events []string, done func()) {
	records := make([]journal.Record, len(events))
	for i, text := range events {
		records[i] = journal.Record{Type: noted, Payload: []byte(text)}
	}
	h.mu.Lock()
	end, err := o.shard.Append(w, records)
	first := end - persistence.Position(len(events))
	for i, text := range events {
		p := first + persistence.Position(i)
		if err != nil {
			break
		}
		if before, ok := h.placed[p]; ok {
			h.wrong("I15: %s was given to %q and to %q", p, before, text)
		}
		h.placed[p] = text
	}
	h.mu.Unlock()
	if err != nil {
		done()
		return
	}
	o.shard.Wait(end, told(func(err error) {
		if err == nil {
			h.acknowledged(o, first, events)
		}
		done()
	}))
}

// confirm asks without writing; a good answer needs a check that began later.
func (h *history) confirm(o *open, done func()) {
	h.mu.Lock()
	h.tick++
	asked := h.tick
	h.mu.Unlock()
	o.shard.Confirm(o.shard.Acked(), told(func(err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil && h.checked[o.by] <= asked {
			h.wrong("I5: an answer to what was asked at %d, when the last good check of %v had begun at %d", asked, o.by, h.checked[o.by])
		}
		done()
	}))
}

type told func(error)

func (f told) Settled(err error) { f(err) }

// acknowledged notes events that a caller was told are safe.
func (h *history) acknowledged(o *open, first persistence.Position, events []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, text := range events {
		p := first + persistence.Position(i)
		if at, ok := h.durable[p]; !ok || h.checked[o.by] <= at {
			h.wrong("I5: %s was acknowledged; it was durable at %d (%t), the last good check of %v began at %d", p, at, ok, o.by, h.checked[o.by])
		}
		h.acked[p] = text
	}
}

// open opens the shard and compares what it recovers with what is known.
func (h *history) open(ctx context.Context, j *journal.Journal) (*open, error) {
	h.mu.Lock()
	before := make(map[persistence.Position]string, len(h.acked))
	for p, text := range h.acked {
		before[p] = text
	}
	h.mu.Unlock()
	s, tail, err := j.OpenShard(ctx, theShard)
	if err != nil {
		return nil, err
	}
	node, inc := j.Node()
	o := &open{s, incarnation{node, inc}}
	events := make(map[persistence.Position]string)
	for owner := range tail.Entities() {
		for _, r := range tail.Peek(owner.Kind, owner.ID) {
			events[r.Position] = string(r.Payload)
		}
	}
	ctx = context.WithoutCancel(ctx)
	paged, err := h.page(ctx)
	for err != nil { // the shard is open; the page can be asked for again
		paged, err = h.page(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, text := range paged {
		if in, ok := events[p]; p < tail.End() && ok && in != text {
			h.wrong("I8: %s is %q in the page and %q in the tail", p, text, in)
		} else if p < tail.End() {
			events[p] = text
		}
	}
	h.compare(opening{s.Epoch(), tail.End(), events}, before)
	h.shards = append(h.shards, o)
	close(h.changed)
	h.changed = make(chan struct{})
	return o, nil
}

// compare looks for contradictions between an opening, what had been
// acknowledged when it began, and all others; h.mu is held.
func (h *history) compare(o opening, acked map[persistence.Position]string) {
	for p, text := range acked {
		if p < persistence.At(o.epoch, 0) && o.events[p] != text {
			h.wrong("I6: %s was acknowledged as %q, and epoch %d recovered %q", p, text, o.epoch, o.events[p])
		}
	}
	for p, text := range o.events {
		if h.placed[p] != text {
			h.wrong("I8: epoch %d recovered %q at %s, where %q was put", o.epoch, text, p, h.placed[p])
		}
	}
	for _, other := range h.openings {
		older, newer := o, other
		if other.epoch < o.epoch {
			older, newer = other, o
		}
		if older.epoch == newer.epoch {
			h.wrong("I15: epoch %d was opened twice", o.epoch)
		}
		for p, text := range newer.events {
			if p < older.end && older.events[p] != text {
				h.wrong("I7: epoch %d recovered %q at %s, below %s, which epoch %d did not", newer.epoch, text, p, older.end, older.epoch)
			}
			if e := p.Epoch(); p >= older.end && e < older.epoch {
				h.wrong("I7: epoch %d recovered %q at %s, above the seal %s that epoch %d set", newer.epoch, text, p, older.end, older.epoch)
			}
		}
		for p, text := range older.events {
			if newer.events[p] != text {
				h.wrong("I6: epoch %d recovered %q at %s, and epoch %d %q", older.epoch, text, p, newer.epoch, newer.events[p])
			}
		}
	}
	h.openings = append(h.openings, o)
}

// page returns the events that the page holds.
func (h *history) page(ctx context.Context) (map[persistence.Position]string, error) {
	page, err := h.store.Pages().Read(ctx, thePage)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var events map[persistence.Position]string
	return events, json.Unmarshal(page.Data, &events)
}

// checkpoint stores what is acknowledged in the page, moves the checkpoint, and
// now and then deletes the log below. Any of it may fail.
func (h *history) checkpoint(ctx context.Context, o *open, forget bool) error {
	row, err := h.store.Ownership().Shard(ctx, theShard)
	if err != nil {
		return err
	}
	upTo := o.shard.Acked()
	events, err := h.page(ctx)
	if err != nil {
		return err
	}
	if events == nil {
		events = make(map[persistence.Position]string)
	}
	h.mu.Lock()
	for _, opened := range h.openings {
		if opened.epoch == o.shard.Epoch() {
			for p, text := range opened.events {
				events[p] = text
			}
		}
	}
	for p, text := range h.placed {
		if p >= persistence.At(o.shard.Epoch(), 0) && p < upTo {
			events[p] = text
		}
	}
	h.mu.Unlock()
	data, err := json.Marshal(events)
	if err != nil {
		return err
	}
	if err := h.store.Pages().Write(ctx, []persistence.Page{{Key: thePage, Position: upTo, Version: 1, Data: data}}); err != nil {
		return err
	}
	at, err := o.shard.Checkpoint(ctx, upTo)
	if err != nil || at == 0 || !forget || row.Epoch != o.shard.Epoch() {
		return err
	}
	if _, err := h.store.Ownership().RaiseLow(ctx, row, at); err != nil {
		return err
	}
	return h.store.Log().Delete(ctx, theShard, at)
}

// some returns the shard that was opened last, or now and then an older one, of
// an owner who does not know yet.
func (h *history) some(rng *rand.Rand) *open {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.shards) == 0 {
		return nil
	}
	return h.shards[max(0, len(h.shards)-1-rng.IntN(1+rng.IntN(3)))]
}

func (h *history) wait() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// report fails the test with the contradictions that were found.
func (h *history) report() {
	h.t.Helper()
	handedOver.Add(h.handed.Load())
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.broken)
	for _, wrong := range h.broken {
		h.t.Error(wrong)
	}
}

// boot opens a journal of a node, again and again while that fails.
func (h *history) boot(ctx context.Context, node persistence.NodeID) *journal.Journal {
	cfg := journal.DefaultConfig()
	cfg.Logger = slog.New(slog.DiscardHandler)
	for {
		j, err := journal.Open(ctx, h.store, node, "addr", cfg)
		if err == nil {
			return j
		}
	}
}
