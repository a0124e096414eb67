package clustertest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster/clustertest"
	"github.com/mesonet/mesonet/cluster/shard"
	"github.com/mesonet/mesonet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter adds up.
var (
	counter = entity.New("counter", func(s *wrapperspb.Int64Value, e proto.Message) { s.Value += e.(*wrapperspb.Int64Value).Value })
	add     = entity.Command(counter, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		return entity.Persist(c), nil
	}, func(s *wrapperspb.Int64Value) *wrapperspb.Int64Value { return wrapperspb.Int64(s.Value) })
	get = entity.Query(counter, func(s *wrapperspb.Int64Value, _ *emptypb.Empty) (*wrapperspb.Int64Value, error) {
		return wrapperspb.Int64(s.Value), nil
	})
)

func config(t testing.TB, shards uint32) clustertest.Config {
	cfg := clustertest.Config{Shards: shards, Kinds: []*entity.Kind{counter.Kind}, Seed: 1}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return cfg
}

// everyEntity asks entities of all shards, through one node, to add one, and returns how
// many have answered with want.
func everyEntity(t testing.TB, through entity.Locator, n int, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	errs := make(chan error, n)
	for i := range n {
		go func() {
			v, err := add.Ask(ctx, through, fmt.Sprint("e", i), wrapperspb.Int64(1))
			if err == nil && v.Value != want {
				err = fmt.Errorf("%d, not %d", v.Value, want)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// everyAnswers asks entities of all shards for their value, through one node, until
// all have answered with want.
func everyAnswers(t testing.TB, through entity.Locator, n int, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	errs := make(chan error, n)
	for i := range n {
		go func() {
			v, err := get.Ask(ctx, through, fmt.Sprint("e", i), &emptypb.Empty{}, entity.Linearizable())
			if err == nil && v.Value != want {
				err = fmt.Errorf("%d, not %d", v.Value, want)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// Three nodes share out the shards; any of them answers anything.
func TestThreeNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, config(t, 16))
		defer w.Close()
		for _, id := range []persistence.NodeID{"a", "b", "c"} {
			if _, err := w.Begin(id, 100); err != nil {
				t.Fatal(err)
			}
		}
		w.Settle()
		for i, id := range w.IDs() {
			if open := w.Node(id).Status().Open; open == 0 || open == 16 {
				t.Errorf("node %s has %d shards of 16", id, open)
			}
			everyEntity(t, w.Node(id), 64, int64(i+1))
			ids, err := w.Node(id).List(t.Context(), "counter", "", 1000)
			if err != nil || len(ids) != 64 || !slices.IsSorted(ids) {
				t.Errorf("node %s lists %d, %v", id, len(ids), err)
			}
		}
	})
}

// When a node crashes the others have its shards within three seconds, and nothing is
// lost; when one leaves, callers wait for moments, and none is refused.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, config(t, 16))
		defer w.Close()
		w.Start("a")
		w.Start("b")
		w.Start("c")
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble: hand-overs
		everyEntity(t, w.Node("a"), 64, 1)
		w.Crash("b")
		begin := time.Now()
		everyEntity(t, w.Node("c"), 64, 2)
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %s until every entity answered", took)
		} else {
			t.Logf("every entity answers after %s", took)
		}
		w.Start("b")
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
		everyEntity(t, w.Node("b"), 64, 3)
		stopped := make(chan error, 1)
		go func() { stopped <- w.Stop("c") }()
		for i := range 20 {
			begin := time.Now()
			everyEntity(t, w.Node("a"), 64, int64(4+i))
			if took := time.Since(begin); took > 500*time.Millisecond {
				t.Errorf("an answer took %s while a node left", took)
			}
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A node that stands still is fenced; when it goes on, nothing of it counts, and it
// joins again.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, config(t, 16))
		defer w.Close()
		w.Start("a")
		w.Start("b")
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
		everyEntity(t, w.Node("a"), 64, 1)
		resume := w.Pause("b")
		everyAnswers(t, w.Node("a"), 64, 1)
		resume()
		if _, err := add.Ask(t.Context(), w.Node("b"), "e1", wrapperspb.Int64(1)); err != nil {
			t.Error(err)
		}
		time.Sleep(15 * time.Second) //nolint:forbidigo // in a bubble
		w.Settle()
		if open := w.Node("b").Status().Open; open == 0 {
			t.Errorf("the node that was fenced has no shards again:\n%s", w.Node("b").View())
		}
		v, err := get.Ask(t.Context(), w.Node("b"), "e1", &emptypb.Empty{})
		if err != nil || v.Value != 2 {
			t.Errorf("%v, %v; want 2", v, err)
		}
	})
}

// A node without a way to its store answers nothing, says so at once, as whoever asks may
// know another node, and its shards are others' to serve.
//
// Mutations seen to fail: a node that has lost touch answering; not giving up what
// waits for the store; calls waiting at a node that has lost touch.
func TestStoreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, config(t, 16))
		defer w.Close()
		w.Start("a")
		w.Start("b")
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
		everyEntity(t, w.Node("a"), 64, 1)
		w.Cut(clustertest.Store, "b", "b")
		everyAnswers(t, w.Node("a"), 64, 1)
		begun := time.Now()
		if _, err := add.Ask(t.Context(), w.Node("b"), "e1", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnavailable) {
			t.Errorf("a node that does not reach its store answers: %v", err)
		}
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("a node that has lost touch keeps who asks waiting for %v", waited)
		}
		w.MendAll()
		time.Sleep(15 * time.Second) //nolint:forbidigo // in a bubble
		everyEntity(t, w.Node("b"), 64, 2)
	})
}

// A node that requests don't reach is said to be so, and is given no shard; when they
// do again it knows at once whose shards are whose. Who asks for what it has waits as
// long as a takeover would last, and once that is over not at all. Mutations seen to
// fail: linked telling the machine nothing; probe not called; downFor returning 0.
func TestRequestsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, config(t, 16))
		defer w.Close()
		w.Start("a")
		w.Start("b")
		w.Start("c")
		w.Settle("a", "b", "c")
		down := func() bool {
			nodes := w.Node("a").View().Nodes
			return nodes[slices.IndexFunc(nodes, func(v shard.NodeView) bool { return v.Node == "b" })].Down
		}
		everyEntity(t, w.Node("a"), 64, 1)
		if down() {
			t.Error("b is said not to be reached by a before anything was cut")
		}
		theirs := 0
		for v := w.Node("a").View(); v.Shards[w.Node("a").ShardOf(entity.ID{Kind: "counter", ID: fmt.Sprint("e", theirs)})].Owner != "b"; {
			theirs++
		}
		w.Part(clustertest.Requests, []persistence.NodeID{"a"}, []persistence.NodeID{"b"})
		waits := func(from, to time.Duration) {
			t.Helper()
			begun := time.Now()
			_, err := get.Ask(t.Context(), w.Node("a"), fmt.Sprint("e", theirs), &emptypb.Empty{})
			if waited := time.Since(begun); !errors.Is(err, entity.ErrUnavailable) || waited < from || waited > to {
				t.Errorf("who asks for what b has waits for %v and is told %v; want unavailable within %v to %v", waited, err, from, to)
			}
		}
		waits(3*time.Second, 5*time.Second) // the last attempt takes a second
		waits(0, 0)
		everyEntity(t, w.Node("c"), 64, 2)
		time.Sleep(12 * time.Second) //nolint:forbidigo // in a bubble; all is told again every 10 s
		if !down() {
			t.Error("b is not reached by a, which does not say so")
		}
		mine := slices.IndexFunc(w.Node("a").View().Shards, func(v shard.ShardView) bool { return v.Open })
		if err := w.Node("a").Move(t.Context(), persistence.Shard(mine), "b"); err == nil || !strings.Contains(err.Error(), "not reached") {
			t.Errorf("a gives shard %d to b, which it does not reach: %v", mine, err)
		}
		w.MendAll()
		time.Sleep(2 * time.Second) //nolint:forbidigo // in a bubble
		if down() {
			t.Error("b is reached again by a, which says it is not")
		}
		everyEntity(t, w.Node("b"), 64, 3)
	})
}
