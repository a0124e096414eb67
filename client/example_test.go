package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/sampledata"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// How much rain fell in a year?
func Example() {
	addr, stop := client.Serve() // yours is where mesonet server listens
	defer stop()

	c, err := client.Dial(client.DefaultConfig(addr))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, year := range []int32{2008, 2009} {
		rain, err := c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: "725030:14732", Year: year})
		switch {
		case errors.Is(err, client.ErrNoData):
			fmt.Printf("%d: no data, which is not the same as 0 mm\n", year)
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Printf("%d: %.1f mm in %d observations\n", year, rain.GetMillimetres(), rain.GetObservations())
		}
	}
	// Output:
	// 2008: 839.0 mm in 8784 observations
	// 2009: no data, which is not the same as 0 mm
}

// Readings go to a server in order, and again where it is not known whether they
// have arrived.
func ExampleClient_Ingest() {
	addr, stop := client.Serve()
	defer stop()
	c, err := client.Dial(client.DefaultConfig(addr))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()
	readings, err := sampledata.Observations() // or ingest.Open a file
	if err != nil {
		fmt.Println(err)
		return
	}
	source := ingest.Memory("sample", readings[:bytes.LastIndexByte(readings[:10_000], '\n')+1])

	ctx := context.Background()
	sink := c.Ingest(ctx, weather.Standard())
	defer sink.Close()
	sink.OnBreak = func(err error) { fmt.Println("sending again:", err) }
	summary, err := ingest.Load(ctx, []ingest.Source{source}, sink, ingest.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(summary.Stored == summary.Readings, summary.Duplicates, summary.Refused)
	// Output: true 0 0
}

// What to do about an error is a question of its outcome.
func ExampleError() {
	cfg := client.DefaultConfig("127.0.0.1:1") // where nobody listens
	cfg.Timeout = 20 * time.Millisecond
	c, err := client.Dial(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()

	_, err = c.Stations().DeleteStation(context.Background(), &mesonetv1.DeleteStationRequest{Station: "725030:14732"})
	switch {
	case err == nil, errors.Is(err, client.ErrNotFound):
		fmt.Println("it is gone")
	case errors.Is(err, client.ErrUnknown):
		fmt.Println("it may be gone: look")
	case errors.Is(err, client.ErrUnavailable), errors.Is(err, client.ErrOverloaded):
		fmt.Println("it is still there: delete it later")
	default:
		fmt.Println(err)
	}
	// Output: it is still there: delete it later
}
