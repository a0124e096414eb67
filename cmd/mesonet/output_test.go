package main

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"839.0":     number(839, 1),
		"-0.1":      number(-0.1, 1),
		"0.0":       number(-0.04, 1),
		"1,157.0":   number(1157, 1),
		"-12,345.7": number(-12345.67, 1),
		"-":         number(math.NaN(), 1),
		"17,568":    count(17568),
		"999":       count(999),
		"1 hour":    counted(1, "hour", "hours"),
		"0 hours":   counted(0, "hour", "hours"),
		"812 µs":    took(812 * time.Microsecond),
		"5.94 ms":   took(5_940 * time.Microsecond),
		"412 ms":    took(412 * time.Millisecond),
		"3.2 s":     took(3_210 * time.Millisecond),
		"2m5s":      took(125_300 * time.Millisecond),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	list := table{header: []string{"NAME", ">mm"}}
	list.add("Zürich", "9.0")
	list.add("Ulm", "12.5")
	list.write(&b)
	if want := "NAME      mm\nZürich   9.0\nUlm     12.5\n"; b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestHorizontalBar(t *testing.T) {
	for part, want := range map[float64]string{0: "    ", 0.001: "▏   ", 0.5: "██  ", 0.56: "██▎ ", 1: "████"} {
		if got := hbar(part, 4); got != want {
			t.Errorf("hbar(%g) = %q, want %q", part, got, want)
		}
	}
}

// The names in JSON are those of the API, so that they can be looked up there;
// only the period is ours, and tokens are of no use to who reads a file.
func TestJSONNames(t *testing.T) {
	for _, test := range []struct {
		answer  any
		message proto.Message
		extra   []string // ours
	}{
		{station{}, &mesonetv1.Station{}, nil},
		{stationList{}, &mesonetv1.ListStationsResponse{}, nil},
		{precipitation{}, &mesonetv1.GetPrecipitationResponse{}, []string{"period"}},
		{temperature{}, &mesonetv1.GetMonthlyTemperatureResponse{}, []string{"period"}},
		{temperatureSum{}, &mesonetv1.Temperature{}, nil},
		{current{}, &mesonetv1.GetCurrentWeatherResponse{}, nil},
		{observation{}, &mesonetv1.Observation{}, nil},
		{suspicion{}, &mesonetv1.Suspicion{}, nil},
		{hiLow{}, &mesonetv1.GetMonthlyHiLowResponse{}, []string{"period"}},
		{dailyHiLow{}, &mesonetv1.DailyHiLow{}, nil},
		{ranking{}, &mesonetv1.GetTopResponse{}, []string{"period"}},
		{rankedAt{}, &mesonetv1.Rank{}, nil},
		{wettest{}, &mesonetv1.GetTopPrecipitationResponse{}, []string{"period"}},
		{stationRanking{}, &mesonetv1.GetTopStationsResponse{}, []string{"period"}},
		{wetSpan{}, &mesonetv1.WetSpan{}, nil},
		{skyCounts{}, &mesonetv1.CountSkyConditionsResponse{}, []string{"period"}},
		{skyConditionCount{}, &mesonetv1.SkyConditionCount{}, nil},
		{skyConditionList{}, &mesonetv1.ListSkyConditionsResponse{}, nil},
		{skyCondition{}, &mesonetv1.SkyCondition{}, nil},
		{wind{}, &mesonetv1.GetWindResponse{}, []string{"period"}},
		{windSector{}, &mesonetv1.WindSector{}, nil},
		{statistics{}, &mesonetv1.GetStatisticsResponse{}, []string{"period"}},
		{figures{}, &mesonetv1.Statistics{}, nil},
		{measureList{}, &mesonetv1.ListMeasuresResponse{}, nil},
		{measure{}, &mesonetv1.Measure{}, nil},
		{changeHistory{}, &mesonetv1.GetObservationHistoryResponse{}, nil},
		{observationChange{}, &mesonetv1.ObservationChange{}, nil},
		{quality{}, &mesonetv1.GetStationQualityResponse{}, nil},
		{usualRange{}, &mesonetv1.UsualRange{}, nil},
		{recorded{}, &mesonetv1.RecordObservationsResponse{}, nil},
		{recordOutcome{}, &mesonetv1.RecordOutcome{}, []string{"station", "time"}},
		{failureFields{}, &mesonetv1.Failure{}, nil},
		{retracted{}, &mesonetv1.RetractObservationResponse{}, nil},
		{quarantineSources{}, &mesonetv1.ListQuarantineSourcesResponse{}, nil},
		{quarantineSource{}, &mesonetv1.QuarantineSource{}, nil},
		{quarantinedLines{}, &mesonetv1.ListQuarantinedResponse{}, nil},
		{quarantinedLine{}, &mesonetv1.QuarantinedLine{}, []string{"source"}},
		{releasedLines{}, &mesonetv1.ReleaseQuarantinedResponse{}, nil},
	} {
		want := test.extra
		fields := test.message.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if name := string(fields.Get(i).Name()); name != "token" && name != "tokens" {
				want = append(want, name)
			}
		}
		got := jsonNames(reflect.TypeOf(test.answer))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%T has the names\n\t%v, the API\n\t%v", test.answer, got, want)
		}
	}
}

func jsonNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue // not in JSON
		}
		if f.Anonymous {
			names = append(names, jsonNames(f.Type.Elem())...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Where somebody watches a bar is redrawn, and cut to the width; elsewhere a
// line comes now and then.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, live: true, width: 50}
	p.show("readings", 0.5, "8,784", "100,000/s", "12s left")
	p.note("the connection broke")
	p.show("readings", 1, "17,568")
	p.done()
	p.done()
	want := "\r\x1b[K  readings [████████████············]  50 %  8,78" +
		"\r\x1b[Kthe connection broke\n" +
		"\r\x1b[K  readings [████████████████████████] 100 %  17,5" +
		"\r\x1b[K"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}

	b.Reset()
	p = &progress{w: &b, pause: time.Hour, last: time.Now()}
	p.show("readings", 0.25, "4,392")
	p.last = time.Now().Add(-2 * time.Hour)
	p.show("readings", 0.5, "8,784", "100,000/s")
	p.show("readings", 0.75, "13,176")
	p.done()
	if want := "readings:  50 %  8,784, 100,000/s\n"; b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}
