package actors_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/mesonet/mesonet/actors"
	"github.com/mesonet/mesonet/internal/race"
)

// The figures in the package comment come from here:
//
//	go test -run '^$' -bench . -benchtime 2s ./actors

func benchSystem(b testing.TB) *actors.System {
	b.Helper()
	c := actors.DefaultConfig()
	c.Logger = discard
	s, err := actors.NewSystem(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// sum adds what it is told, answers what it is asked, and gives a token back
// for every window of messages.
type sum struct {
	n, seen int
	window  int
	tokens  chan struct{}
}

type add int

type total struct{ *actors.Reply[int] }

func (a *sum) Receive(_ *actors.Context, msg any) {
	switch m := msg.(type) {
	case add:
		a.n += int(m)
		if a.seen++; a.window > 0 && a.seen%a.window == 0 {
			a.tokens <- struct{}{}
		}
	case total:
		m.Resolve(a.n)
	}
}

func sumProps() *actors.Props { return &actors.Props{New: func() actors.Actor { return new(sum) }} }

// parallel runs f in n goroutines, as RunParallel does.
func parallel(b *testing.B, n int, f func(g, i int)) {
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			for i := g; i < b.N; i += n {
				f(g, i)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
}

// 64 goroutines ask one actor.
func BenchmarkAsk(b *testing.B) {
	for name, timeout := range map[string]time.Duration{"background": 0, "deadline": time.Minute} {
		b.Run(name, func(b *testing.B) {
			r, _ := benchSystem(b).Spawn("a", sumProps())
			ctx := context.Background()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			parallel(b, 64, func(int, int) {
				if _, err := actors.Ask(ctx, r, func(r *actors.Reply[int]) any { return total{r} }); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// 64 goroutines ask 1000 actors, so that the dispatcher has something to do.
func BenchmarkAskSpread(b *testing.B) {
	s := benchSystem(b)
	var refs [1000]*actors.Ref
	for i := range refs {
		refs[i], _ = s.Spawn(fmt.Sprint(i), sumProps())
	}
	parallel(b, 64, func(_, i int) {
		_, _ = actors.Ask(context.Background(), refs[i%1000], func(r *actors.Reply[int]) any { return total{r} })
	})
}

// One goroutine asks one actor: two switches of goroutine an ask.
func BenchmarkAskAlone(b *testing.B) {
	r, _ := benchSystem(b).Spawn("a", sumProps())
	parallel(b, 1, func(int, int) {
		_, _ = actors.Ask(context.Background(), r, func(r *actors.Reply[int]) any { return total{r} })
	})
}

// An actor asks another: with a spare worker in its place each time.
func BenchmarkAskInside(b *testing.B) {
	s := benchSystem(b)
	inner, _ := s.Spawn("inner", sumProps())
	outer, _ := s.Spawn("outer", props(obey))
	done := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	_ = outer.Tell(order(func(c *actors.Context) {
		for range b.N {
			_, _ = actors.Ask(c.Context(), inner, func(r *actors.Reply[int]) any { return total{r} })
		}
		close(done)
	}))
	<-done
}

// Goroutines tell one actor, each a window of messages for a token; there are
// more tokens than goroutines, and all of them fit the mailbox.
func BenchmarkTell(b *testing.B) {
	for _, senders := range []int{1, 8} {
		b.Run(fmt.Sprint(senders, " senders"), func(b *testing.B) {
			const window = 100
			tokens := make(chan struct{}, 1000)
			r, _ := benchSystem(b).Spawn("a", &actors.Props{New: func() actors.Actor {
				return &sum{window: window, tokens: tokens}
			}})
			for range actors.DefaultMailbox / window {
				tokens <- struct{}{}
			}
			parallel(b, senders, func(_, i int) {
				if i/senders%window == 0 {
					<-tokens
				}
				if err := r.Tell(add(1)); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// The same over protoactor's own means: RequestFuture, its default mailbox and
// dispatcher.
func BenchmarkProtoactor(b *testing.B) {
	newSystem := func() *actor.ActorSystem {
		return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return discard }))
	}
	b.Run("future", func(b *testing.B) {
		s := newSystem()
		pid := s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(string); ok {
				c.Respond(1)
			}
		}))
		parallel(b, 64, func(int, int) {
			if _, err := s.Root.RequestFuture(pid, "", time.Minute).Result(); err != nil {
				b.Error(err)
			}
		})
		s.Root.Stop(pid)
	})
	b.Run("tell", func(b *testing.B) {
		s := newSystem()
		const window = 100
		tokens := make(chan struct{}, 1000)
		seen := 0
		pid := s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(add); ok {
				if seen++; seen%window == 0 {
					tokens <- struct{}{}
				}
			}
		}))
		for range 10 {
			tokens <- struct{}{}
		}
		parallel(b, 1, func(_, i int) {
			if i%window == 0 {
				<-tokens
			}
			s.Root.Send(pid, add(1))
		})
		s.Root.Stop(pid)
	})
}

func BenchmarkSpawn(b *testing.B) {
	s := benchSystem(b)
	p := sumProps()
	b.ReportAllocs()
	for i := range b.N {
		if _, err := s.Spawn(fmt.Sprint(i), p); err != nil {
			b.Fatal(err)
		}
	}
}

// heap returns the live bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// idleBytes returns what an actor costs that has started and handled a message.
func idleBytes(t testing.TB, n int) int64 {
	s := benchSystem(t)
	host, err := s.Spawn("shard-17", props(obey))
	if err != nil {
		t.Fatal(err)
	}
	kind := sumProps()
	refs := make([]*actors.Ref, n)
	spawnAll := order(func(c *actors.Context) {
		for i := range refs {
			refs[i], _ = c.Spawn(fmt.Sprintf("station/725030:%06d", i), kind)
			_ = refs[i].Tell(add(1))
		}
	})
	before := heap()
	if err := host.Tell(spawnAll); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), host, ""); err != nil {
		t.Fatal(err)
	}
	for _, r := range refs {
		if _, err := actors.Ask(t.Context(), r, func(r *actors.Reply[int]) any { return total{r} }); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / int64(n)
	runtime.KeepAlive(refs)
	return each
}

// Mutation: a mailbox keeps its last chunk (1.4 KB).
func TestIdleActorIsSmall(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector's own memory is in the figure")
	}
	each := idleBytes(t, 100_000)
	t.Logf("%d bytes an idle actor, the user's 40 and its name included", each)
	if each > 900 {
		t.Errorf("%d bytes an idle actor, want 900 at most", each)
	}
}
