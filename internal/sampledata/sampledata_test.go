package sampledata

import (
	"bytes"
	"testing"
)

func TestObservations(t *testing.T) {
	text, err := Observations()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n != 17_568 {
		t.Errorf("%d lines, want 17,568", n)
	}
	for _, station := range []string{SanFrancisco, NewYork} {
		if n := bytes.Count(text, []byte(station+",2008,")); n != 366*24 {
			t.Errorf("%d lines of %s, want 8,784", n, station)
		}
	}
}

func TestStations(t *testing.T) {
	text, err := Stations()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range bytes.Lines(text) {
		id, _, _ := bytes.Cut(line, []byte(","))
		ids[string(id)] = true
	}
	if n := bytes.Count(text, []byte("\n")); n != 19_704 || len(ids) != 19_703 {
		t.Errorf("%d lines with %d ids, want 19,704 and 19,703", n, len(ids))
	}
	if !ids[SanFrancisco] || !ids[NewYork] {
		t.Error("the stations of the observations are not in the catalogue")
	}
}

func TestAnswers(t *testing.T) {
	e, err := Answers()
	if err != nil {
		t.Fatal(err)
	}
	for name, sizes := range map[string][2]int{
		"annual": {len(e.Annual), 2}, "monthly": {len(e.Monthly), 24}, "days": {len(e.Days), 732},
		"months": {len(e.Months), 24}, "top hours": {len(e.TopHours), 2}, "top days": {len(e.TopDays), 2},
		"sky": {len(e.Sky), 14}, "network": {len(e.Network), 1},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s has %d answers, want %d", name, sizes[0], sizes[1])
		}
	}
	if got := e.Annual[YearKey(NewYork, 2008)]; got.OneHour != 839 || got.SixHour != 1157 {
		t.Errorf("New York has %+v", got)
	}
	if got := e.Days[DayKey(NewYork, 2008, 12, 1)]; got.N != 23 || got.High != 12.2 || got.Low != 5.6 {
		t.Errorf("2008-12-01 has %+v", got)
	}
	if e.Months[MonthKey(SanFrancisco, 2008, 7)].N == 0 || e.Sky[SkyKey(SanFrancisco, 2008, 0)] != 1629 {
		t.Error("a key finds nothing")
	}
}

func TestArchivesAreCopies(t *testing.T) {
	ObservationsArchive()[0] = 0
	StationsArchive()[0] = 0
	if _, err := Observations(); err != nil {
		t.Error(err)
	}
	if _, err := Stations(); err != nil {
		t.Error(err)
	}
}
