package client

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// catalogueOf asks a server with those measures.
func catalogueOf(t *testing.T, measures ...*mesonetv1.Measure) (weather.Catalogue, error) {
	f := newFake(t)
	f.answer = func(context.Context, string, any) (any, error) {
		return &mesonetv1.ListMeasuresResponse{Measures: measures}, nil
	}
	return f.dial(t, nil).Catalogue(t.Context())
}

// Limits come back exactly, whatever their decimals. Mutation seen to fail: cut where
// they are rounded.
func TestCatalogue(t *testing.T) {
	low, high := -0.29, 67.108863 // 67108863 is the largest value there is
	got, err := catalogueOf(t,
		&mesonetv1.Measure{Name: "level", Unit: "cm", Decimals: 2, Aggregate: mesonetv1.Aggregate_AGGREGATE_MEAN, Low: -1.15, High: 1000.7, UsualLow: &low, UsualHigh: &high},
		&mesonetv1.Measure{Name: "rain", Unit: "mm", Decimals: 6, Aggregate: mesonetv1.Aggregate_AGGREGATE_SUM, Trace: true, Low: 0.000001, High: high})
	want := weather.Catalogue{
		{ID: 0, Name: "level", Unit: "cm", Decimals: 2, Aggregate: weather.AggregateMean, Low: -115, High: 100070, Usual: weather.Range{Low: -29, High: 6711}},
		{ID: 1, Name: "rain", Unit: "mm", Decimals: 6, Aggregate: weather.AggregateSum, Trace: true, Low: 1, High: 67108863},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// What a server of another version says is refused, not believed.
func TestStrangeCatalogue(t *testing.T) {
	good := func() *mesonetv1.Measure {
		return &mesonetv1.Measure{Name: "level", Aggregate: mesonetv1.Aggregate_AGGREGATE_MEAN, High: 1}
	}
	for name, spoil := range map[string]func(*mesonetv1.Measure){
		"decimals": func(m *mesonetv1.Measure) { m.Decimals = 7 }, "many decimals": func(m *mesonetv1.Measure) { m.Decimals = math.MaxUint32 },
		"aggregate": func(m *mesonetv1.Measure) { m.Aggregate = 99 }, "name": func(m *mesonetv1.Measure) { m.Name = "" },
		"NaN": func(m *mesonetv1.Measure) { m.High = math.NaN() }, "infinite": func(m *mesonetv1.Measure) { m.Low = math.Inf(-1) },
		"too large": func(m *mesonetv1.Measure) { m.High = 1e9 }, "crossed": func(m *mesonetv1.Measure) { m.Low = 2 },
	} {
		m := good()
		spoil(m)
		if got, err := catalogueOf(t, m); err == nil {
			t.Errorf("%s: the catalogue is %v", name, got)
		}
	}
	if got, err := catalogueOf(t); err == nil {
		t.Errorf("an empty catalogue is %v", got)
	}
	if _, err := catalogueOf(t, good()); err != nil {
		t.Error(err)
	}
}
