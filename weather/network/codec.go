package network

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// The numbers of aggregates are the same here and there.

func describe(m weather.Measure) *storagev1.Measure {
	return &storagev1.Measure{
		Name: m.Name, Unit: m.Unit, Decimals: uint32(m.Decimals), Aggregate: storagev1.Aggregate(m.Aggregate), Trace: m.Trace,
		Low: int32(m.Low), High: int32(m.High),
	}
}

func describeAll(c weather.Catalogue) *storagev1.Measures {
	all := &storagev1.Measures{}
	for _, m := range c {
		all.Measures = append(all.Measures, describe(m))
	}
	return all
}

func catalogueOf(all *storagev1.Measures) weather.Catalogue {
	c := make(weather.Catalogue, len(all.GetMeasures()))
	for i, m := range all.GetMeasures() {
		c[i] = weather.Measure{
			ID: weather.MeasureID(i), Name: m.GetName(), Unit: m.GetUnit(), Decimals: int(m.GetDecimals()),
			Aggregate: weather.Aggregate(m.GetAggregate()), Trace: m.GetTrace(), Low: weather.Value(m.GetLow()), High: weather.Value(m.GetHigh()),
		}
	}
	return c
}

func appendCatalogue(dst []byte, c weather.Catalogue) []byte {
	dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, describeAll(c))
	if err != nil {
		panic(err) //nolint:forbidigo // a programmer's error: names were validated; supervision takes it
	}
	return dst
}

func decodeCatalogue(b []byte) (weather.Catalogue, error) {
	m := &storagev1.Measures{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("network: the catalogue: %w", err)
	}
	c := catalogueOf(m)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("network: the catalogue: %w", err)
	}
	return c, nil
}
