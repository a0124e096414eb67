package entity_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/actors/entity/entitytest"
)

// A trail is a chain of pages, each of which names the next: only by reading one is
// it known which other is needed. A hop leads from one page to another, the
// question follows them from a page to the end, and the command to extend adds a
// hop behind the end, however it is asked for.
type (
	hop    struct{ from, to uint64 }
	stone  struct{ next uint64 }
	follow uint64
	extend struct{ from, to uint64 }
	peek   []uint64
)

var (
	decisions atomic.Int64 // of peeks
	hops      atomic.Int64 // that were decided on together
)

var (
	trails  = entity.NewKind("trail")
	stones  = entity.Pages(trails, "stone", stoneCodec, func(dst []string, event any) []string { return append(dst, stoneName(event.(hop).from)) }, func(s *stone, event any) { s.next = event.(hop).to })
	ends    = entity.QueryOn(trails, nothing[follow], func(v *entity.View, from follow) (uint64, error) { return endOf(v, uint64(from)) })
	lengths = entity.CommandOn(trails, nothing[extend], decideHop).Together(decideHops)
	peeks   = entity.QueryOn(trails, nothing[peek], countStones)
)

func nothing[C any](dst []entity.PageRef, _ C) []entity.PageRef { return dst }

func stoneName(n uint64) string { return strconv.FormatUint(n, 10) }

var stoneCodec = entity.PageCodec[*stone]{
	Version: 1,
	New:     func(string) (*stone, error) { return &stone{}, nil },
	Append:  func(dst []byte, s *stone) []byte { return binary.AppendUvarint(dst, s.next) },
	Decode: func(_ uint32, b []byte) (*stone, error) {
		next, _ := binary.Uvarint(b)
		return &stone{next}, nil
	},
}

func init() {
	entity.Event(trails, "hop", entity.EventCodec[hop]{
		Version: 1,
		Append:  func(dst []byte, s hop) []byte { return binary.AppendUvarint(binary.AppendUvarint(dst, s.from), s.to) },
		Decode: func(_ uint32, b []byte) (hop, error) {
			from, n := binary.Uvarint(b)
			to, _ := binary.Uvarint(b[n:])
			return hop{from, to}, nil
		},
	})
}

func endOf(v *entity.View, at uint64) (uint64, error) {
	for {
		s, ok, err := stones.Look(v, stoneName(at))
		if err != nil {
			return 0, err
		}
		if !ok {
			return at, nil
		}
		at = s.next
	}
}

// countStones asks for all of them before it gives up, so that they are read at once.
func countStones(v *entity.View, at peek) (n int, lacking error) {
	decisions.Add(1)
	for _, one := range at {
		_, ok, err := stones.Look(v, stoneName(one))
		if err != nil {
			lacking = err
		}
		if ok {
			n++
		}
	}
	return n, lacking
}

func decideHop(v *entity.View, c extend) (entity.Events, uint64, error) {
	end, err := endOf(v, c.from)
	if err != nil {
		return nil, 0, err
	}
	if c.to <= end {
		return nil, 0, entity.Reject("a trail leads upwards, and %d is not above %d", c.to, end)
	}
	return entity.Persist(hop{end, c.to}), end, nil
}

// decideHops takes hops whose trails begin apart from each other.
func decideHops(v *entity.View, all []extend, replies []uint64) (entity.Events, bool) {
	var events entity.Events
	for i, c := range all {
		e, end, err := decideHop(v, c)
		if err != nil || i > 0 && c.from == all[i-1].from {
			return nil, false
		}
		events, replies[i] = append(events, e...), end
	}
	hops.Add(int64(len(all)))
	return events, true
}

// Decisions that find out while deciding which pages they need have them all, in
// memory or not, alone and together with others, and come to what a map comes to.
// Mutations seen to fail: Look taking what is not in memory for never touched; what
// was lacking not forgotten; handleTogether not asking wants.
func TestLook(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		h := openHost(t, newStore(t), trails)
		defer closeHost(t, h)
		twin := map[uint64]uint64{}
		endOf := func(at uint64) uint64 {
			for {
				next, ok := twin[at]
				if !ok {
					return at
				}
				at = next
			}
		}
		for range 60 {
			if rng.IntN(2) == 0 {
				h.Evict(t.Context(), 0)
			}
			from := []uint64{1, 1_000_000, 2_000_000}
			rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
			ids, commands := make([]string, len(from)), make([]extend, len(from))
			for i := range from {
				ids[i], commands[i] = "x", extend{from[i], endOf(from[i]) + 1 + rng.Uint64N(100)}
			}
			var done sync.WaitGroup
			done.Add(len(from))
			lengths.SendAll(t.Context(), h, ids, commands, func(i int, end uint64, _ entity.Token, err error) {
				defer done.Done()
				if err != nil || end != endOf(from[i]) {
					t.Errorf("the trail from %d went on from %d, %v; want %d", from[i], end, err, endOf(from[i]))
				}
			})
			done.Wait()
			for _, c := range commands {
				twin[endOf(c.from)] = c.to
			}
			h.Evict(t.Context(), 0)
			at := from[rng.IntN(len(from))]
			if end, err := ends.Ask(t.Context(), h, "x", follow(at)); err != nil || end != endOf(at) {
				t.Fatalf("the trail from %d ends at %d, %v; want %d", at, end, err, endOf(at))
			}
			if n, err := peeks.Ask(t.Context(), h, "x", peek{1, 1_000_000, 2_000_000, 3_000_000}); err != nil || n != 3 {
				t.Fatalf("%d trails, %v; want 3", n, err)
			}
		}
	})
	if n := hops.Load(); n < 60 {
		t.Errorf("%d of 180 hops were decided on together", n)
	}
}

// Pages that are looked for together are read together. Mutation seen to fail: Look
// noting only the first.
func TestLookReadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHost(t, newStore(t), trails)
		defer closeHost(t, h)
		var all peek
		for i := range uint64(9) {
			all = append(all, 10*i)
			if _, err := lengths.Ask(t.Context(), h, "x", extend{10 * i, 10*i + 1}); err != nil {
				t.Fatal(err)
			}
		}
		h.Evict(t.Context(), 0)
		before := decisions.Load()
		n, err := peeks.Ask(t.Context(), h, "x", all)
		if times := decisions.Load() - before; err != nil || n != 9 || times != 2 {
			t.Errorf("%d pages, %v, after %d decisions; want 9 after 2", n, err, times)
		}
	})
}

// A kind's functions can be tested without a runtime also where they look.
func TestLookInTwin(t *testing.T) {
	c := entitytest.Given(t, trails, hop{1, 5}, hop{5, 9})
	c.When(follow(1)).Replies(uint64(9))
	c.When(extend{1, 12}).Replies(uint64(9))
	c.When(follow(5)).Replies(uint64(12))
	c.When(extend{1, 3}).Refuses(entity.Failed, fmt.Sprintf("%d is not above %d", 3, 12))
}
