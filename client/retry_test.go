package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// step is what one attempt comes to, and after how long.
type step struct {
	outcome string // of table, or success
	takes   time.Duration
	wish    time.Duration // of RetryInfo
}

const success = "success"

// table says all there is to say of an outcome: whether the call is made again,
// for a question, an idempotent command and another, and what makes it.
var table = map[string]struct {
	again [3]bool
	code  codes.Code
	said  string // the server's reason
	sent  bool
}{
	"rejected":          {[3]bool{false, false, false}, codes.InvalidArgument, "BAD_PERIOD", true},
	"rejected by proxy": {[3]bool{false, false, false}, codes.PermissionDenied, "", true},
	"unavailable":       {[3]bool{true, true, true}, codes.Unavailable, "UNAVAILABLE", true},
	"unreachable":       {[3]bool{true, true, true}, codes.Unavailable, "", false},
	"overloaded":        {[3]bool{true, true, true}, codes.ResourceExhausted, "OVERLOADED", true},
	"unknown":           {[3]bool{true, true, false}, codes.Unknown, "OUTCOME_UNKNOWN", true},
	"broken":            {[3]bool{true, true, false}, codes.Unavailable, "", true},
	"broken off":        {[3]bool{true, true, false}, codes.Canceled, "", true},
	"corrupt":           {[3]bool{false, false, false}, codes.DataLoss, "CORRUPT", true},
	"crashed":           {[3]bool{false, false, false}, codes.Internal, "CRASHED", true},
	"unimplemented":     {[3]bool{false, false, false}, codes.Unimplemented, "", true},
	"too large":         {[3]bool{false, false, false}, codes.ResourceExhausted, "", true},
}

// away are the outcomes after which another server is asked.
var away = map[string]bool{"unavailable": true, "unreachable": true, "unknown": true, "broken": true, "broken off": true}

var methods = []string{
	mesonetv1.WeatherService_GetPrecipitation_FullMethodName,
	mesonetv1.StationService_RegisterStations_FullMethodName,
	mesonetv1.StationService_DeleteStation_FullMethodName,
}

// simulated is what becomes of a call.
type simulated struct {
	attempts int
	took     time.Duration
	ok       bool
	unknown  bool // it is ErrUnknown
	ended    bool // its time was over
	last     int  // the server of its last attempt
	next     int  // that of the next call
}

// simulate is the dumb twin of Client.call: it goes through the script with a
// clock of its own.
func simulate(script []step, cfg Config, column int) simulated {
	var s simulated
	maybe := false
	for _, now := range script {
		s.attempts++
		s.last = s.next
		left := cfg.Timeout - s.took
		outcome, takes := now.outcome, now.takes
		cut := left
		if cfg.AttemptTimeout > 0 && cfg.AttemptTimeout < left {
			cut = cfg.AttemptTimeout
		}
		if takes >= cut {
			takes, outcome = cut, "broken" // nobody knows, as of a connection
		}
		s.took += takes
		if outcome == success {
			return simulated{attempts: s.attempts, took: s.took, ok: true, last: s.last, next: s.next}
		}
		if column > 0 && (outcome == "unknown" || outcome == "broken" || outcome == "broken off") {
			maybe = true
		}
		s.unknown = maybe
		if s.took >= cfg.Timeout {
			s.ended = true
			return s
		}
		if away[outcome] {
			s.next = (s.next + 1) % len(cfg.Addrs)
		}
		if !table[outcome].again[column] || s.attempts == cfg.Retry.Attempts {
			return s
		}
		if s.next != s.last && s.attempts%len(cfg.Addrs) != 0 {
			continue
		}
		whole := cfg.Retry.First
		for range (s.attempts - 1) / len(cfg.Addrs) {
			whole = min(2*whole, cfg.Retry.Most)
		}
		pause := max(whole*3/4, now.wish)
		if outcome != now.outcome { // what was cut off has no wish
			pause = whole * 3 / 4
		}
		if s.took+pause >= cfg.Timeout {
			s.ended = true
			return s
		}
		s.took += pause
	}
	return s
}

// Whatever its attempts come to, a call is made as often, and ends when, where and
// how, as the twin says, and never after its time.
//
// Mutations seen to fail: no look at the deadline before a pause, or at the
// server's wish; maybe taken from the last attempt alone; no AttemptTimeout; the
// server not left when it is away, or left when it is overloaded; a pause between
// two servers; no pause after the last of them.
func TestRetriesLikeTheTwin(t *testing.T) {
	names := []string{success}
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(rt *rapid.T) {
		// Even, so that halves and quarters of it are whole.
		duration := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(rt, name)) * 4 * time.Millisecond
		}
		cfg := DefaultConfig([]string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(rt, "servers")]...)
		cfg.Timeout = 4*time.Millisecond + duration("timeout", 500)
		cfg.AttemptTimeout = duration("attempt", 200)
		cfg.Retry = Retry{Attempts: rapid.IntRange(0, 6).Draw(rt, "attempts"), First: 4*time.Millisecond + duration("first", 30)}
		cfg.Retry.Most = cfg.Retry.First << rapid.IntRange(0, 4).Draw(rt, "doublings")
		// Transient ones come more often than a fair draw would have them. The
		// microsecond keeps an attempt from ending just when its time does.
		one := rapid.Custom(func(t *rapid.T) step {
			name := rapid.OneOf(rapid.SampledFrom([]string{"unavailable", "unreachable", "overloaded", "unknown", "broken"}), rapid.SampledFrom(names)).Draw(t, "outcome")
			s := step{outcome: name, takes: time.Duration(rapid.IntRange(0, 50).Draw(t, "takes"))*4*time.Millisecond + time.Microsecond}
			if name == "overloaded" {
				s.wish = time.Duration(rapid.IntRange(0, 100).Draw(t, "wish")) * 4 * time.Millisecond
			}
			return s
		})
		script := rapid.SliceOfN(one, 1, 12).Draw(rt, "script")
		script = append(script, step{outcome: success})
		column := rapid.IntRange(0, 2).Draw(rt, "column")
		var wrong error
		synctest.Test(t, func(t *testing.T) { wrong = checkCall(t.Context(), cfg, script, column) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

func checkCall(ctx context.Context, cfg Config, script []step, column int) error {
	c := &Client{cfg: cfg, addr: "a", random: func() float64 { return 0.5 }}
	p := &played{script: script}
	for i := range cfg.Addrs {
		c.servers.list = append(c.servers.list, server{cfg.Addrs[i], &playing{p: p, number: i}})
	}
	begun := time.Now()
	err := c.call(ctx, methods[column], nil, nil)
	got := simulated{
		attempts: p.n, took: time.Since(begun), ok: err == nil,
		unknown: errors.Is(err, ErrUnknown), ended: errors.Is(err, context.DeadlineExceeded),
		last: p.last, next: int(c.servers.current.Load()),
	}
	switch want := simulate(script, cfg, column); {
	case got != want:
		return fmt.Errorf("%s came to\n\t%+v (%w), want\n\t%+v", methods[column], got, err, want)
	case got.took > cfg.Timeout:
		return fmt.Errorf("it took %v, and had %v", got.took, cfg.Timeout)
	case errors.Is(err, ErrUnknown) && (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOverloaded)):
		return fmt.Errorf("%w is %v", err, which(err))
	}
	return nil
}

// played is a script, and how far it has come.
type played struct {
	script  []step
	n, last int
}

// playing is a connection to one of the servers that play it.
type playing struct {
	*grpc.ClientConn

	p      *played
	number int
}

func (s *playing) Invoke(ctx context.Context, _ string, _, _ any, options ...grpc.CallOption) error {
	now := s.p.script[s.p.n]
	s.p.n++
	s.p.last = s.number
	return play(ctx, now, options)
}

// play does what a step says, as gRPC does it.
func play(ctx context.Context, now step, options []grpc.CallOption) error {
	sent := func() {
		for _, o := range options {
			if o, ok := o.(grpc.PeerCallOption); ok {
				*o.PeerAddr = peer.Peer{Addr: &net.TCPAddr{}}
			}
		}
	}
	timer := time.NewTimer(now.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		sent()
		return status.FromContextError(ctx.Err()).Err()
	}
	if now.outcome == success {
		return nil
	}
	row := table[now.outcome]
	if row.sent {
		sent()
	}
	if row.said == "" {
		return status.Error(row.code, now.outcome)
	}
	if now.wish > 0 {
		return refused(row.code, row.said, now.outcome, &errdetails.RetryInfo{RetryDelay: durationpb.New(now.wish)})
	}
	return refused(row.code, row.said, now.outcome)
}

// Pauses double up to the most, whatever the number of the attempt.
func TestPause(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "first"))
		r := Retry{First: first, Most: first + time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "more"))}
		attempt := rapid.IntRange(1, 1<<30).Draw(t, "attempt")
		random := rapid.Float64Range(0, 0.999).Draw(t, "random")
		whole := r.First
		for i := 1; i < attempt && whole < r.Most; i++ {
			whole = min(2*whole, r.Most)
		}
		if got := r.pause(attempt, 0, random); got < whole/2 || got > whole {
			t.Errorf("the pause after attempt %d of %+v is %v, want %v to %v", attempt, r, got, whole/2, whole)
		}
		if got := r.pause(attempt, 10*r.Most, random); got != 10*r.Most {
			t.Errorf("the server wishes %v and gets %v", 10*r.Most, got)
		}
	})
}
