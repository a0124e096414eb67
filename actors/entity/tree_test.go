package entity_test

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
)

// The tree has each entity that is awake once, in the shard that it is in, and names
// no more than asked for. Looking wakes none.
func TestTree(t *testing.T) {
	h := openHost(t, newStore(t), shelf, counter.Kind)
	defer func() { closeHost(t, h) }()
	const each = 40
	for i := range each {
		id := fmt.Sprintf("e%02d", i)
		if _, err := put.Ask(t.Context(), h, id, wrapperspb.String("b")); err != nil {
			t.Fatal(err)
		}
	}
	h.Checkpoint(t.Context())
	h.Evict(t.Context(), 0) // the shelves sleep
	for i := range each {
		if _, err := look.Ask(t.Context(), h, fmt.Sprintf("e%02d", i), "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := add.Ask(t.Context(), h, fmt.Sprintf("c%02d", i), wrapperspb.Int64(1)); err != nil {
			t.Fatal(err)
		}
	}
	before := h.Entries()
	found := make(map[entity.ID]int)
	counts := make(map[string]int)
	for n, s := range h.Tree(1000) {
		if int(s.Shard) != n || s.Epoch == 0 || s.TailBytes != h.Status(s.Shard).TailBytes {
			t.Errorf("shard %d is %+v", n, s)
		}
		for _, k := range s.Kinds {
			counts[k.Kind] += k.Awake
			if len(k.IDs) != k.Awake || !slices.IsSorted(k.IDs) {
				t.Errorf("shard %d: %d of %s are awake, and named are %q", s.Shard, k.Awake, k.Kind, k.IDs)
			}
			for _, id := range k.IDs {
				e := entity.ID{Kind: k.Kind, ID: id}
				found[e]++
				if h.ShardOf(e) != s.Shard {
					t.Errorf("%s is in shard %d", e, s.Shard)
				}
			}
		}
	}
	if counts["shelf"] != each || counts[counter.Kind.Name()] != each || len(found) != 2*each {
		t.Errorf("%v are awake, %d of them named; want %d of both", counts, len(found), each)
	}
	if after := h.Entries(); after != before {
		t.Errorf("looking woke %d", after-before)
	}
	for _, most := range []int{0, 3} {
		awake := 0
		for _, s := range h.Tree(most) {
			named := 0
			for _, k := range s.Kinds {
				awake += k.Awake
				named += len(k.IDs)
			}
			if named != most {
				t.Errorf("shard %d: %d are named, not %d", s.Shard, named, most)
			}
		}
		if awake != 2*each {
			t.Errorf("%d are awake when %d are named", awake, most)
		}
	}
	h.Evict(t.Context(), 0)
	for _, s := range h.Tree(10) {
		if len(s.Kinds) > 0 {
			t.Errorf("shard %d has %+v awake, and all sleep", s.Shard, s.Kinds)
		}
	}
}
