package cassandra

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// What the protocol's version and the collecting of requests cost or gain, with as
// many frames under way as a journal allows, of a size as under load, and one at a
// time.
func BenchmarkAppend(b *testing.B) {
	base := newStore(b, 1)
	for _, size := range []int{4 << 10, 64 << 10} {
		for _, flying := range []int{1, 32} {
			for _, protocol := range []int{4, 5} {
				for _, coalesce := range []time.Duration{0, 200 * time.Microsecond} {
					b.Run(fmt.Sprintf("size=%dKiB/flying=%d/protocol=%d/coalesce=%s", size>>10, flying, protocol, coalesce), func(b *testing.B) {
						cfg := base
						cfg.Protocol, cfg.WriteCoalesce = protocol, coalesce
						benchmarkAppend(b, opened(b, cfg), size, flying)
					})
				}
			}
		}
	}
}

var benchSeq uint64

func benchmarkAppend(b *testing.B, s *Store, size, flying int) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, size)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	frames := make([]persistence.Frame, b.N)
	for i := range frames {
		var fb persistence.FrameBuilder
		kind := fb.Kind("k")
		fb.Add(fb.Entity(kind, "i"), fb.Type(kind, "t", 1), noise)
		benchSeq++
		f, err := fb.Build(persistence.Shard(i%32), persistence.At(e, benchSeq))
		must(b, err)
		frames[i] = f
	}
	b.SetBytes(int64(size))
	b.ResetTimer()
	turn := make(chan struct{}, flying)
	var wg sync.WaitGroup
	for _, f := range frames {
		turn <- struct{}{}
		wg.Add(1)
		s.Log().Append(b.Context(), f, func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-turn
			wg.Done()
		})
	}
	wg.Wait()
}

// How long the check behind each acknowledgement takes, which waits for no disk.
func BenchmarkCheck(b *testing.B) {
	base := newStore(b, 1)
	for _, protocol := range []int{4, 5} {
		for _, coalesce := range []time.Duration{0, 200 * time.Microsecond} {
			b.Run(fmt.Sprintf("protocol=%d/coalesce=%s", protocol, coalesce), func(b *testing.B) {
				cfg := base
				cfg.Protocol, cfg.WriteCoalesce = protocol, coalesce
				s := opened(b, cfg)
				inc, err := s.Ownership().Boot(b.Context(), "n", "")
				must(b, err)
				for b.Loop() {
					must(b, s.Ownership().Check(b.Context(), "n", inc))
				}
			})
		}
	}
}

// What batches of small pages gain: an index's entries, one at a time or as Write
// groups them.
func BenchmarkWriteIndex(b *testing.B) {
	s := opened(b, newStore(b, 1))
	pages := make([]persistence.Page, 1000)
	for i := range pages {
		pages[i] = persistence.Page{Key: persistence.PageKey{Shard: 1, Page: fmt.Sprintf("index/station/place/%08d/72503%d:14732", i, i)}, Version: 1}
	}
	position := persistence.At(e, 0)
	for name, write := range map[string]func() error{
		"single": func() error {
			return s.together(b.Context(), len(pages), func(ctx context.Context, i int) error {
				head, cell := s.cells(pages[i])
				return s.writeUnit(ctx, []cellWrite{{pages[i].Key, position, head, cell}})
			})
		},
		"batched": func() error { return s.Pages().Write(b.Context(), pages) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				position++
				for i := range pages {
					pages[i].Position = position
				}
				must(b, write())
			}
			b.ReportMetric(float64(len(pages)*b.N)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}
