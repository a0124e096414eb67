package clustertest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesonet/mesonet/cluster/clustertest"
)

// A node that has been drained is drained: asked again, as by who stops it after
// that, it says so at once.
//
// Mutation seen to fail: the machine not forgetting what it said last of draining
// ("0 shards could not be handed over", when the time is over).
func TestDrainedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := clustertest.New(t, config(t, 16))
		defer w.Close()
		w.Start("a")
		w.Start("b")
		w.Settle("a", "b")
		for n := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := w.Node("b").Drain(ctx); err != nil {
				t.Errorf("drained for time %d: %v", n+1, err)
			}
			cancel()
		}
		everyEntity(t, w.Node("b"), 16, 1)
	})
}
