package api_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

const laGuardia = "725030:14732"

func at(day, hour int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2008, 1, day, hour, 0, 0, 0, time.UTC))
}

func observation(day, hour int, values map[string]float64) *mesonetv1.Observation {
	return &mesonetv1.Observation{Station: laGuardia, Time: at(day, hour), Values: values}
}

// record stores observations, whose outcomes must be as said.
func (s *served) record(t testing.TB, want mesonetv1.RecordOutcome_Status, observations ...*mesonetv1.Observation) {
	t.Helper()
	r, err := s.RecordObservations(t.Context(), &mesonetv1.RecordObservationsRequest{Observations: observations})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range r.GetOutcomes() {
		if o.GetStatus() != want {
			t.Fatalf("observation %d: %v, want %s", i, o, want)
		}
	}
}

func laGuardiaAlone(t *testing.T) *served {
	s := serve(t)
	s.register(t, map[string][2]float64{laGuardia: {40.77917, -73.88}})
	return s
}

// The life of an observation: it comes, comes again, is corrected, is retracted,
// and comes once more; and what became of it is told.
func TestObservation(t *testing.T) {
	s := laGuardiaAlone(t)
	defer s.stop(t)
	first := observation(1, 5, map[string]float64{"temperature": 12.2, "wind_speed": 4})
	first.Traces = []string{"precipitation_1h"}
	s.record(t, mesonetv1.RecordOutcome_STATUS_STORED, first)
	s.record(t, mesonetv1.RecordOutcome_STATUS_DUPLICATE, first)
	s.now = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	better := observation(1, 5, map[string]float64{"temperature": -12.2})
	s.record(t, mesonetv1.RecordOutcome_STATUS_CORRECTED, better)

	retract := &mesonetv1.RetractObservationRequest{Station: laGuardia, Time: at(1, 5), Reason: "sensor in a cup of tea"}
	gone, err := s.RetractObservation(t.Context(), retract)
	if err != nil || !proto.Equal(gone.GetRetracted(), better) {
		t.Fatalf("retracted %v, %v; want %v", gone, err, better)
	}
	if again, err := s.RetractObservation(t.Context(), retract); err != nil || again.GetRetracted() != nil {
		t.Fatalf("retracted again: %v, %v", again, err)
	}
	if _, err := s.GetCurrentWeather(t.Context(), &mesonetv1.GetCurrentWeatherRequest{Station: laGuardia}); status.Code(err) != codes.NotFound {
		t.Fatalf("there still is weather: %v", err)
	}
	s.record(t, mesonetv1.RecordOutcome_STATUS_STORED, first)
	past, err := s.GetObservationHistory(t.Context(), &mesonetv1.GetObservationHistoryRequest{Station: laGuardia, Time: at(1, 5)})
	if err != nil || len(past.GetChanges()) != 2 || !proto.Equal(past.GetCurrent(), first) {
		t.Fatalf("history %v, %v", past, err)
	}
	for i, want := range []*mesonetv1.ObservationChange{{Before: first, After: better}, {Before: better, Reason: "sensor in a cup of tea"}} {
		got := past.GetChanges()[i]
		if !got.GetTime().AsTime().Equal(s.now) || !proto.Equal(got.GetBefore(), want.GetBefore()) || !proto.Equal(got.GetAfter(), want.GetAfter()) || got.GetReason() != want.GetReason() {
			t.Errorf("change %d is %v, want %v", i, got, want)
		}
	}
}

// What is erroneous is kept, shown, and left out of figures unless asked for; what
// is suspect is shown. A station's own ranges hold in place of the network's.
func TestQuality(t *testing.T) {
	s := laGuardiaAlone(t)
	defer s.stop(t)
	set, err := s.SetStationQuality(t.Context(), &mesonetv1.SetStationQualityRequest{
		Station: laGuardia, Ranges: []*mesonetv1.UsualRange{{Measure: "temperature", Low: -30, High: 40}},
	})
	if err != nil || len(set.GetRanges()) == 0 || set.GetRanges()[0].GetHigh() != 40 || !set.GetRanges()[0].GetOwn() || set.GetRanges()[1].GetOwn() {
		t.Fatalf("ranges %v, %v", set, err)
	}
	s.record(t, mesonetv1.RecordOutcome_STATUS_STORED,
		observation(1, 0, map[string]float64{"temperature": -20, "dew_point": -18}),
		observation(1, 1, map[string]float64{"temperature": 41}),
		observation(1, 2, map[string]float64{"temperature": 39}))
	list, err := s.ListObservations(t.Context(), &mesonetv1.ListObservationsRequest{Station: laGuardia})
	if err != nil || len(list.GetObservations()) != 3 || list.GetNextPageToken() != "" {
		t.Fatalf("list %v, %v", list, err)
	}
	first, second, third := list.GetObservations()[0], list.GetObservations()[1], list.GetObservations()[2]
	inconsistent := []mesonetv1.Suspicion_Reason{mesonetv1.Suspicion_REASON_INCONSISTENT}
	if len(first.GetSuspect()) != 2 || !slices.Equal(first.GetSuspect()[0].GetReasons(), inconsistent) || len(first.GetErroneous()) > 0 {
		t.Errorf("a dew point above the temperature: %v", first)
	}
	if !slices.Equal(second.GetErroneous(), []string{"temperature"}) || second.GetValues()["temperature"] != 41 {
		t.Errorf("41 °C: %v", second)
	}
	if len(third.GetSuspect()) != 1 || third.GetSuspect()[0].GetReasons()[0] != mesonetv1.Suspicion_REASON_STEP {
		t.Errorf("39 °C two hours after -20: %v", third)
	}
	for all, want := range map[bool]float64{false: 39, true: 41} {
		day, err := s.GetDailyTemperature(t.Context(), &mesonetv1.GetDailyTemperatureRequest{Station: laGuardia, Year: 2008, Month: 1, Day: 1, IncludeErroneous: all})
		if err != nil || day.GetTemperature().GetHigh() != want {
			t.Errorf("with erroneous ones %t: %v, %v; want a high of %g", all, day, err, want)
		}
	}
}

// collector is a stream that keeps what it is sent.
type collector struct {
	grpc.ServerStream
	ctx context.Context
	got []*mesonetv1.StreamObservationsResponse
}

func (c *collector) Context() context.Context { return c.ctx }

func (c *collector) Send(r *mesonetv1.StreamObservationsResponse) error {
	c.got = append(c.got, r)
	return nil
}

// Pages and streams have each observation of a time once, in order, whatever the
// size of the pages. Mutations seen to fail: the next page beginning with the last
// observation of the page before; the end included.
func TestListAndStreamObservations(t *testing.T) {
	s := laGuardiaAlone(t)
	defer s.stop(t)
	var all []*mesonetv1.Observation
	for day := 1; day <= 61; day += 3 { // into March
		all = append(all, observation(day, day%24, map[string]float64{"temperature": float64(day) / 10}))
	}
	s.record(t, mesonetv1.RecordOutcome_STATUS_STORED, all...)
	want := all[1 : len(all)-1]
	span := &mesonetv1.ListObservationsRequest{Station: laGuardia, From: want[0].GetTime(), To: all[len(all)-1].GetTime()}
	for size := uint32(1); size < 25; size++ {
		var got []*mesonetv1.Observation
		r := proto.Clone(span).(*mesonetv1.ListObservationsRequest)
		r.PageSize = size
		for {
			page, err := s.ListObservations(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.GetObservations()...)
			if page.GetNextPageToken() == "" {
				break
			}
			if len(page.GetObservations()) != int(size) {
				t.Fatalf("a page of %d, want %d", len(page.GetObservations()), size)
			}
			r.PageToken = page.GetNextPageToken()
		}
		if !slices.EqualFunc(got, want, func(a, b *mesonetv1.Observation) bool { return proto.Equal(a, b) }) {
			t.Fatalf("pages of %d have %v, want %v", size, got, want)
		}
	}
	c := &collector{ctx: t.Context()}
	if err := s.StreamObservations(&mesonetv1.StreamObservationsRequest{Station: laGuardia, From: span.GetFrom(), To: span.GetTo()}, c); err != nil {
		t.Fatal(err)
	}
	var minutes []int64
	for _, r := range c.got {
		minutes = append(minutes, r.GetReadings().GetMinutes()...)
	}
	for i, o := range want {
		if len(minutes) != len(want) || minutes[i]*60 != o.GetTime().GetSeconds() {
			t.Fatalf("the stream has %v, want %v", minutes, want)
		}
	}
	other := &mesonetv1.ListObservationsRequest{Station: laGuardia, PageSize: 1}
	page, err := s.ListObservations(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	span.PageToken = page.GetNextPageToken()
	if _, err := s.ListObservations(t.Context(), span); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "another list") {
		t.Errorf("the token of another list: %v", err)
	}
}

// What can't be is refused, says why, and changes nothing.
func TestBadObservations(t *testing.T) {
	s := laGuardiaAlone(t)
	defer s.stop(t)
	good := map[string]float64{"temperature": 1}
	for _, c := range []struct {
		o    *mesonetv1.Observation
		want string
	}{
		{&mesonetv1.Observation{Station: laGuardia, Values: good}, "no time"},
		{&mesonetv1.Observation{Station: laGuardia, Time: &timestamppb.Timestamp{Seconds: 61}, Values: good}, "not on a minute"},
		{&mesonetv1.Observation{Station: laGuardia, Time: &timestamppb.Timestamp{Seconds: 1 << 60}, Values: good}, "after 9999"},
		{observation(1, 1, nil), "no values"},
		{observation(1, 1, map[string]float64{"temprature": 1}), `no measure "temprature"`},
		{observation(1, 1, map[string]float64{"temperature": 12.25}), "more than the 1 decimals"},
		{observation(1, 1, map[string]float64{"temperature": 62}), "outside"},
		{observation(1, 1, map[string]float64{"temperature": math.NaN()}), "can't be"},
		{observation(1, 1, map[string]float64{"temperature": math.Inf(1)}), "can't be"},
		{observation(1, 1, map[string]float64{"temperature": 26843545.6 + 1}), "can't be"},
		{&mesonetv1.Observation{Station: laGuardia, Time: at(1, 1), Traces: []string{"temperature"}}, "can't be a trace"},
		{&mesonetv1.Observation{Station: laGuardia, Time: at(1, 1), Traces: []string{"snow"}}, `no measure "snow"`},
		{&mesonetv1.Observation{Station: laGuardia, Time: at(1, 1), Values: map[string]float64{"precipitation_1h": 1}, Traces: []string{"precipitation_1h"}}, "both"},
		{&mesonetv1.Observation{Station: "1", Time: at(1, 1), Values: good}, "not registered"},
		{&mesonetv1.Observation{Station: "a b", Time: at(1, 1), Values: good}, "id"},
	} {
		r, err := s.RecordObservations(t.Context(), &mesonetv1.RecordObservationsRequest{Observations: []*mesonetv1.Observation{c.o}})
		if err != nil {
			t.Fatal(err)
		}
		if f := r.GetOutcomes()[0].GetFailure(); r.GetOutcomes()[0].GetStatus() != mesonetv1.RecordOutcome_STATUS_FAILED || !strings.Contains(f.GetMessage(), c.want) || f.GetReason() == "" {
			t.Errorf("%v: %v, want %q", c.o, r, c.want)
		}
	}
	many := &mesonetv1.RecordObservationsRequest{Observations: make([]*mesonetv1.Observation, 1001)}
	if _, err := s.RecordObservations(t.Context(), many); status.Code(err) != codes.InvalidArgument {
		t.Errorf("1,001 observations: %v", err)
	}
	for _, r := range []*mesonetv1.ListObservationsRequest{
		{Station: laGuardia, From: at(2, 0), To: at(1, 0)},
		{Station: laGuardia, PageSize: 10_001},
		{Station: laGuardia, PageToken: "nonsense"},
		{Station: laGuardia, PageToken: "!"},
		{Station: laGuardia, From: &timestamppb.Timestamp{Seconds: 59}},
	} {
		if _, err := s.ListObservations(t.Context(), r); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", r, err)
		}
	}
	for _, r := range []*mesonetv1.SetStationQualityRequest{
		{Ranges: []*mesonetv1.UsualRange{{Measure: "temperature", Low: 5, High: 4}}},
		{Ranges: []*mesonetv1.UsualRange{{Measure: "temperature", Low: -200, High: 4}}},
		{Ranges: []*mesonetv1.UsualRange{{Measure: "snow", Low: 1, High: 4}}},
		{Ranges: []*mesonetv1.UsualRange{{Measure: "temperature", Low: 1, High: 4}, {Measure: "temperature", Low: 1, High: 4}}},
	} {
		r.Station = laGuardia
		if _, err := s.SetStationQuality(t.Context(), r); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", r, err)
		}
	}
	if head, err := s.GetStation(t.Context(), &mesonetv1.GetStationRequest{Station: laGuardia}); err != nil || head.GetStation().GetObservations() != 0 {
		t.Errorf("after all that: %v, %v", head, err)
	}
}

// Many questions in one call have the answers that each would have alone, in their
// order, and fail alone. Mutation seen to fail: an answer put in another's place.
func TestAsk(t *testing.T) {
	s := laGuardiaAlone(t)
	defer s.stop(t)
	for hour := range 24 {
		s.record(t, mesonetv1.RecordOutcome_STATUS_STORED, observation(1, hour, map[string]float64{
			"temperature": float64(hour), "precipitation_1h": float64(hour) / 10, "sky_condition": float64(hour % 20), "wind_speed": 3, "wind_direction": float64(10 + 10*hour),
		}))
	}
	k := proto.Int32(3)
	questions := []*mesonetv1.Question{
		{Question: &mesonetv1.Question_Station{Station: &mesonetv1.GetStationRequest{Station: laGuardia}}},
		{Question: &mesonetv1.Question_CurrentWeather{CurrentWeather: &mesonetv1.GetCurrentWeatherRequest{Station: laGuardia}}},
		{Question: &mesonetv1.Question_DailyTemperature{DailyTemperature: &mesonetv1.GetDailyTemperatureRequest{Station: laGuardia, Year: 2008, Month: 1, Day: 1}}},
		{Question: &mesonetv1.Question_MonthlyTemperature{MonthlyTemperature: &mesonetv1.GetMonthlyTemperatureRequest{Station: laGuardia, Year: 2008, Month: 1}}},
		{Question: &mesonetv1.Question_MonthlyHiLow{MonthlyHiLow: &mesonetv1.GetMonthlyHiLowRequest{Station: laGuardia, Year: 2008, Month: 1}}},
		{Question: &mesonetv1.Question_Precipitation{Precipitation: &mesonetv1.GetPrecipitationRequest{Station: laGuardia, Year: 2008, Until: at(1, 12)}}},
		{Question: &mesonetv1.Question_TopPrecipitation{TopPrecipitation: &mesonetv1.GetTopPrecipitationRequest{Station: laGuardia, Year: 2008, K: k}}},
		{Question: &mesonetv1.Question_SkyConditions{SkyConditions: &mesonetv1.CountSkyConditionsRequest{Station: laGuardia, Year: 2008}}},
		{Question: &mesonetv1.Question_Wind{Wind: &mesonetv1.GetWindRequest{Station: laGuardia, Year: 2008}}},
		{Question: &mesonetv1.Question_Statistics{Statistics: &mesonetv1.GetStatisticsRequest{Station: laGuardia, Measure: "wind_direction", Year: 2008}}},
		{Question: &mesonetv1.Question_Top{Top: &mesonetv1.GetTopRequest{Station: laGuardia, Measure: "temperature", Year: 2008, K: k, Lowest: true}}},
		{Question: &mesonetv1.Question_TopStations{TopStations: &mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008}}},
		{Question: &mesonetv1.Question_Station{Station: &mesonetv1.GetStationRequest{Station: "nobody"}}},
		{Question: &mesonetv1.Question_Top{Top: &mesonetv1.GetTopRequest{Station: laGuardia, Measure: "temperature", Year: 2008, K: proto.Int32(0)}}},
		{},
	}
	r, err := s.Ask(t.Context(), &mesonetv1.AskRequest{Questions: questions})
	if err != nil || len(r.GetAnswers()) != len(questions) {
		t.Fatalf("%v, %v", r, err)
	}
	for i, a := range r.GetAnswers() {
		switch failure := a.GetFailure(); {
		case i < 12 && failure != nil, i >= 12 && failure == nil:
			t.Errorf("question %d: %v", i, a)
		case i < 12 && fmt.Sprintf("%T", a.GetAnswer())[len("*mesonetv1.Answer"):] != fmt.Sprintf("%T", questions[i].GetQuestion())[len("*mesonetv1.Question"):]:
			t.Errorf("question %d, %T, has the answer %T", i, questions[i].GetQuestion(), a.GetAnswer())
		}
	}
	answers := r.GetAnswers()
	if got := answers[5].GetPrecipitation(); got.GetMillimetres() != 6.6 || got.GetObservations() != 12 || got.GetMissingHours() != 0 {
		t.Errorf("until noon it rained %v", got)
	}
	if got := answers[6].GetTopPrecipitation().GetWettest(); len(got) != 3 || got[0].GetMillimetres() != 2.3 || !proto.Equal(got[2].GetTime(), at(1, 21)) {
		t.Errorf("the wettest hours are %v", got)
	}
	if got := answers[10].GetTop().GetRanks(); len(got) != 3 || got[0].GetValue() != 0 || got[2].GetValue() != 2 {
		t.Errorf("the coldest hours are %v", got)
	}
	if got := answers[13].GetFailure(); got.GetReason() != "BAD_RANKING" {
		t.Errorf("the top 0 are %v", got)
	}
	if _, err := s.Ask(t.Context(), &mesonetv1.AskRequest{Questions: make([]*mesonetv1.Question, 1001)}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("1,001 questions: %v", err)
	}
}
