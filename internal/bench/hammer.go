package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// always is the context of what is asked, sent or waited for many times, here
// and in the limits: one without an end. The lock in one that ends is shared by
// all who use it, and would be what is measured.
var always = context.Background()

// asking is how many questions are under way, each from a goroutine of its own.
const asking = 64

// hammer asks as many questions as are answered while it lasts, and returns the
// answers a second. ask gets a number that goes round all questions. The first
// error ends it.
func hammer(ctx context.Context, d time.Duration, ask func(i int) error) (float64, error) {
	return hammerBy(ctx, asking, d, ask)
}

// hammerBy does so with so many questions under way.
func hammerBy(ctx context.Context, asking int, d time.Duration, ask func(i int) error) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var ended atomic.Bool // asked before each question: cheaper than ctx
	defer context.AfterFunc(ctx, func() { ended.Store(true) })()
	var failed atomic.Pointer[error]
	var answers atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for g := range asking {
		all.Go(func() {
			n := 0
			for i := g; !ended.Load(); i += asking {
				if err := ask(i); err != nil {
					why := err // its own, so that only one that failed is on the heap
					failed.CompareAndSwap(nil, &why)
					ended.Store(true)
					break
				}
				n++
			}
			answers.Add(int64(n))
		})
	}
	all.Wait()
	took := time.Since(begin)
	if p := failed.Load(); p != nil {
		return 0, *p
	}
	return perSecond(int(answers.Load()), took), nil
}

// alone asks one question at a time for a while and returns how long each took,
// sorted.
func alone(ctx context.Context, d time.Duration, ask func(i int) error) (latencies, error) {
	var took latencies
	end := time.Now().Add(d)
	for i := 0; ctx.Err() == nil; i++ {
		begin := time.Now()
		if begin.After(end) {
			break
		}
		if err := ask(i); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took.sorted(), nil
}
