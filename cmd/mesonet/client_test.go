package main

import (
	"slices"
	"testing"
	"time"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func TestLinearizable(t *testing.T) {
	f := newFake(t)
	var asked mesonetv1.Consistency
	f.rain = func(r *mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
		asked = r.GetRead().GetConsistency()
		return &mesonetv1.GetPrecipitationResponse{}, nil
	}
	if got := runArgs(t, "precip", "1:1", "2008", "--addr", f.addr, "--linearizable"); got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	if asked != mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE {
		t.Errorf("asked for %v", asked)
	}
}

// A limit above what the server returns at once takes several pages, and what
// follows is told.
func TestListPages(t *testing.T) {
	f := newFake(t)
	var sizes []uint32
	f.list = func(r *mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error) {
		sizes = append(sizes, r.GetPageSize())
		stations := make([]*mesonetv1.Station, r.GetPageSize())
		for i := range stations {
			stations[i] = &mesonetv1.Station{Id: "1:1"}
		}
		return &mesonetv1.ListStationsResponse{Stations: stations, NextPageToken: r.GetPageToken() + "x"}, nil
	}
	c, err := dial(f.addr, 10*time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	list, err := c.stations(t.Context(), &mesonetv1.ListStationsRequest{}, 2500)
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Stations) != 2500 || list.NextPageToken != "xxx" || !slices.Equal(sizes, []uint32{1000, 1000, 500}) {
		t.Errorf("got %d stations in pages of %v, then %q", len(list.Stations), sizes, list.NextPageToken)
	}
}
