package entity_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/race"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestMain(m *testing.M) {
	// A host takes milliseconds to open, and random histories open many. The flag
	// has its say; the race detector looks for other mistakes than more of them
	// would find.
	checks := "60"
	if race.Enabled {
		checks = "25"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// counter adds up: the command and the event are an Int64Value, the question an
// Empty. A command of 1313 crashes deciding, an event of 666 crashes evolving, and
// a StringValue asks for as many events as it is long.
var (
	counter = entity.New("counter", func(s *wrapperspb.Int64Value, e proto.Message) {
		n := e.(*wrapperspb.Int64Value).Value
		s.Value += n
		if n == 666 {
			panic("the number of the beast")
		}
	})
	add = entity.Command(counter, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		switch {
		case c.Value == 1313:
			panic("unlucky")
		case c.Value < 0:
			return nil, entity.Reject("n must not be negative, as %d is", c.Value)
		case c.Value == 0:
			return nil, nil
		}
		return entity.Persist(c), nil
	}, total)
	spell = entity.Command(counter, func(_ *wrapperspb.Int64Value, c *wrapperspb.StringValue) (entity.Events, error) {
		var events entity.Events
		for range c.Value {
			events = append(events, wrapperspb.Int64(1))
		}
		return events, nil
	}, total)
	get = entity.Query(counter, func(s *wrapperspb.Int64Value, _ *emptypb.Empty) (*wrapperspb.Int64Value, error) {
		return total(s), nil
	})
)

func total(s *wrapperspb.Int64Value) *wrapperspb.Int64Value { return wrapperspb.Int64(s.Value) }

func newStore(t testing.TB) *persistencetest.Faulty {
	t.Helper()
	m, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	return &persistencetest.Faulty{Store: m}
}

func openHost(t testing.TB, store persistence.Store, kinds ...*entity.Kind) *entity.Host {
	t.Helper()
	h, err := entity.Open(t.Context(), hostConfig(store, kinds...))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hostConfig(store persistence.Store, kinds ...*entity.Kind) entity.HostConfig {
	if len(kinds) == 0 {
		kinds = []*entity.Kind{counter.Kind}
	}
	cfg := entity.DefaultHostConfig(store, "n", kinds...)
	cfg.Logger = slog.New(slog.DiscardHandler)
	return cfg
}

func closeHost(t testing.TB, h *entity.Host) {
	t.Helper()
	if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// crashHost closes a host without storing its pages, as a crash would.
func crashHost(t testing.TB, h *entity.Host, store *persistencetest.Faulty) {
	t.Helper()
	store.Hook(persistencetest.Hooks{WritePages: func(context.Context, []persistence.Page) error { return errors.New("too late") }})
	closeHost(t, h)
	store.Hook(persistencetest.Hooks{})
}

// endHost closes or crashes a host. One action of random histories, not two: a
// host takes milliseconds to open, so a history should do other things as well.
func endHost(rt *rapid.T, t testing.TB, h *entity.Host, store *persistencetest.Faulty) {
	t.Helper()
	if rapid.Bool().Draw(rt, "crash") {
		crashHost(t, h, store)
	} else {
		closeHost(t, h)
	}
}

func ask(t testing.TB, h *entity.Host, id string, n int64) int64 {
	t.Helper()
	r, err := add.Ask(t.Context(), h, id, wrapperspb.Int64(n))
	if err != nil {
		t.Fatal(err)
	}
	return r.Value
}

func TestStateOutlivesTheHost(t *testing.T) {
	store := newStore(t)
	want := map[string]int64{}
	for round := range 3 {
		h := openHost(t, store)
		for i := range 20 {
			id := fmt.Sprintf("c%d", i%7)
			want[id] += int64(i + 1)
			if got := ask(t, h, id, int64(i+1)); got != want[id] {
				t.Fatalf("round %d: %s is %d, want %d", round, id, got, want[id])
			}
		}
		closeHost(t, h)
	}
	h := openHost(t, store)
	defer closeHost(t, h)
	for id, n := range want {
		r, err := get.Ask(t.Context(), h, id, &emptypb.Empty{})
		if err != nil || r.Value != n {
			t.Errorf("%s is %v, %v; want %d", id, r, err, n)
		}
	}
}

func TestOutcomes(t *testing.T) {
	h := openHost(t, newStore(t))
	defer closeHost(t, h)
	ctx := t.Context()
	ask(t, h, "a", 5)

	var r *entity.Rejection
	if _, err := add.Ask(ctx, h, "a", wrapperspb.Int64(-1)); !errors.As(err, &r) || r.Code != entity.Failed {
		t.Errorf("a rejection: %v", err)
	}
	if _, err := add.Ask(ctx, h, "a b", wrapperspb.Int64(1)); !errors.As(err, &r) || r.Code != entity.Invalid {
		t.Errorf("a bad id: %v", err)
	}
	long := string(make([]byte, 1<<17))
	if _, err := spell.Ask(ctx, h, "a", wrapperspb.String(long)); !errors.As(err, &r) || r.Reason != "TOO_LARGE" {
		t.Errorf("too many events: %v", err)
	}
	if got := ask(t, h, "a", 0); got != 5 {
		t.Errorf("after refusals the state is %d, want 5", got)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := add.Ask(done, h, "a", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("a context that is over: %v", err)
	}
	other := entity.New("other", func(*wrapperspb.Int64Value, proto.Message) {})
	stray := entity.Query(other, func(s *wrapperspb.Int64Value, _ *emptypb.Empty) (*emptypb.Empty, error) { return nil, nil })
	if _, err := stray.Ask(ctx, h, "a", &emptypb.Empty{}); !errors.Is(err, entity.ErrUnknownKind) {
		t.Errorf("a kind that the host does not have: %v", err)
	}
	closed := openHost(t, newStore(t))
	closeHost(t, closed)
	if _, err := add.Ask(ctx, closed, "a", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("a host that is closed: %v", err)
	}
}

// A panic costs one entity a restart, does not happen, and costs nobody else
// anything. Mutation seen to fail: appending before evolving.
func TestCrash(t *testing.T) {
	for _, n := range []int64{1313, 666} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openHost(t, newStore(t))
				defer closeHost(t, h)
				ask(t, h, "a", 5)
				ask(t, h, "b", 1)
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(n)); !errors.Is(err, entity.ErrCrashed) {
						t.Errorf("the command that crashed: %v", err)
					}
				})
				synctest.Wait()
				ask(t, h, "b", 1) // while a waits for its restart
				if got := ask(t, h, "a", 2); got != 7 {
					t.Errorf("after the crash the state is %d, want 7", got)
				}
				wg.Wait()
				if got := ask(t, h, "b", 0); got != 2 {
					t.Errorf("the other entity is %d, want 2", got)
				}
			})
		})
	}
}

// An event that can't be evolved at recovery stops its entity, and nobody else,
// with its position; it is never passed over.
func TestCorruptEvent(t *testing.T) {
	store := newStore(t)
	harmless := entity.New("counter", func(s *wrapperspb.Int64Value, e proto.Message) {
		s.Value += e.(*wrapperspb.Int64Value).Value
	})
	write := entity.Command(harmless, func(_ *wrapperspb.Int64Value, c *wrapperspb.Int64Value) (entity.Events, error) {
		return entity.Persist(c), nil
	}, total)
	h := openHost(t, store, harmless.Kind)
	for _, n := range []int64{1, 666, 2} {
		if _, err := write.Ask(t.Context(), h, "a", wrapperspb.Int64(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := write.Ask(t.Context(), h, "b", wrapperspb.Int64(3)); err != nil {
		t.Fatal(err)
	}
	crashHost(t, h, store)

	h = openHost(t, store)
	defer closeHost(t, h)
	for range 2 {
		_, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{})
		var c *entity.CorruptError
		if !errors.Is(err, entity.ErrCorrupt) || !errors.As(err, &c) || c.ID.ID != "a" || c.Position == 0 {
			t.Errorf("the corrupt entity: %v", err)
		}
	}
	if got := ask(t, h, "b", 1); got != 4 {
		t.Errorf("the other entity is %d, want 4", got)
	}
}

// A store with entities of a kind that the node lacks is not served.
func TestMissingKind(t *testing.T) {
	for _, stored := range []bool{false, true} {
		store := newStore(t)
		h := openHost(t, store)
		ask(t, h, "a", 1)
		if stored {
			closeHost(t, h)
		} else {
			crashHost(t, h, store)
		}
		other := entity.New("other", func(*wrapperspb.Int64Value, proto.Message) {})
		if h, err := entity.Open(t.Context(), hostConfig(store, other.Kind)); !errors.Is(err, entity.ErrUnknownKind) {
			t.Errorf("opened, with pages %t: %v", stored, err)
			closeHost(t, h)
		}
	}
}

// Nothing is answered before all that it rests on is acknowledged: the command,
// a question behind it, a rejection and a command without effect. Mutations seen
// to fail: gate calling Settled(nil) at once, for either branch.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		defer closeHost(t, h)
		ask(t, h, "a", 1)
		release := make(chan struct{})
		store.Hook(persistencetest.Hooks{Append: func(context.Context, persistence.Frame) error { <-release; return nil }})
		var mu sync.Mutex
		var got []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, s)
		}
		done := func(what string) func(*wrapperspb.Int64Value, entity.Token, error) {
			return func(r *wrapperspb.Int64Value, tok entity.Token, err error) {
				if tok.Position == 0 {
					t.Errorf("%s has no token", what)
				}
				note(fmt.Sprintf("%s %d %t", what, r.GetValue(), err != nil))
			}
		}
		get.Send(t.Context(), h, "a", &emptypb.Empty{}, done("before"))
		add.Send(t.Context(), h, "a", wrapperspb.Int64(2), done("command"))
		get.Send(t.Context(), h, "a", &emptypb.Empty{}, done("question"))
		add.Send(t.Context(), h, "a", wrapperspb.Int64(-1), done("rejection"))
		add.Send(t.Context(), h, "a", wrapperspb.Int64(0), done("nothing"))
		synctest.Wait()
		if want := "[before 1 false]"; fmt.Sprint(got) != want {
			t.Errorf("before the events are durable: %q, want %q", got, want)
		}
		close(release)
		synctest.Wait()
		if want := "[before 1 false command 3 false question 3 false rejection 0 true nothing 3 false]"; fmt.Sprint(got) != want {
			t.Errorf("after: %q, want %q", got, want)
		}
	})
}

// When an append fails its callers hear that the outcome is unknown, those who
// only asked that there is no answer; the shard starts over from the store, and
// what it then answers agrees with what was stored.
func TestLostShard(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%t", stored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				h := openHost(t, store)
				defer closeHost(t, h)
				ask(t, h, "a", 1)
				release := make(chan struct{})
				broken := func(context.Context, persistence.Frame) error { <-release; return errors.New("disk on fire") }
				if stored {
					store.Hook(persistencetest.Hooks{AfterAppend: broken, Append: func(context.Context, persistence.Frame) error { return nil }})
				} else {
					store.Hook(persistencetest.Hooks{Append: broken})
				}
				var command, question error
				add.Send(t.Context(), h, "a", wrapperspb.Int64(2), func(_ *wrapperspb.Int64Value, _ entity.Token, err error) { command = err })
				get.Send(t.Context(), h, "a", &emptypb.Empty{}, func(_ *wrapperspb.Int64Value, _ entity.Token, err error) { question = err })
				synctest.Wait()
				close(release)
				synctest.Wait()
				if !errors.Is(command, entity.ErrUnknown) || !errors.Is(question, entity.ErrUnavailable) {
					t.Errorf("command: %v; question: %v", command, question)
				}
				store.Hook(persistencetest.Hooks{})
				time.Sleep(time.Minute) //nolint:forbidigo // in a synctest bubble: the shard restarts after a pause
				want := int64(1)
				if stored {
					want = 3
				}
				if got := ask(t, h, "a", 0); got != want {
					t.Errorf("after starting over the state is %d, want %d", got, want)
				}
			})
		})
	}
}

// A shard that is lost again and again is opened again and again, with pauses.
// Mutation seen to fail: shards supervised like other actors, which are given up.
func TestShardIsLostOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		defer closeHost(t, h)
		want := int64(0)
		for i := range 20 {
			store.Inject(persistencetest.Fail(persistencetest.OpAppend).Times(1))
			if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1)); !errors.Is(err, entity.ErrUnknown) {
				t.Fatalf("loss %d: %v", i, err)
			}
			store.Heal()
			_, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1))
			for waited := time.Duration(0); errors.Is(err, entity.ErrUnavailable) && waited < time.Minute; waited += 50 * time.Millisecond {
				time.Sleep(50 * time.Millisecond) //nolint:forbidigo // in a synctest bubble: the shard restarts after a pause
				_, err = add.Ask(t.Context(), h, "a", wrapperspb.Int64(1))
			}
			if err != nil {
				t.Fatalf("a minute after loss %d: %v", i, err)
			}
			want++
		}
		if got := ask(t, h, "a", 0); got != want {
			t.Errorf("the state is %d, want %d", got, want)
		}
	})
}

// A node that was replaced, and does not know it, does not take the next owner's
// pages for damage. Mutation seen to fail: ahead not looking at the shard's row.
func TestReplacedWithoutKnowing(t *testing.T) {
	store := newStore(t)
	old := openHost(t, store)
	defer closeHost(t, old)
	h := openHost(t, store)
	defer closeHost(t, h)
	ask(t, h, "a", 1)
	h.Checkpoint(t.Context())
	if r, err := get.Ask(t.Context(), old, "a", &emptypb.Empty{}); !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("the node that was replaced: %v, %v", r, err)
	}
	if got := ask(t, h, "a", 0); got != 1 {
		t.Errorf("the state is %d, want 1", got)
	}
}

// A token holds an answer back until it is as new, and one that no log has come
// to is refused before anything happens.
func TestTokens(t *testing.T) {
	h := openHost(t, newStore(t))
	defer closeHost(t, h)
	var first, second entity.Token
	if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1), entity.Into(&first)); err != nil {
		t.Fatal(err)
	}
	if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}, entity.After(first), entity.Into(&second)); err != nil || second != first {
		t.Errorf("the question's token is %v, %v; want %v", second, err, first)
	}
	ahead := first
	ahead.Position += 10
	if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1), entity.After(ahead)); !errors.Is(err, entity.ErrUnavailable) {
		t.Errorf("a token from the future: %v", err)
	}
	if got := ask(t, h, "a", 0); got != 1 {
		t.Errorf("state is %d, want 1", got)
	}
	var refused entity.Token
	var r *entity.Rejection
	if _, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(-1), entity.Into(&refused)); !errors.As(err, &r) || refused != first {
		t.Errorf("the rejection's token is %v, %v; want %v", refused, err, first)
	}
	elsewhere := ahead
	elsewhere.Shard++
	if _, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}, entity.After(elsewhere)); err != nil {
		t.Errorf("another shard's token: %v", err)
	}
}

// Calls of one goroutine to one entity keep their order, also while the entity
// wakes. Mutation seen to fail: spawn storing the ref before it tells the calls
// that wait.
func TestOrder(t *testing.T) {
	h := openHost(t, newStore(t))
	defer closeHost(t, h)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			id := fmt.Sprint("o", i)
			all := make(chan struct{})
			for n := range int64(100) {
				add.Send(t.Context(), h, id, wrapperspb.Int64(2*n+2), func(r *wrapperspb.Int64Value, _ entity.Token, err error) {
					if want := (n + 1) * (n + 2); err != nil || r.Value != want {
						t.Errorf("%s: call %d got %v, %v; want %d", id, n, r, err, want)
					}
					if n == 99 {
						close(all)
					}
				})
			}
			<-all
		})
	}
	wg.Wait()
}

func TestList(t *testing.T) {
	store := newStore(t)
	h := openHost(t, store)
	for i := range 10 {
		ask(t, h, fmt.Sprintf("c%d", i), 1)
	}
	if _, err := get.Ask(t.Context(), h, "never-told", &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	closeHost(t, h)
	h = openHost(t, store)
	defer closeHost(t, h)
	ask(t, h, "c5", 1) // awake; the others are in the tail
	ask(t, h, "d", 1)  // new
	var all []string
	for after := ""; ; {
		ids, err := h.List(t.Context(), "counter", after, 4)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			break
		}
		all = append(all, ids...)
		after = ids[len(ids)-1]
	}
	if want := "[c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 d]"; fmt.Sprint(all) != want {
		t.Errorf("listed %v, want %s", all, want)
	}
	if _, err := h.List(t.Context(), "nothing", "", 1); !errors.Is(err, entity.ErrUnknownKind) {
		t.Errorf("listing an unknown kind: %v", err)
	}
}

// A kind that is built wrong is refused with a word on each mistake.
func TestValidate(t *testing.T) {
	k := entity.NewKind("Bad Name")
	if err := k.Validate(); err == nil {
		t.Error("a kind with a bad name and no pages is valid")
	}
	twice := entity.New("twice", func(*wrapperspb.Int64Value, proto.Message) {})
	for range 2 {
		entity.Query(twice, func(s *wrapperspb.Int64Value, _ *emptypb.Empty) (*emptypb.Empty, error) { return nil, nil })
	}
	if err := twice.Validate(); err == nil {
		t.Error("a kind with two handlers of one question is valid")
	}
	m, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*entity.HostConfig){
		"no store":       func(c *entity.HostConfig) { c.Store = nil },
		"no kinds":       func(c *entity.HostConfig) { c.Kinds = nil },
		"two of a name":  func(c *entity.HostConfig) { c.Kinds = append(c.Kinds, c.Kinds[0]) },
		"a broken kind":  func(c *entity.HostConfig) { c.Kinds = append(c.Kinds, k) },
		"no mailbox":     func(c *entity.HostConfig) { c.Mailbox = 0 },
		"a bad journal":  func(c *entity.HostConfig) { c.Journal.InFlight = 0 },
		"no node's name": func(c *entity.HostConfig) { c.Node = "" },
	} {
		cfg := hostConfig(m)
		spoil(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

// A stop that has not the time to store all pages is a stop all the same; the next
// start reads the events. Mutation seen to fail: Close giving pages all of the time.
func TestCloseInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		h := openHost(t, store)
		for i := range 20 {
			ask(t, h, fmt.Sprint(i), 3)
		}
		store.Hook(persistencetest.Hooks{WritePages: func(ctx context.Context, _ []persistence.Page) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Errorf("closing: %v", err)
		}
		store.Hook(persistencetest.Hooks{})
		h = openHost(t, store)
		defer closeHost(t, h)
		for i := range 20 {
			if got := ask(t, h, fmt.Sprint(i), 1); got != 4 {
				t.Errorf("counter %d is at %d", i, got)
			}
		}
	})
}
