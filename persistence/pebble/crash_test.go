package pebble

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func memConfig(fs vfs.FS) Config {
	cfg := DefaultConfig("store")
	cfg.MemTable, cfg.fs, cfg.Logger = 1<<20, fs, slog.New(slog.DiscardHandler)
	return cfg
}

// Loss of power at any moment: what was reported durable is there in a file
// system that kept only what was synced. Mutation seen to fail: write with
// pebble.NoSync.
func TestPowerLoss(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	s, err := Open(t.Context(), memConfig(fs))
	if err != nil {
		t.Fatal(err)
	}
	const frames = 200
	var mu sync.Mutex
	var durable []uint64
	var clones []*vfs.MemFS
	var known [][]uint64
	var all sync.WaitGroup
	for i := range uint64(frames) {
		f := persistencetest.Frame(t, 1, persistence.At(persistence.FirstEpoch, i), 1, "x")
		all.Add(1)
		s.Log().Append(t.Context(), f, func(err error) {
			defer all.Done()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			durable = append(durable, i)
			if rng.IntN(10) == 0 {
				clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(2) * 50, RNG: rand.New(rand.NewPCG(seed, i))}))
				known = append(known, append([]uint64(nil), durable...))
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(clones) == 0 {
		t.Fatal("no crash was drawn")
	}
	for i, clone := range clones {
		again, err := Open(t.Context(), memConfig(clone))
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		got := map[uint64]bool{}
		for f, err := range again.Log().Read(t.Context(), 1, persistence.At(persistence.FirstEpoch, 0)) {
			if err != nil {
				t.Fatal(err)
			}
			got[f.Position.Seq()] = true
		}
		for _, seq := range known[i] {
			if !got[seq] {
				t.Fatalf("crash %d: frame %d was durable and is gone", i, seq)
			}
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A full disk: Pebble reports success for what it could not write to its log;
// the store does not. Mutation seen to fail: write returning Commit's error
// alone.
func TestFailedLogIsNoSuccess(t *testing.T) {
	var full atomic.Bool
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			return errors.New("no space left on device")
		}
		return nil
	})
	told := make(chan error, 1)
	mem := vfs.NewMem()
	cfg := memConfig(errorfs.Wrap(mem, inject))
	cfg.OnFailure = func(err error) { told <- err }
	var logged bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	good := persistencetest.Frame(t, 1, persistence.At(persistence.FirstEpoch, 0), 1, "good")
	if err := persistencetest.Append(ctx, s.Log(), good); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	for i := range uint64(3) {
		f := persistencetest.Frame(t, 1, persistence.At(persistence.FirstEpoch, 1+i), 1, "lost")
		if err := persistencetest.Append(ctx, s.Log(), f); !errors.Is(err, persistence.ErrFailed) {
			t.Errorf("append %d on a full disk: %v, want ErrFailed", i, err)
		}
	}
	full.Store(false) // too late: the store has failed for good
	if err := s.Pages().Write(ctx, []persistence.Page{{Key: persistence.CheckpointKey(1), Position: 1}}); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("a page after the failure: %v", err)
	}
	if _, err := s.Ownership().Boot(ctx, "n", ""); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("a boot after the failure: %v", err)
	}
	if err := <-told; !errors.Is(err, persistence.ErrFailed) || !strings.Contains(logged.String(), "no space left") {
		t.Errorf("told %v, logged %q", err, logged.String())
	}
	_ = s.Close() // it can't be closed well
	again, err := Open(ctx, memConfig(mem))
	if err != nil {
		t.Fatal(err)
	}
	frames, err := persistencetest.ReadAll(ctx, again.Log(), 1, good.Position)
	if err != nil || len(frames) == 0 || !bytes.Equal(frames[0].Data, good.Data) {
		t.Errorf("what was durable before: %d frames, %v", len(frames), err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
