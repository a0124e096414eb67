package mesonet_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(serverstest.Main(m)) }

var (
	sums = entity.New("sum", func(s *wrapperspb.Int64Value, e proto.Message) { s.Value += e.(*wrapperspb.Int64Value).Value })
	add  = entity.Command(sums, func(_, n *wrapperspb.Int64Value) (entity.Events, error) { return entity.Persist(n), nil },
		func(s *wrapperspb.Int64Value) int64 { return s.Value })
)

func config(dir string) mesonet.Config {
	cfg := mesonet.DefaultConfig(dir)
	cfg.Logger = slog.New(slog.DiscardHandler)
	return cfg
}

func start(t *testing.T, cfg mesonet.Config) *mesonet.Node {
	t.Helper()
	node, err := mesonet.Start(t.Context(), cfg, sums)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func stop(t *testing.T, node *mesonet.Node) {
	t.Helper()
	if err := node.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestNode(t *testing.T) {
	dir := t.TempDir()
	for run := range int64(3) {
		node := start(t, config(dir))
		got, err := add.Ask(t.Context(), node, "x", wrapperspb.Int64(2))
		if want := 2 * (run + 1); err != nil || got != want {
			t.Errorf("run %d: %d, %v; want %d", run, got, err, want)
		}
		if _, err := mesonet.Start(t.Context(), config(dir), sums); !errors.Is(err, persistence.ErrLocked) {
			t.Errorf("a second node in the folder: %v", err)
		}
		if node.Err() != nil {
			t.Errorf("a healthy node says %v", node.Err())
		}
		stop(t, node)
	}
}

// Two nodes on one store: neither takes what the other holds, and a second start
// of the same node takes everything from the first, which then acknowledges
// nothing and says so.
func TestTwoNodesOneStore(t *testing.T) {
	store, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config("")
	cfg.Store = store
	first := start(t, cfg)
	defer stop(t, first)
	other := cfg
	other.Node = "other"
	waiting := start(t, other)
	if _, err := add.Ask(t.Context(), waiting, "x", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("a node that owns nothing: %v", err)
	}
	stop(t, waiting) // before anything is free for it to take
	if _, err := add.Ask(t.Context(), first, "x", wrapperspb.Int64(2)); err != nil {
		t.Fatal(err)
	}
	again := start(t, cfg)
	defer stop(t, again)
	if got, err := add.Ask(t.Context(), again, "x", wrapperspb.Int64(3)); err != nil || got != 5 {
		t.Errorf("the second start has %d, %v; want 5", got, err)
	}
	if _, err := add.Ask(t.Context(), first, "x", wrapperspb.Int64(7)); !errors.Is(err, entity.ErrUnknown) && !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("the first start, fenced: %v", err)
	}
	<-first.Done()
	if err := first.Err(); !errors.Is(err, persistence.ErrFenced) {
		t.Errorf("the first start says %v", err)
	}
	if got, err := add.Ask(t.Context(), again, "x", wrapperspb.Int64(0)); err != nil || got != 5 {
		t.Errorf("after the fenced one tried: %d, %v; want 5", got, err)
	}
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*mesonet.Config){
		"no folder":       func(c *mesonet.Config) { c.Dir = "" },
		"odd shards":      func(c *mesonet.Config) { c.Shards = 3 },
		"no name":         func(c *mesonet.Config) { c.Node = "" },
		"no checkpoint":   func(c *mesonet.Config) { c.CheckpointBytes = 0 },
		"something there": func(c *mesonet.Config) { c.Dir = "." },
	} {
		cfg := config(t.TempDir())
		spoil(&cfg)
		if node, err := mesonet.Start(t.Context(), cfg, sums); err == nil {
			t.Errorf("%s: started", name)
			stop(t, node)
		}
	}
	if _, err := mesonet.Start(t.Context(), config(t.TempDir())); err == nil {
		t.Error("a node without kinds started")
	}
}

// A node whose store fails while nobody writes ends, and says why. Mutation seen
// to fail: Start not watching for it.
func TestStoreFailsInTheBackground(t *testing.T) {
	node := start(t, config(t.TempDir()))
	broken := errors.New("disk on fire")
	node.BreakStore(broken)
	<-node.Done()
	if err := node.Err(); !errors.Is(err, broken) {
		t.Errorf("the node failed with %v", err)
	}
	stop(t, node)
}

// Go's part of a limit leaves the collector half as much again as entities take, and the
// store what it was seen to take outside of it. Mutations seen to fail: half of every
// limit; five eighths of every limit.
func TestGoMemory(t *testing.T) {
	for memory := int64(mesonet.MinMemory); memory <= 64<<30; memory += memory / 3 {
		of, entities := mesonet.GoMemory(memory), mesonet.EntityShare(memory)
		if of < entities/2*3 {
			t.Errorf("of %d MiB Go gets %d, and entities alone %d", memory>>20, of>>20, entities>>20)
		}
		if rest := memory - of; rest < 80<<20 || memory >= 256<<20 && rest < 128<<20 {
			t.Errorf("of %d MiB %d are for what is not Go's", memory>>20, rest>>20)
		}
	}
}
