package station_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// Limits may change: what was stored under wider ones is read from the log and
// from pages, and what comes is measured by those of today; a measure that is
// added has a place in the pages of before. Mutation seen to fail: events checked with
// the limits of today when they are read.
func TestOtherLimits(t *testing.T) {
	store, err := memory.New(1)
	if err != nil {
		t.Fatal(err)
	}
	narrow := weather.Standard()
	narrow[weather.Temperature].High = 300
	more := append(weather.Standard(), weather.Measure{ID: weather.MeasureID(len(narrow)), Name: "level", Aggregate: weather.AggregateMean, High: 9})
	more[weather.Temperature].High = 300
	const id = "1:1"
	for i, life := range []struct {
		catalogue weather.Catalogue
		refused   weather.Value
		crashes   bool // so that the next life reads the log, not pages
	}{
		{weather.Standard(), 700, true},
		{narrow, 301, true},
		{narrow, 301, false},
		{more, 301, true},
		{more, 301, false},
	} {
		s := station.New(life.catalogue)
		cfg := entity.DefaultHostConfig(store, "n", s.Kind)
		cfg.Logger, cfg.CheckpointEvery = slog.New(slog.DiscardHandler), time.Hour
		host, err := entity.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		observe := func(hour int, values ...weather.Value) error {
			run := &weather.Run{}
			at, err := weather.MinuteOf(2008, 1, 1, hour, 0)
			if err != nil {
				t.Fatal(err)
			}
			run.Append(at, values...)
			_, err = s.Observe.Ask(t.Context(), host, id, &station.Observe{Run: run, AutoRegister: true})
			return err
		}
		if err := observe(i, life.refused); err == nil {
			t.Errorf("life %d takes %d", i, life.refused)
		}
		values := []weather.Value{290}
		if i == 0 {
			values[0] = 560
			if err := observe(20, 550); err != nil { // so that two such events may be joined
				t.Error(err)
			}
		}
		if len(life.catalogue) > len(narrow) {
			values = append(slices.Repeat([]weather.Value{weather.Missing}, len(narrow)), 5)
			values[weather.Temperature] = 290
		}
		if err := observe(i, values...); err != nil {
			t.Errorf("life %d: %v", i, err)
		}
		day, err := s.Temperature.Ask(t.Context(), host, id, &station.Temperature{Period: station.Period{Year: 2008, Month: 1, Day: 1}})
		if err != nil || day.N != i+2 || day.High != 560 {
			t.Errorf("life %d: %+v, %v; want %d values up to 560", i, day, err, i+2)
		}
		if life.crashes {
			host.Fail(errors.New("a crash"))
		}
		if err := host.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
