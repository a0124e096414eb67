package main

import (
	"math"
	"slices"
	"time"
)

// latencies are the times that single calls took.
type latencies []time.Duration

// sorted sorts l in place and returns it.
func (l latencies) sorted() latencies {
	slices.Sort(l)
	return l
}

// quantile returns the smallest of the sorted times that a share q of all does
// not exceed (nearest rank), in seconds; 0 of none.
func (l latencies) quantile(q float64) float64 {
	if len(l) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(l))))
	return l[min(max(rank, 1), len(l))-1].Seconds()
}

// median returns the middle one of the values, or the mean of the two in the
// middle; 0 of none. It leaves their order alone.
func median(values ...float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return mean(s[(len(s)-1)/2], s[len(s)/2])
}

func mean(a, b float64) float64 { return (a + b) / 2 }

// perSecond returns how many of n there were each second.
func perSecond(n int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}
