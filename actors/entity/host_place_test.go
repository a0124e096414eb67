package entity_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// openNode opens a host of its own name on a store that others reach too.
func openNode(t *testing.T, store persistence.Store, node persistence.NodeID, change ...func(*entity.HostConfig)) *entity.Host {
	t.Helper()
	cfg := hostConfig(store)
	cfg.Node = node
	for _, c := range change {
		c(&cfg)
	}
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func fence(t *testing.T, store persistence.Store, node persistence.NodeID) {
	t.Helper()
	row, err := store.Ownership().Node(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Ownership().Fence(t.Context(), node, row.Incarnation); err != nil {
		t.Fatal(err)
	}
}

// Two nodes on one store: the second waits, and says for whom; it takes the shards
// when the first was fenced, though that goes on, and gives them back when it
// stops. What the first had under way when it was fenced is nobody's, and it joins
// again.
//
// Mutations seen to fail: ErrOwned being permanent; Close without release; no
// place taken anew by standing; no time for others before it takes shards.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		store.Remote = true
		var joined []persistence.Incarnation
		a := openNode(t, store, "a", func(c *entity.HostConfig) {
			c.Listener.Joined = func(inc persistence.Incarnation) { joined = append(joined, inc) }
		})
		defer closeHost(t, a)
		ask(t, a, "x", 1)
		var asked atomic.Int32
		b := openNode(t, store, "b", func(c *entity.HostConfig) {
			c.BeforeShard = func(context.Context, persistence.Shard) error { asked.Add(1); return nil }
		})
		if _, err := get.Ask(t.Context(), b, "x", &emptypb.Empty{}); !errors.Is(err, entity.ErrUnavailable) || !strings.Contains(err.Error(), `"a" at process`) {
			t.Errorf("a node without shards answers %v", err)
		}
		if s := b.Stats(); s.OpenShards != 0 || s.StoppedShards != 0 {
			t.Errorf("it has shards: %+v", s)
		}

		// The frame of a's last command is held, and stored when b has the shard.
		gate := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(_ context.Context, f persistence.Frame) error {
			if f.Position.Epoch() == persistence.FirstEpoch {
				<-gate
			}
			return nil
		}})
		late := make(chan error, 1)
		go func() {
			_, err := add.Ask(t.Context(), a, "x", wrapperspb.Int64(100))
			late <- err
		}()
		synctest.Wait()
		fence(t, store, "a")
		time.Sleep(15 * time.Second) //nolint:forbidigo // in a bubble
		close(gate)
		if err := <-late; !errors.Is(err, entity.ErrUnknown) {
			t.Errorf("what was under way when the node was fenced: %v", err)
		}
		if got := ask(t, b, "x", 1); got != 2 {
			t.Errorf("the state is %d after the takeover, want 2", got)
		}
		if s := b.Stats(); s.OpenShards != s.Shards || int(asked.Load()) != s.Shards {
			t.Errorf("of %d shards %d are open, after %d looks", s.Shards, s.OpenShards, asked.Load())
		}
		if _, err := get.Ask(t.Context(), a, "x", &emptypb.Empty{}); !errors.Is(err, entity.ErrUnavailable) || !strings.Contains(err.Error(), `"b" at process`) {
			t.Errorf("the node that was fenced answers %v", err)
		}
		if a.Err() != nil || len(joined) != 2 || joined[1] <= joined[0] {
			t.Errorf("it has the error %v and the incarnations %v", a.Err(), joined)
		}

		closeHost(t, b)
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
		if got := ask(t, a, "x", 1); got != 3 {
			t.Errorf("the state is %d after the release, want 3", got)
		}
	})
}

// A process whose node's name another one has taken ends; else they would fence
// each other without end. Mutation seen to fail: standing not comparing addresses.
func TestSameName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		store.Remote = true
		first := openNode(t, store, "a")
		defer closeHost(t, first)
		second := openNode(t, store, "a")
		defer closeHost(t, second)
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
		if err := first.Err(); !errors.Is(err, persistence.ErrFenced) || !strings.Contains(err.Error(), `another process`) {
			t.Errorf("the first ends with %v", err)
		}
		if got := ask(t, second, "x", 1); got != 1 || second.Err() != nil {
			t.Errorf("the second answers %d, and has the error %v", got, second.Err())
		}
	})
}

// A node hears whether its store answers. Mutation seen to fail: watchPlace
// telling nil.
func TestChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		store.Remote = true
		var last error
		h := openNode(t, store, "a", func(c *entity.HostConfig) { c.Listener.Checked = func(err error) { last = err } })
		defer closeHost(t, h)
		away := errors.New("away")
		store.Hook(persistencetest.Hooks{Check: func(context.Context) error { return away }})
		time.Sleep(3 * time.Second) //nolint:forbidigo // in a bubble
		synctest.Wait()
		if !errors.Is(last, away) {
			t.Errorf("the last check says %v", last)
		}
		store.Hook(persistencetest.Hooks{})
		time.Sleep(3 * time.Second) //nolint:forbidigo // in a bubble
		synctest.Wait()
		if last != nil {
			t.Errorf("the last check says %v when the store is back", last)
		}
	})
}
