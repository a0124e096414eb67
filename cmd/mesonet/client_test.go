package main

import (
	"slices"
	"testing"
	"time"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// A session sends back the highest token of each shard.
func TestTokens(t *testing.T) {
	f := newFake(t)
	var asked []*mesonetv1.Read
	tokens := []*mesonetv1.Token{
		{Store: 1, Shard: 3, Position: 7},
		{Store: 1, Shard: 3, Position: 5}, // older: not to be kept
		{Store: 1, Shard: 2, Position: 1},
		{Store: 2, Shard: 3, Position: 1}, // another store: the old one is of no use
	}
	f.rain = func(r *mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
		asked = append(asked, r.GetRead())
		return &mesonetv1.GetPrecipitationResponse{Token: tokens[len(asked)-1]}, nil
	}
	c, err := dial(f.addr, 10*time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range tokens {
		if _, err := c.precipitation(t.Context(), "1:1", period{year: 2008}); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]uint64{{}, {7}, {7}, {1, 7}}
	for i, read := range asked {
		positions := []uint64{}
		for _, token := range read.GetTokens() {
			positions = append(positions, token.GetPosition())
		}
		if !slices.Equal(positions, want[i]) {
			t.Errorf("question %d carried the positions %v, want %v", i, positions, want[i])
		}
		if read.GetConsistency() != mesonetv1.Consistency_CONSISTENCY_SESSION {
			t.Errorf("question %d asked for %v", i, read.GetConsistency())
		}
	}
	if last := c.read().GetTokens(); len(last) != 2 || last[1].GetStore() != 2 {
		t.Errorf("the session holds %v, want the token of the other store for shard 3", last)
	}
}

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
