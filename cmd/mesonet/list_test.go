package main

import (
	"testing"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// What is parsed is on the earth, whatever is written.
func FuzzParseBox(f *testing.F) {
	for _, text := range []string{"", "40,-75,41,-73", "1,2", "1e3,0,0,0", "NaN,0,0,0", "-90,180,90,-180", " 1 ,2,3 , 4", "1,,2,3", "--1,0,0,0", "1_0,0,0,0", "0x1,0,0,0"} {
		f.Add(text)
	}
	within := func(v, most float64) bool { return v >= -most && v <= most }
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := parseBox(text); err == nil &&
			(!within(b.GetSouth(), 90) || !within(b.GetNorth(), 90) || !within(b.GetWest(), 180) || !within(b.GetEast(), 180) || b.GetSouth() > b.GetNorth()) {
			t.Errorf("%q is %v", text, b)
		}
		if p, err := parsePlace(text); err == nil && (!within(p.GetLatitude(), 90) || !within(p.GetLongitude(), 180)) {
			t.Errorf("%q is %v", text, p)
		}
	})
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]*mesonetv1.Place{
		"40.7127837,-73.88": {Latitude: 40.7127837, Longitude: -73.88},
		" +90 , -180 ":      {Latitude: 90, Longitude: -180},
		".5,0.":             {Latitude: 0.5},
	} {
		if got, err := parsePlace(text); err != nil || got.GetLatitude() != want.GetLatitude() || got.GetLongitude() != want.GetLongitude() {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ",", "1", "1,", "1,2,3", "1 2", "1e1,0", "Inf,0", "0x1,0", "1_0,0", "１,０", "90.1,0", "0,-180.1", "-,-"} {
		if got, err := parsePlace(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// A server of before knows nothing of places, and lists all: that is not taken
// for what was asked.
func TestNearOfAnOlderServer(t *testing.T) {
	f := newFake(t)
	f.list = func(*mesonetv1.ListStationsRequest) (*mesonetv1.ListStationsResponse, error) {
		return &mesonetv1.ListStationsResponse{Stations: []*mesonetv1.Station{{Id: "1:1"}}}, nil
	}
	got := runArgs(t, "station", "list", "--near", "1,2", "--addr", f.addr)
	if got.code != exitFailed || got.stdout != "" {
		t.Errorf("exit code %d: %q %q", got.code, got.stdout, got.stderr)
	}
}
