package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// What package client promises, with a server that keeps its word.
func TestClient(t *testing.T) {
	d, err := daemon.Start(t.Context(), config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	c, err := remote.Dial(remote.DefaultConfig(d.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	registered, err := c.Stations().RegisterStations(ctx, &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{
		{Id: sampledata.NewYork}, {Id: sampledata.SanFrancisco}, {Id: ""},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range registered.GetOutcomes() {
		if err := remote.OfFailure(o.GetFailure()); errors.Is(err, remote.ErrRejected) != (i == 2) || (err == nil) == (i == 2) {
			t.Errorf("station %q: %v", o.GetStation(), err)
		}
	}
	readings, err := sampledata.Observations()
	if err != nil {
		t.Fatal(err)
	}
	sink := c.Ingest(ctx, weather.Standard())
	defer sink.Close()
	summary, err := ingest.Load(ctx, []ingest.Source{ingest.Memory("sample", readings)}, sink, ingest.DefaultConfig())
	if err != nil || summary.Stored != summary.Readings || summary.Stored == 0 {
		t.Fatalf("%d of %d readings were stored: %v", summary.Stored, summary.Readings, err)
	}
	if len(c.Tokens()) != 2 {
		t.Errorf("after writing to two shards the session has %v", c.Tokens())
	}
	r, err := c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: sampledata.NewYork, Year: 2008})
	if err != nil || math.Abs(r.GetMillimetres()-839) > 0.01 {
		t.Errorf("got %v and %v, want 839 mm", r, err)
	}
	_, err = c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: sampledata.NewYork, Year: 2009})
	var e *remote.Error
	if !errors.Is(err, remote.ErrNoData) || !errors.As(err, &e) || e.Attempts != 1 || e.Token == nil {
		t.Errorf("got %v with the token %v, want that there is no data, after one attempt", err, e.Token)
	}
	for _, want := range []error{nil, remote.ErrNotFound} {
		if _, err := c.Stations().DeleteStation(ctx, &mesonetv1.DeleteStationRequest{Station: sampledata.NewYork}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	// A session of another store is refused until it is forgotten.
	c.Saw(&mesonetv1.Token{Store: 1, Shard: 1, Position: 1})
	ask := func() error {
		_, err := c.Stations().GetStation(ctx, &mesonetv1.GetStationRequest{Station: sampledata.SanFrancisco})
		return err
	}
	if err := ask(); !errors.As(err, &e) || e.Reason != "WRONG_STORE" || !errors.Is(err, remote.ErrRejected) {
		t.Errorf("got %v, want that the store is another", err)
	}
	c.Forget()
	if err := ask(); err != nil {
		t.Error(err)
	}
}

// Whoever asks and registers while a server restarts again and again waits, and
// does not fail; and reads what it wrote before.
func TestClientOutlivesRestarts(t *testing.T) {
	cfg := config(t.TempDir())
	d, err := daemon.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen = d.Addr()
	c, err := remote.Dial(remote.DefaultConfig(d.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	restarted, asked := make(chan error), make(chan struct{})
	go func() {
		defer close(restarted)
		for range 3 {
			for range 10 {
				<-asked
			}
			err := d.Stop(context.WithoutCancel(t.Context()))
			if err != nil {
				restarted <- err
				return
			}
			if d, err = daemon.Start(t.Context(), cfg); err != nil {
				restarted <- err
				return
			}
		}
	}()
	n := 0
	for going := true; going; n++ {
		select {
		case err := <-restarted:
			if going = false; err != nil {
				t.Fatal(err)
			}
		case asked <- struct{}{}:
		default: // it is being restarted
		}
		id := fmt.Sprintf("1:%d", n)
		r, err := c.Stations().RegisterStations(t.Context(), &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: id}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.OfFailure(r.GetOutcomes()[0].GetFailure()); err != nil {
			continue // a part of a reply is for the caller to send again
		}
		if _, err := c.Stations().GetStation(t.Context(), &mesonetv1.GetStationRequest{Station: id}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d stations were registered and asked", n)
	if err := errors.Join(c.Close(), d.Stop(context.WithoutCancel(t.Context()))); err != nil {
		t.Error(err)
	}
}
