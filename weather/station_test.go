package weather

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckStationID(t *testing.T) {
	for _, id := range []string{"725030:14732", "KSFO", "a", "buoy-7_x.y@lab+2", strings.Repeat("x", MaxStationID)} {
		if err := CheckStationID(id); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{"", "a b", "a/b", "a\tb", "a\x00", "é", "a\n", "../x", strings.Repeat("x", MaxStationID+1)} {
		if err := CheckStationID([]byte(id)); !errors.Is(err, ErrStation) {
			t.Errorf("%q is accepted: %v", id, err)
		}
	}
}

func TestStationValidate(t *testing.T) {
	good := Station{
		ID: "725030:14732", Name: "NEW YORK/LA GUARDIA", Country: "US", State: "NY", CallSign: "KLGA",
		Latitude: 4077900, Longitude: -7388000, Elevation: 94,
	}
	unknown := NewStation("10000:99999")
	for _, s := range []Station{good, unknown, {ID: "x", Latitude: Missing, Longitude: Missing, Name: "Bogotá"}} {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
	if !good.Located() || unknown.Located() {
		t.Error("a station knows wrongly where it is")
	}
	tests := []struct {
		change func(*Station)
		want   string
	}{
		{func(s *Station) { s.ID = "" }, "id"},
		{func(s *Station) { s.Name = "A\nB" }, "control"},
		{func(s *Station) { s.Name = "\xff" }, "UTF-8"},
		{func(s *Station) { s.Name = strings.Repeat("x", 201) }, "201 bytes"},
		{func(s *Station) { s.Country = strings.Repeat("x", 17) }, "country"},
		{func(s *Station) { s.State = "\x00" }, "state"},
		{func(s *Station) { s.CallSign = "\x7f" }, "call sign"},
		{func(s *Station) { s.Latitude = 9000001 }, "latitude"},
		{func(s *Station) { s.Latitude = Missing }, "both"},
		{func(s *Station) { s.Longitude = -18000001 }, "longitude"},
		{func(s *Station) { s.Longitude = Trace }, "longitude"},
		{func(s *Station) { s.Elevation = 90001 }, "elevation"},
		{func(s *Station) { s.Elevation = -5001 }, "elevation"},
	}
	for _, test := range tests {
		s := good
		test.change(&s)
		if err := s.Validate(); !errors.Is(err, ErrStation) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want an error with %q", err, test.want)
		}
	}
}
