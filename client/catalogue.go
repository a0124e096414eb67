package client

import (
	"context"
	"fmt"
	"math"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// Catalogue asks what stations of the network measure, in the form that formats
// of package ingest and [Client.Ingest] need: a program that sends readings takes
// nothing for granted of a network's configuration. It has what is possible and
// usual of each measure; what makes a value suspect, the server keeps to itself.
func (c *Client) Catalogue(ctx context.Context) (weather.Catalogue, error) {
	r, err := mesonetv1.NewMeasureServiceClient(c.Conn()).ListMeasures(ctx, &mesonetv1.ListMeasuresRequest{})
	if err != nil {
		return nil, err
	}
	catalogue := make(weather.Catalogue, len(r.GetMeasures()))
	for i, m := range r.GetMeasures() {
		if catalogue[i], err = measureOf(weather.MeasureID(i), m); err != nil {
			return nil, c.strange(err)
		}
	}
	if err := catalogue.Validate(); err != nil {
		return nil, c.strange(err)
	}
	return catalogue, nil
}

// strange is the error of a catalogue that this version does not understand.
func (c *Client) strange(err error) error {
	return fmt.Errorf("client: the catalogue of the server at %s can't be used here, perhaps because it is of another version: %w", c.addr, err)
}

var aggregates = map[mesonetv1.Aggregate]weather.Aggregate{
	mesonetv1.Aggregate_AGGREGATE_MEAN:     weather.AggregateMean,
	mesonetv1.Aggregate_AGGREGATE_SUM:      weather.AggregateSum,
	mesonetv1.Aggregate_AGGREGATE_MAXIMUM:  weather.AggregateMaximum,
	mesonetv1.Aggregate_AGGREGATE_CIRCULAR: weather.AggregateCircular,
	mesonetv1.Aggregate_AGGREGATE_CODE:     weather.AggregateCode,
}

// measureOf is a measure as the API has it. Whether it can be one is for the
// catalogue to say.
func measureOf(id weather.MeasureID, m *mesonetv1.Measure) (weather.Measure, error) {
	if m.GetDecimals() > weather.MaxDecimals {
		return weather.Measure{}, fmt.Errorf("%s has %d decimals, more than %d", m.GetName(), m.GetDecimals(), weather.MaxDecimals)
	}
	own := weather.Measure{
		ID: id, Name: m.GetName(), Unit: m.GetUnit(), Decimals: int(m.GetDecimals()),
		Aggregate: aggregates[m.GetAggregate()], Trace: m.GetTrace(),
	}
	for _, limit := range []struct {
		from *float64
		to   *weather.Value
	}{{&m.Low, &own.Low}, {&m.High, &own.High}, {m.UsualLow, &own.Usual.Low}, {m.UsualHigh, &own.Usual.High}} {
		if limit.from == nil {
			continue
		}
		// The float64 nearest to a value; the product is off by less than a half.
		scaled := math.Round(*limit.from * math.Pow10(own.Decimals))
		if !(math.Abs(scaled) <= float64(weather.MaxValue)) { // not: NaN
			return own, fmt.Errorf("%s has a limit of %v with %d decimals", own.Name, *limit.from, own.Decimals)
		}
		*limit.to = weather.Value(scaled)
	}
	return own, nil
}
