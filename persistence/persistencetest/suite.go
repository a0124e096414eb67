// Package persistencetest checks that a store keeps the promises of package
// persistence. Every store runs it:
//
//	func TestStore(t *testing.T) {
//		persistencetest.Run(t, func(t *testing.T) persistencetest.Subject { … })
//	}
//
// Each check gets a fresh [Subject]. Checks of durability are left out for a
// subject that can't be opened again.
package persistencetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

// Subject is a new, empty store under test.
type Subject struct {
	Store persistence.Store
	// Reopen closes the store and opens it again as another process would;
	// nil when the store does not outlive its process.
	Reopen func(t *testing.T) persistence.Store
	// As opens the store as a release does that knows these levels of formats; what
	// was opened before is closed, unless Many may have the store open.
	As   func(t *testing.T, known persistence.Levels) (persistence.Store, error)
	Many bool
}

// Run checks the stores that fresh returns, one a check.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range []struct {
		name  string
		check func(*testing.T, Subject)
	}{
		{"info", checkInfo},
		{"log/order", checkLogOrder},
		{"log/gaps", checkLogGaps},
		{"log/shards and epochs apart", checkLogApart},
		{"log/same frame again", checkLogAgain},
		{"log/delete", checkLogDelete},
		{"log/concurrent", checkLogConcurrent},
		{"pages/higher position wins", checkPagePosition},
		{"pages/deleted", checkPageDeleted},
		{"pages/scan", checkPageScan},
		{"pages/kinds", checkPageKinds},
		{"pages/not found", checkPageNotFound},
		{"ownership/boot", checkBoot},
		{"ownership/fence", checkFence},
		{"ownership/claim", checkClaim},
		{"ownership/claim storm", checkClaimStorm},
		{"ownership/seals stay", checkSeals},
		{"ownership/low", checkLow},
		{"level", checkLevel},
		{"level/storm", checkLevelStorm},
		{"reopen", checkReopen},
		{"closed", checkClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, fresh(t)) })
	}
}

// Append appends a frame and waits for its outcome.
func Append(ctx context.Context, l persistence.Log, f persistence.Frame) error {
	done := make(chan error, 2)
	l.Append(ctx, f, func(err error) { done <- err })
	err := <-done
	select {
	case again := <-done:
		return fmt.Errorf("done was called twice: %w", errors.Join(err, again))
	default:
		return err
	}
}

// Frame returns a valid frame of count events at p, each with the payload
// "<position> <text>".
func Frame(t testing.TB, shard persistence.Shard, p persistence.Position, count int, text string) persistence.Frame {
	t.Helper()
	var b persistence.FrameBuilder
	kind := b.Kind("test")
	typ := b.Type(kind, "noted", 1)
	entity := b.Entity(kind, "one")
	for i := range count {
		b.Add(entity, typ, fmt.Appendf(nil, "%s %s", p+persistence.Position(i), text))
	}
	f, err := b.Build(shard, p)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ReadAll returns the frames that a read yields.
func ReadAll(ctx context.Context, l persistence.Log, shard persistence.Shard, from persistence.Position) ([]persistence.Frame, error) {
	var frames []persistence.Frame
	for f, err := range l.Read(ctx, shard, from) {
		if err != nil {
			return frames, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

func checkInfo(t *testing.T, s Subject) {
	info := s.Store.Info()
	if info.ID == (persistence.StoreID{}) {
		t.Error("the store has no id")
	}
	if err := persistence.ValidShards(info.Shards); err != nil {
		t.Error(err)
	}
	if info.Hash != persistence.HashName {
		t.Errorf("hash is %q, want %q", info.Hash, persistence.HashName)
	}
}

func checkReopen(t *testing.T, s Subject) {
	if s.Reopen == nil {
		t.Skip("this store does not outlive its process")
	}
	ctx := t.Context()
	f := Frame(t, 3, persistence.At(persistence.FirstEpoch, 0), 2, "kept")
	must(t, Append(ctx, s.Store.Log(), f))
	key := persistence.PageKey{Shard: 3, Kind: "k", ID: "i", Page: "p"}
	must(t, s.Store.Pages().Write(ctx, []persistence.Page{{Key: key, Position: 9, Version: 2, Data: []byte("kept")}}))
	inc, err := s.Store.Ownership().Boot(ctx, "n", "addr")
	must(t, err)
	row, err := s.Store.Ownership().Claim(ctx, persistence.Claim{Shard: 3, Owner: "n", Incarnation: inc})
	must(t, err)
	row, err = s.Store.Ownership().Claim(ctx, persistence.Claim{Shard: 3, Owner: "n", Incarnation: inc, Seen: row, Seal: f.End()})
	must(t, err)
	info := s.Store.Info()

	again := s.Reopen(t)
	if again.Info() != info {
		t.Errorf("info is %+v after, %+v before", again.Info(), info)
	}
	frames, err := ReadAll(ctx, again.Log(), 3, f.Position)
	must(t, err)
	equal(t, frames, []persistence.Frame{f})
	page, err := again.Pages().Read(ctx, key)
	must(t, err)
	equal(t, page, persistence.Page{Key: key, Position: 9, Version: 2, Data: []byte("kept")})
	node, err := again.Ownership().Node(ctx, "n")
	must(t, err)
	equal(t, node, persistence.NodeRow{ID: "n", Incarnation: inc, Address: "addr"})
	got, err := again.Ownership().Shard(ctx, 3)
	must(t, err)
	equal(t, got, row)
	must(t, again.Ownership().Check(ctx, "n", inc))
}

func checkClosed(t *testing.T, s Subject) {
	ctx := t.Context()
	must(t, s.Store.Close())
	for name, err := range map[string]error{
		"append": Append(ctx, s.Store.Log(), Frame(t, 0, persistence.At(persistence.FirstEpoch, 0), 1, "")),
		"write":  s.Store.Pages().Write(ctx, nil),
		"check":  s.Store.Ownership().Check(ctx, "n", 1),
		"boot":   func() error { _, err := s.Store.Ownership().Boot(ctx, "n", ""); return err }(),
	} {
		if !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("%s on a closed store: %v, want ErrClosed", name, err)
		}
	}
}
