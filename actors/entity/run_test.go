package entity_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

// sendAll adds numbers to counters, all at once, and returns the outcomes by
// place.
func sendAll(t *testing.T, h *entity.Host, ids []string, numbers []int64, opts ...entity.Option) (values []int64, errs []error) {
	t.Helper()
	commands := make([]*wrapperspb.Int64Value, len(numbers))
	for i, n := range numbers {
		commands[i] = wrapperspb.Int64(n)
	}
	values, errs = make([]int64, len(numbers)), make([]error, len(numbers))
	told := make([]int, len(numbers))
	var mu sync.Mutex
	var all sync.WaitGroup
	all.Add(len(numbers))
	add.SendAll(t.Context(), h, ids, commands, func(i int, r *wrapperspb.Int64Value, tok entity.Token, err error) {
		mu.Lock()
		defer mu.Unlock()
		values[i], errs[i] = r.GetValue(), err
		if told[i]++; told[i] > 1 {
			t.Errorf("place %d was told %d times", i, told[i])
		}
		if err == nil && tok.Position == 0 {
			t.Errorf("place %d has no token", i)
		}
		all.Done()
	}, opts...)
	all.Wait()
	return values, errs
}

// Many commands at once have the outcomes that they would have one by one, in
// the order of each entity, also when it sleeps, and longer runs than one
// message takes.
func TestSendAll(t *testing.T) {
	for _, opts := range [][]entity.Option{nil, {entity.Bulk()}} {
		h := openHost(t, newStore(t))
		const n = 5 * entity.RunCalls
		ids, numbers := make([]string, 0, 2*n), make([]int64, 0, 2*n)
		for i := range n {
			ids = append(ids, "many", fmt.Sprint("one", i))
			numbers = append(numbers, int64(i%3), int64(i+1)) // some change nothing
		}
		ids = append(ids, "bad id", "many", "many")
		numbers = append(numbers, 1, -1, 7)
		sum := int64(0)
		values, errs := sendAll(t, h, ids, numbers, opts...)
		for i := range 2 * n {
			want := numbers[i]
			if ids[i] == "many" {
				sum += numbers[i]
				want = sum
			}
			if errs[i] != nil || values[i] != want {
				t.Fatalf("%s at place %d: %d, %v; want %d", ids[i], i, values[i], errs[i], want)
			}
		}
		var r *entity.Rejection
		if err := errs[2*n]; !errors.As(err, &r) || r.Code != entity.Invalid {
			t.Errorf("a bad id: %v", err)
		}
		if err := errs[2*n+1]; !errors.As(err, &r) || r.Code != entity.Failed {
			t.Errorf("a rejection: %v", err)
		}
		if values[2*n+2] != sum+7 {
			t.Errorf("after the rejection: %d, want %d", values[2*n+2], sum+7)
		}
		closeHost(t, h)
	}
}

// A crash in a run concerns the call that crashed: those before it hold, those
// after it did not happen. Mutations seen to fail: the run not cut as it is
// handled; Refuse blaming all.
func TestCrashInARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHost(t, newStore(t))
		defer closeHost(t, h)
		values, errs := sendAll(t, h, []string{"a", "a", "a", "a", "a"}, []int64{1, 2, 1313, 4, 5})
		if errs[0] != nil || errs[1] != nil || values[1] != 3 {
			t.Errorf("before the crash: %d, %v", values, errs)
		}
		if !errors.Is(errs[2], entity.ErrCrashed) {
			t.Errorf("the crash: %v", errs[2])
		}
		if !errors.Is(errs[3], entity.ErrUnavailable) || !errors.Is(errs[4], entity.ErrUnavailable) {
			t.Errorf("after it: %v, %v", errs[3], errs[4])
		}
		if got := ask(t, h, "a", 0); got != 3 {
			t.Errorf("the state is %d, want 3", got)
		}
	})
}

// A page that has to be read in the middle of a run holds up what comes after
// it, and no more; all are handled in order. Mutation seen to fail: fetch putting
// the run behind what came later.
func TestPageMissingInARun(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store, diary)
	defer closeHost(t, h)
	all := func(numbers ...int64) {
		t.Helper()
		var wg sync.WaitGroup
		commands := make([]*wrapperspb.Int64Value, len(numbers))
		ids := make([]string, len(numbers))
		for i, n := range numbers {
			commands[i], ids[i] = wrapperspb.Int64(n), "x"
			wg.Add(1)
		}
		write.SendAll(t.Context(), h, ids, commands, func(i int, _ struct{}, _ entity.Token, err error) {
			defer wg.Done()
			if err != nil {
				t.Errorf("%d: %v", numbers[i], err)
			}
		})
		write.Send(t.Context(), h, "x", wrapperspb.Int64(numbers[len(numbers)-1]+8), func(_ struct{}, _ entity.Token, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	}
	all(8+1, 16+1, 24+7, 32+1)
	h.Evict(t.Context(), 0)
	all(48+1, 56+2, 64+1, 72+4, 80+7)
	for i, want := range []string{"[9 17 31 33 41 49 65 87 95]", "[31 58 87 95]", "[31 76 87 95]"} {
		if got, err := read.Ask(t.Context(), h, "x", leafNames[i]); err != nil || fmt.Sprint(got) != want {
			t.Errorf("leaf %s is %d, %v; want %s", leafNames[i], got, err, want)
		}
	}
}

// The calls of a run wait for all of it, and are told by what each did when the
// shard is lost. Mutations seen to fail: wait settling at once; appended of one
// call counting for the run.
func TestRunAtTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		defer closeHost(t, h)
		ask(t, h, "a", 1)
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error { <-release; return errors.New("disk on fire") }})
		var errs []error
		ended := make(chan struct{})
		go func() {
			_, errs = sendAll(t, h, []string{"a", "a", "a"}, []int64{0, 2, -1})
			close(ended)
		}()
		synctest.Wait()
		select {
		case <-ended:
			t.Errorf("the run ended before it was durable: %v", errs)
		default:
		}
		close(release)
		<-ended
		store.Hook(persistencetest.Hooks{})
		if !errors.Is(errs[0], entity.ErrUnavailable) || !errors.Is(errs[1], entity.ErrUnknown) || !errors.Is(errs[2], entity.ErrUnavailable) {
			t.Errorf("outcomes: %v", errs)
		}
	})
}
