package api_test

import (
	"fmt"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// fill records one observation of some stations, which are registered, and starts
// anew.
func (s *served) fill(t *testing.T, n int) {
	t.Helper()
	places := map[string][2]float64{}
	for i := range n {
		places[fmt.Sprintf("s%02d", i)] = [2]float64{0, 0}
	}
	s.register(t, places)
	for i := range n {
		o := observation(1, 5, map[string]float64{"temperature": float64(i), "precipitation_1h": float64(i % 3)})
		o.Station = fmt.Sprintf("s%02d", i)
		s.record(t, mesonetv1.RecordOutcome_STATUS_STORED, o)
	}
	s.stop(t)
	s.start(t)
}

// A ranking of stations says what it is of, in the unit of the measure, with the time of
// an extreme and none of a sum, and rests on tokens; the hour is one of those of the day.
func TestTopStations(t *testing.T) {
	behind, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{store: behind}
	s.start(t)
	defer func() { s.stop(t) }()
	s.fill(t, 20)
	r, err := s.GetTopStations(t.Context(), &mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008, K: proto.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	if ranks := r.GetRanks(); r.GetUnit() != "°C" || len(ranks) != 2 || ranks[0].GetStation() != "s19" || ranks[0].GetValue() != 19 ||
		!proto.Equal(ranks[0].GetTime(), at(1, 5)) || ranks[1].GetStation() != "s18" || ranks[1].GetMissingHours() != 8783 {
		t.Errorf("the hottest are %v", r)
	}
	if len(r.GetTokens()) == 0 || r.GetStationsAsked() < 2 || r.GetStationsWithData() != r.GetStationsAsked() {
		t.Errorf("it rests on %v, %d of %d stations", r.GetTokens(), r.GetStationsWithData(), r.GetStationsAsked())
	}
	r, err = s.GetTopStations(t.Context(), &mesonetv1.GetTopStationsRequest{
		Measure: "precipitation_1h", Year: 2008, Month: 1, Day: 1, Hour: proto.Int32(5), Read: &mesonetv1.Read{Tokens: r.GetTokens()},
	})
	if err != nil || len(r.GetRanks()) != 10 || r.GetRanks()[0].GetStation() != "s02" || r.GetRanks()[0].GetTime() != nil || r.GetRanks()[6].GetValue() != 1 {
		t.Errorf("the wettest are %v, %v", r, err)
	}
	for _, c := range []struct {
		q      *mesonetv1.GetTopStationsRequest
		code   codes.Code
		reason string
	}{
		{&mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008, Month: 1, Day: 1, Hour: proto.Int32(0)}, codes.NotFound, "NO_DATA"},
		{&mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2009}, codes.NotFound, "NO_DATA"},
		{&mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008, K: proto.Int32(0)}, codes.InvalidArgument, "BAD_RANKING"},
		{&mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008, Hour: proto.Int32(3)}, codes.InvalidArgument, "BAD_PERIOD"},
		{&mesonetv1.GetTopStationsRequest{Measure: "love", Year: 2008}, codes.InvalidArgument, "INVALID_REQUEST"},
		{&mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008, Read: &mesonetv1.Read{Tokens: []*mesonetv1.Token{{Store: 1}}}}, codes.InvalidArgument, "WRONG_STORE"},
	} {
		_, err := s.GetTopStations(t.Context(), c.q)
		if got := status.Convert(err); got.Code() != c.code || len(got.Details()) == 0 || got.Details()[0].(*errdetails.ErrorInfo).GetReason() != c.reason {
			t.Errorf("%v: %v, want %s", c.q, err, c.reason)
		}
	}
}

// What can't answer is named beside the ranking of the rest; when nothing can, the
// question fails.
// Mutation seen to fail: unanswered left out of the response.
func TestTopStationsUnanswered(t *testing.T) {
	behind, err := memory.New(4)
	if err != nil {
		t.Fatal(err)
	}
	store := &persistencetest.Faulty{Store: behind}
	s := &served{store: store}
	s.start(t)
	defer func() { s.stop(t) }()
	s.fill(t, 40)
	q := &mesonetv1.GetTopStationsRequest{Measure: "temperature", Year: 2008, K: proto.Int32(40)}
	store.Inject(persistencetest.Fail(persistencetest.OpScan).Of(1))
	r, err := s.GetTopStations(t.Context(), q)
	store.Heal()
	if err != nil {
		t.Fatal(err)
	}
	if u := r.GetUnanswered(); len(u) != 1 || u[0].GetShard() != 1 || u[0].GetStation() != "" || u[0].GetMessage() == "" {
		t.Errorf("unanswered is %v, want shard 1", u)
	}
	if n := len(r.GetRanks()); n == 0 || n == 40 {
		t.Errorf("%d stations of 40 are ranked, want those of three shards", n)
	}
	store.Inject(persistencetest.Fail(persistencetest.OpScan))
	_, err = s.GetTopStations(t.Context(), q)
	store.Heal()
	if status.Code(err) != codes.Unavailable {
		t.Errorf("no shard answers: %v, want UNAVAILABLE", err)
	}
}
