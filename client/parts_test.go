package client

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// registered is a reply with so many parts of each reason, "" for those that stand.
func registered(reasons ...string) *mesonetv1.RegisterStationsResponse {
	r := &mesonetv1.RegisterStationsResponse{}
	for _, reason := range reasons {
		o := &mesonetv1.RegistrationOutcome{}
		if reason != "" {
			o.Failure = &mesonetv1.Failure{Code: int32(codes.Unavailable), Reason: reason}
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	return r
}

// A server whose reply has nothing but parts that are unavailable, as that of a node
// which is cut off, is left for the next; one that did something is not. When nobody
// did anything, the reply says so, and after an attempt that may have done it, that
// nobody can tell.
//
// Mutations seen to fail: noneDone always false; doubt not called; asked again after the
// last.
func TestServerThatCanDoNoPart(t *testing.T) {
	for name, test := range map[string]struct {
		first, second []string // nil for silence
		want          []string
		asked         [2]int64
	}{
		"none":            {[]string{"UNAVAILABLE", "UNAVAILABLE"}, []string{"", ""}, []string{"", ""}, [2]int64{1, 1}},
		"some":            {[]string{"UNAVAILABLE", ""}, []string{"", ""}, []string{"UNAVAILABLE", ""}, [2]int64{1, 0}},
		"too much":        {[]string{"OVERLOADED"}, []string{""}, []string{"OVERLOADED"}, [2]int64{1, 0}},
		"nobody":          {[]string{"UNAVAILABLE"}, []string{"UNAVAILABLE"}, []string{"UNAVAILABLE"}, [2]int64{1, 1}},
		"perhaps nothing": {nil, []string{"UNAVAILABLE", ""}, []string{"OUTCOME_UNKNOWN", ""}, [2]int64{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one waits for an answer that never comes
			first, second := newFake(t), newFake(t)
			var asked [2]atomic.Int64
			for i, f := range []*fake{first, second} {
				reasons := [][]string{test.first, test.second}[i]
				f.answer = func(ctx context.Context, _ string, _ any) (any, error) {
					asked[i].Add(1)
					if reasons == nil {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return registered(reasons...), nil
				}
			}
			c := first.dial(t, func(cfg *Config) {
				cfg.Addrs = []string{first.addr, second.addr}
				cfg.AttemptTimeout = 2 * time.Second // nothing for who does answer
			})
			r, err := c.Stations().RegisterStations(t.Context(), &mesonetv1.RegisterStationsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range r.GetOutcomes() {
				got = append(got, o.GetFailure().GetReason())
				if err := OfFailure(o.GetFailure()); o.GetFailure().GetReason() == "OUTCOME_UNKNOWN" && !errors.Is(err, ErrUnknown) {
					t.Errorf("of a part nobody can tell, and it is %v", err)
				}
			}
			if len(got) != len(test.want) || got[0] != test.want[0] || got[len(got)-1] != test.want[len(got)-1] {
				t.Errorf("the parts are %q, want %q", got, test.want)
			}
			if asked[0].Load() != test.asked[0] || asked[1].Load() != test.asked[1] {
				t.Errorf("the servers were asked %d and %d times, want %v", asked[0].Load(), asked[1].Load(), test.asked)
			}
		})
	}
}
