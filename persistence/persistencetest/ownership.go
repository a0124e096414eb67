package persistencetest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

func checkBoot(t *testing.T, s Subject) {
	ctx, own := t.Context(), s.Store.Ownership()
	if _, err := own.Node(ctx, "n"); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("a node that never booted: %v, want ErrNotFound", err)
	}
	var mu sync.Mutex
	var got []persistence.Incarnation
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { // two starts of one node id: each gets an incarnation of its own
			inc, err := own.Boot(ctx, "n", "127.0.0.1:1")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, inc)
		})
	}
	wg.Wait()
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != 10 || got[0] == 0 {
		t.Errorf("incarnations are %v, want 10 distinct ones above 0", got)
	}
	for i, inc := range got {
		err := own.Check(ctx, "n", inc)
		if last := i == len(got)-1; last && err != nil || !last && !errors.Is(err, persistence.ErrFenced) {
			t.Errorf("check of incarnation %d of %v: %v", inc, got, err)
		}
	}
}

func checkFence(t *testing.T, s Subject) {
	ctx, own := t.Context(), s.Store.Ownership()
	inc, err := own.Boot(ctx, "n", "addr")
	must(t, err)
	other, err := own.Boot(ctx, "m", "")
	must(t, err)
	must(t, own.Check(ctx, "n", inc))
	raised, err := own.Fence(ctx, "n", inc)
	must(t, err)
	if raised <= inc {
		t.Errorf("fencing incarnation %d gave %d", inc, raised)
	}
	if err := own.Check(ctx, "n", inc); !errors.Is(err, persistence.ErrFenced) {
		t.Errorf("check after the fence: %v, want ErrFenced", err)
	}
	if _, err := own.Fence(ctx, "n", inc); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("fencing what is fenced: %v, want ErrLost", err)
	}
	if _, err := own.Fence(ctx, "nobody", 1); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("fencing nobody: %v, want ErrNotFound", err)
	}
	must(t, own.Check(ctx, "m", other))
	row, err := own.Node(ctx, "n")
	must(t, err)
	equal(t, row, persistence.NodeRow{ID: "n", Incarnation: raised, Address: "addr"})
}

func checkClaim(t *testing.T, s Subject) {
	ctx, own := t.Context(), s.Store.Ownership()
	row, err := own.Shard(ctx, 5)
	must(t, err)
	equal(t, row, persistence.ShardRow{Shard: 5})
	first, err := own.Claim(ctx, persistence.Claim{Shard: 5, Owner: "a", Incarnation: 1, Seen: row})
	must(t, err)
	equal(t, first, persistence.ShardRow{Shard: 5, Epoch: e, Owner: "a", Incarnation: 1})

	good := persistence.Claim{Shard: 5, Owner: "b", Incarnation: 7, Seen: first, Seal: persistence.At(e, 10)}
	for name, spoil := range map[string]func(*persistence.Claim){
		"epoch":       func(c *persistence.Claim) { c.Seen.Epoch++ },
		"owner":       func(c *persistence.Claim) { c.Seen.Owner = "x" },
		"incarnation": func(c *persistence.Claim) { c.Seen.Incarnation++ },
		"low":         func(c *persistence.Claim) { c.Seen.Low = persistence.At(e, 1) },
		"no row seen": func(c *persistence.Claim) { c.Seen = persistence.ShardRow{} },
	} {
		c := good
		spoil(&c)
		if _, err := own.Claim(ctx, c); !errors.Is(err, persistence.ErrLost) {
			t.Errorf("a claim with another %s: %v, want ErrLost", name, err)
		}
	}
	stray := good
	stray.Seal = persistence.At(e+1, 0)
	if _, err := own.Claim(ctx, stray); err == nil {
		t.Error("a seal of another epoch was taken")
	}
	got, err := own.Shard(ctx, 5)
	must(t, err)
	equal(t, got, first) // nothing that was refused has changed anything
	second, err := own.Claim(ctx, good)
	must(t, err)
	equal(t, second, persistence.ShardRow{
		Shard: 5, Epoch: e + 1, Owner: "b", Incarnation: 7, Seals: []persistence.Position{persistence.At(e, 10)},
	})
	got, err = own.Shard(ctx, 5)
	must(t, err)
	equal(t, got, second)
}

func checkClaimStorm(t *testing.T, s Subject) {
	ctx, own := t.Context(), s.Store.Ownership()
	row := persistence.ShardRow{Shard: 5}
	for round := range 5 {
		var mu sync.Mutex
		var winners []persistence.ShardRow
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				c := persistence.Claim{Shard: 5, Owner: persistence.NodeID('a' + rune(i)), Incarnation: 1, Seen: row}
				if row.Epoch != 0 {
					c.Seal = persistence.At(row.Epoch, uint64(i))
				}
				next, err := own.Claim(ctx, c)
				if errors.Is(err, persistence.ErrLost) {
					return
				}
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				winners = append(winners, next)
			})
		}
		wg.Wait()
		if len(winners) != 1 {
			t.Fatalf("round %d has %d winners, want 1", round, len(winners))
		}
		row = winners[0]
	}
	got, err := own.Shard(ctx, 5)
	must(t, err)
	equal(t, got, row)
}

func checkSeals(t *testing.T, s Subject) {
	ctx, own := t.Context(), s.Store.Ownership()
	var row persistence.ShardRow
	var want []persistence.Position
	for i := range uint64(5) {
		c := persistence.Claim{Shard: 0, Owner: "a", Incarnation: 1, Seen: row}
		if row.Epoch != 0 {
			c.Seal = persistence.At(row.Epoch, 10*i)
			want = append(want, c.Seal)
		}
		var err error
		row, err = own.Claim(ctx, c)
		must(t, err)
		got, err := own.Shard(ctx, 0)
		must(t, err)
		equal(t, got.Seals, want)
	}
}

func checkLow(t *testing.T, s Subject) {
	ctx, own := t.Context(), s.Store.Ownership()
	first, err := own.Claim(ctx, persistence.Claim{Shard: 1, Owner: "a", Incarnation: 1})
	must(t, err)
	raised, err := own.RaiseLow(ctx, first, persistence.At(e, 5))
	must(t, err)
	equal(t, raised.Low, persistence.At(e, 5))
	if _, err := own.RaiseLow(ctx, raised, persistence.At(e, 4)); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("lowering low: %v, want ErrLost", err)
	}
	if _, err := own.RaiseLow(ctx, first, persistence.At(e, 9)); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("raising low from what it was before: %v, want ErrLost", err)
	}
	// A claim decided before low was raised is lost: it may have read a tail
	// that is being deleted (I14).
	if _, err := own.Claim(ctx, persistence.Claim{Shard: 1, Owner: "b", Incarnation: 1, Seen: first, Seal: persistence.At(e, 5)}); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("a claim over a raised low: %v, want ErrLost", err)
	}
	next, err := own.Claim(ctx, persistence.Claim{Shard: 1, Owner: "b", Incarnation: 1, Seen: raised, Seal: persistence.At(e, 5)})
	must(t, err)
	equal(t, next.Low, persistence.At(e, 5))
	if _, err := own.RaiseLow(ctx, raised, persistence.At(e, 6)); !errors.Is(err, persistence.ErrLost) {
		t.Errorf("raising low under an epoch that is over: %v, want ErrLost", err)
	}
}
