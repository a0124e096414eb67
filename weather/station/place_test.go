package station_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

func openHost(t testing.TB, store persistence.Store) *entity.Host {
	t.Helper()
	cfg := entity.DefaultHostConfig(store, "n", stations.Kind)
	cfg.Logger = slog.New(slog.DiscardHandler)
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func closeHost(t testing.TB, h *entity.Host) {
	t.Helper()
	if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// The index of places has each station where it is and nowhere else, however it
// moved, lost its place, or went and came back, and the same after a start.
// Mutations seen to fail: the index keeping stations whose place is not known;
// changes leaving registrations out; register taking a move for no change.
func TestPlaces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store, err := memory.New(1)
		if err != nil {
			rt.Fatal(err)
		}
		h := openHost(t, store)
		defer func() { closeHost(t, h) }()
		twin := map[string]weather.Place{}
		place := func() weather.Place {
			return weather.Place{
				Latitude:  weather.Degree * weather.Value(rapid.SampledFrom([]int{-90, -1, 0, 1, 90}).Draw(rt, "latitude")),
				Longitude: weather.Degree * weather.Value(rapid.SampledFrom([]int{-180, -179, 0, 179, 180}).Draw(rt, "longitude")),
			}
		}
		id := func(rt *rapid.T) string { return fmt.Sprint("s", rapid.IntRange(0, 7).Draw(rt, "id")) }
		rt.Repeat(map[string]func(*rapid.T){
			"register": func(rt *rapid.T) {
				id := id(rt)
				s := weather.NewStation(id)
				delete(twin, id)
				if rapid.IntRange(0, 4).Draw(rt, "known") > 0 {
					p := place()
					s.Latitude, s.Longitude = p.Latitude, p.Longitude
					twin[id] = p
				}
				if _, err := stations.Register.Ask(t.Context(), h, id, &station.Register{Station: s}); err != nil {
					rt.Fatal(err)
				}
			},
			"observe": func(rt *rapid.T) {
				run := &weather.Run{}
				run.Append(weather.Minute(rapid.IntRange(0, 1000).Draw(rt, "minute")), 100)
				if _, err := stations.Observe.Ask(t.Context(), h, id(rt), &station.Observe{Run: run, AutoRegister: true}); err != nil {
					rt.Fatal(err)
				}
			},
			"remove": func(rt *rapid.T) {
				id := id(rt)
				var r *entity.Rejection
				if _, err := stations.Remove.Ask(t.Context(), h, id, &station.Remove{}); err != nil && !errors.As(err, &r) {
					rt.Fatal(err)
				}
				delete(twin, id)
			},
			"start": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "rest") > 0 {
					return // a host takes milliseconds to open
				}
				closeHost(t, h)
				h = openHost(t, store)
			},
			"near": func(*rapid.T) {
				of := place()
				var want []string
				for id, p := range twin {
					want = append(want, fmt.Sprintf("%012d %s", of.Distance(p), id))
				}
				slices.Sort(want)
				near, err := stations.Nearest(t.Context(), h, of, weather.Neighbor{}, 100)
				if err != nil {
					rt.Fatal(err)
				}
				var got []string
				for _, n := range near {
					got = append(got, fmt.Sprintf("%012d %s", n.Distance, n.ID))
				}
				if !slices.Equal(got, want) {
					rt.Fatalf("near %v are %v, want %v", of, got, want)
				}
			},
			"box": func(*rapid.T) {
				a, b := place(), place()
				box := weather.Box{South: min(a.Latitude, b.Latitude), North: max(a.Latitude, b.Latitude), West: a.Longitude, East: b.Longitude}
				var got, want []string
				for id, p := range twin {
					if box.Contains(p) {
						want = append(want, id)
					}
				}
				after := weather.Located{}
				for more := true; more; { // one a page
					more = false
					for l, err := range stations.In(t.Context(), h, box, after) {
						if err != nil {
							rt.Fatal(err)
						}
						got, after, more = append(got, l.ID), l, true
						break
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if strings.Join(got, " ") != strings.Join(want, " ") {
					rt.Fatalf("in %v are %v, want %v", box, got, want)
				}
			},
		})
	})
}
