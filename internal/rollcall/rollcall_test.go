package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"

	"github.com/mesonet/mesonet/internal/rollcall"
)

type answering func(ctx context.Context, id string) (*mesonetv1.Station, error)

func (a answering) GetStation(ctx context.Context, r *mesonetv1.GetStationRequest, _ ...grpc.CallOption) (*mesonetv1.GetStationResponse, error) {
	s, err := a(ctx, r.GetStation())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetStationResponse{Station: s}, nil
}

// What fails, answers otherwise than at first, or takes long, is told. Mutations seen to
// fail: answers not compared; the tally not begun anew.
func TestWhatIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := make([]string, 40)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		var observations, broken, slow atomic.Int64
		observations.Store(7)
		a := rollcall.New(ids, 4)
		a.Through(answering(func(_ context.Context, id string) (*mesonetv1.Station, error) {
			if d := slow.Swap(0); d > 0 {
				time.Sleep(time.Duration(d)) //nolint:forbidigo // under synctest
			}
			if broken.Add(-1) >= 0 {
				return nil, errors.New("broken")
			}
			return &mesonetv1.Station{Id: id, Observations: uint32(observations.Load())}, nil
		}))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { a.Run(ctx) })
		round := func(failed int, other bool, longest time.Duration, sum uint64) {
			t.Helper()
			if err := a.Round(ctx); err != nil {
				t.Fatal(err)
			}
			now := a.Observations()
			got := a.Begin()
			if got.Asks < len(ids) || got.Failed != failed || (got.Other > 0) != other || got.Longest != longest || now != sum || (got.Failure != nil) != (failed > 0) {
				t.Errorf("told are %+v and %d observations; want %d failed, others %v, longest %s, %d observations", got, now, failed, other, longest, sum)
			}
		}
		round(0, false, 0, 280)
		broken.Store(3)
		round(3, false, 0, 280)
		slow.Store(int64(3 * time.Second))
		begun := time.Now()
		round(0, false, 3*time.Second, 280)
		if waited := time.Since(begun); waited < 3*time.Second {
			t.Errorf("the round was over after %s, before all had answered", waited)
		}
		observations.Store(6)
		round(0, true, 0, 240)
		cancel()
		running.Wait()
	})
}
