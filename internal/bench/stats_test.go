package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	ten := latencies{}
	for i := range 10 {
		ten = append(ten, time.Duration(10-i)*time.Second) // 10 … 1
	}
	ten.sorted()
	for q, want := range map[float64]float64{0: 1, 0.05: 1, 0.1: 1, 0.11: 2, 0.5: 5, 0.51: 6, 0.9: 9, 0.99: 10, 1: 10} {
		if got := ten.quantile(q); got != want {
			t.Errorf("quantile %v of 1 to 10 s is %v s, want %v", q, got, want)
		}
	}
	if got := (latencies{}).quantile(0.5); got != 0 {
		t.Errorf("of none it is %v", got)
	}
}

// A quantile is one of the values, and by definition the smallest that enough of
// all do not exceed.
func TestQuantileIsByRank(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		var all latencies
		for range 1 + rng.IntN(50) {
			all = append(all, time.Duration(rng.IntN(30)))
		}
		q := rng.Float64()
		got := all.sorted().quantile(q)
		share := func(limit float64) float64 {
			n := 0
			for _, d := range all {
				if d.Seconds() <= limit {
					n++
				}
			}
			return float64(n) / float64(len(all))
		}
		want := math.Inf(1)
		for _, d := range all {
			if share(d.Seconds()) >= q {
				want = min(want, d.Seconds())
			}
		}
		if got != want {
			t.Fatalf("seed %d: quantile %v of %v is %v, want %v", seed, q, all, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := append([]float64(nil), test.values...)
		if got := median(test.values...); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.values, got, test.want)
		}
		for i := range before {
			if test.values[i] != before[i] {
				t.Fatalf("the values were moved: %v, before %v", test.values, before)
			}
		}
	}
}

func TestPerSecond(t *testing.T) {
	if got := perSecond(500, 250*time.Millisecond); got != 2000 {
		t.Errorf("500 in 250 ms are %v a second", got)
	}
	if got := perSecond(500, 0); got != 0 {
		t.Errorf("500 in no time are %v a second", got)
	}
}
