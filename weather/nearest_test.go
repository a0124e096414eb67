package weather_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/weather"
)

// network finds what it has by going through all of it.
type network []weather.Located

func (n network) find(r weather.KeyRange) iter.Seq2[weather.Located, error] {
	return func(yield func(weather.Located, error) bool) {
		for _, l := range n {
			if k := l.Place.Key(); r.First <= k && k <= r.Last && !yield(l, nil) {
				return
			}
		}
	}
}

// sorted is all of it, the nearest first.
func (n network) sorted(of weather.Place) []weather.Neighbor {
	var all []weather.Neighbor
	for _, l := range n {
		all = append(all, weather.Neighbor{Located: l, Distance: of.Distance(l.Place)})
	}
	slices.SortFunc(all, func(a, b weather.Neighbor) int {
		if a.Distance != b.Distance {
			return int(max(-1, min(1, a.Distance-b.Distance)))
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// Page by page comes what sorting all of it gives, in every part of the world.
// Mutations seen to fail: a ring yielding what lies outside of it (Nearest without
// o.Distance <= radius); around forgetting that a box crosses the antimeridian
// (West not below −180° + 360°) or that a circle has a pole in it; Compare without
// ids, by which pages lose those at the same distance.
func TestNearest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		of := aPlace(rt, "of")
		var n network
		for i := range rapid.IntRange(0, 30).Draw(rt, "stations") {
			p := aPlace(rt, "station")
			if rapid.IntRange(0, 2).Draw(rt, "close") > 0 {
				p = beside(rt, of)
			}
			for range rapid.SampledFrom([]int{1, 1, 1, 4}).Draw(rt, "at one place") {
				n = append(n, weather.Located{ID: fmt.Sprintf("s%d-%d", rapid.IntRange(0, 99).Draw(rt, "name"), i*10+len(n)), Place: normal(p)})
			}
		}
		size := rapid.IntRange(2, 12).Draw(rt, "page")
		var got []weather.Neighbor
		var after weather.Neighbor
		for {
			page, err := weather.Nearest(of, after, size, n.find)
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, page...)
			if len(page) < size {
				break
			}
			after = page[size-1]
		}
		if want := n.sorted(of); !slices.Equal(got, want) {
			rt.Fatalf("near %v:\n%v, want\n%v", of, got, want)
		}
	})
}

// beside returns a place not far away, also over a pole or the antimeridian.
func beside(rt *rapid.T, p weather.Place) weather.Place {
	by := func(name string) weather.Value {
		return weather.Value(rapid.Int32Range(-4, 4).Draw(rt, name)) * weather.Value(rapid.SampledFrom([]int32{1, 3_000, 30_000, 500_000}).Draw(rt, name+" in"))
	}
	p.Latitude = max(-90*degree, min(90*degree, p.Latitude+by("north")))
	p.Longitude += by("east")
	if p.Longitude > 180*degree {
		p.Longitude -= 360 * degree
	}
	if p.Longitude < -180*degree {
		p.Longitude += 360 * degree
	}
	return p
}

// The same with a network as dense as they are, and a few of its stations asked for.
func TestNearestOfMany(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var n network
	for i := range 3000 {
		p := weather.Place{Latitude: weather.Value(rng.IntN(180*100_000+1) - 90*100_000), Longitude: weather.Value(rng.IntN(360*100_000) - 180*100_000)}
		if i%3 == 0 {
			p = weather.Place{Latitude: p.Latitude / 50, Longitude: 180*degree - 100_000 + p.Longitude/100}
			if p.Longitude > 180*degree {
				p.Longitude -= 360 * degree
			}
		}
		n = append(n, weather.Located{ID: fmt.Sprint(i), Place: normal(p)})
	}
	for range 20 {
		of := n[rng.IntN(len(n))].Place
		k := 1 + rng.IntN(20)
		got, err := weather.Nearest(of, weather.Neighbor{}, k, n.find)
		if err != nil || !slices.Equal(got, n.sorted(of)[:k]) {
			t.Fatalf("the %d near %v: %v, %v", k, of, got, err)
		}
	}
}

// One that moves while it is looked for is taken once. Mutation seen to fail:
// keepNearest not looking for the id.
func TestNearestTakesNothingTwice(t *testing.T) {
	at := weather.Value(0)
	moving := func(weather.KeyRange) iter.Seq2[weather.Located, error] {
		return func(yield func(weather.Located, error) bool) {
			at += 100
			yield(weather.Located{ID: "m", Place: weather.Place{Latitude: at}}, nil)
		}
	}
	got, err := weather.Nearest(weather.Place{}, weather.Neighbor{}, 5, moving)
	if err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNearestEndsWithAnError(t *testing.T) {
	broken := errors.New("broken")
	got, err := weather.Nearest(weather.Place{}, weather.Neighbor{}, 5, func(weather.KeyRange) iter.Seq2[weather.Located, error] {
		return func(yield func(weather.Located, error) bool) { yield(weather.Located{}, broken) }
	})
	if !errors.Is(err, broken) || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
