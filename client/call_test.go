package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// inBubble runs a test whose server and client talk over memory, in a time of
// its own.
func inBubble(t *testing.T, test func(t *testing.T, f *fake, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{addr: "127.0.0.1:1"}
		listener := bufconn.Listen(1 << 16)
		f.serve(listener)
		defer f.stop()
		cfg := DefaultConfig(f.addr)
		cfg.DialOptions = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })}
		c, err := Dial(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(t, f, c)
	})
}

// calls are one of each level.
var calls = map[level]func(context.Context, *Client) error{
	question: func(ctx context.Context, c *Client) error {
		_, err := c.Weather().GetPrecipitation(ctx, &mesonetv1.GetPrecipitationRequest{Station: "1:1", Year: 2008})
		return err
	},
	idempotent: func(ctx context.Context, c *Client) error {
		_, err := c.Stations().RegisterStations(ctx, &mesonetv1.RegisterStationsRequest{})
		return err
	},
	once: func(ctx context.Context, c *Client) error {
		_, err := c.Stations().DeleteStation(ctx, &mesonetv1.DeleteStationRequest{Station: "1:1"})
		return err
	},
}

// replies of these calls, by method.
func reply(method string) any {
	switch method {
	case mesonetv1.WeatherService_GetPrecipitation_FullMethodName:
		return &mesonetv1.GetPrecipitationResponse{}
	case mesonetv1.StationService_RegisterStations_FullMethodName:
		return &mesonetv1.RegisterStationsResponse{}
	default:
		return &mesonetv1.DeleteStationResponse{}
	}
}

var sentinels = []error{ErrRejected, ErrNotFound, ErrNoData, ErrUnknown, ErrUnavailable, ErrOverloaded, ErrCorrupt}

func which(err error) (are []error) {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			are = append(are, s)
		}
	}
	return are
}

// Each outcome, of each kind of call, until its time is over.
//
// Mutations seen to fail: again returning true for unknown whatever the level;
// settle leaving a question's outcome unknown; a connection that was there not
// counting as sent.
func TestOutcomes(t *testing.T) {
	const allowed = 5 * time.Second
	type expected struct {
		again bool
		is    []error
	}
	same := func(e expected) map[level]expected {
		return map[level]expected{question: e, idempotent: e, once: e}
	}
	for _, test := range []struct {
		name string
		err  error
		want map[level]expected
	}{
		{"rejected", refused(codes.FailedPrecondition, "REJECTED", "no"), same(expected{false, []error{ErrRejected}})},
		{"malformed", refused(codes.InvalidArgument, "INVALID_REQUEST", "no"), same(expected{false, []error{ErrRejected}})},
		{"unknown station", refused(codes.NotFound, "UNKNOWN_STATION", "who?"), same(expected{false, []error{ErrRejected, ErrNotFound}})},
		{"no data", refused(codes.NotFound, "NO_DATA", "nothing"), same(expected{false, []error{ErrRejected, ErrNotFound, ErrNoData}})},
		{"unavailable", refused(codes.Unavailable, "UNAVAILABLE", "away"), same(expected{true, []error{ErrUnavailable}})},
		{"unavailable in time", refused(codes.DeadlineExceeded, "UNAVAILABLE", "late"), same(expected{true, []error{ErrUnavailable}})},
		{"overloaded", refused(codes.ResourceExhausted, "OVERLOADED", "too many"), same(expected{true, []error{ErrOverloaded}})},
		{"unknown", refused(codes.Unknown, "OUTCOME_UNKNOWN", "who knows"), map[level]expected{
			question: {true, []error{ErrUnavailable}}, idempotent: {true, []error{ErrUnknown}}, once: {false, []error{ErrUnknown}},
		}},
		{"unknown in time", refused(codes.DeadlineExceeded, "OUTCOME_UNKNOWN", "late"), map[level]expected{
			question: {true, []error{ErrUnavailable}}, idempotent: {true, []error{ErrUnknown}}, once: {false, []error{ErrUnknown}},
		}},
		{"said by something on the way", status.Error(codes.Unavailable, "bad gateway"), map[level]expected{
			question: {true, []error{ErrUnavailable}}, idempotent: {true, []error{ErrUnknown}}, once: {false, []error{ErrUnknown}},
		}},
		{"corrupt", refused(codes.DataLoss, "CORRUPT", "at 1:2"), same(expected{false, []error{ErrCorrupt}})},
		{"crashed", refused(codes.Internal, "CRASHED", "a bug"), same(expected{false, nil})},
		{"another version", status.Error(codes.Unimplemented, "what?"), same(expected{false, nil})},
		{"too much at once", refused(codes.ResourceExhausted, "TOO_LARGE", "no"), same(expected{false, nil})},
		{"broken by something on the way", status.Error(codes.Internal, "reset"), map[level]expected{
			question: {false, nil}, idempotent: {false, []error{ErrUnknown}}, once: {false, []error{ErrUnknown}},
		}},
	} {
		for l, call := range calls {
			t.Run(test.name+"/"+l.String(), func(t *testing.T) {
				inBubble(t, func(t *testing.T, f *fake, c *Client) {
					var attempts atomic.Int64
					f.answer = func(context.Context, string, any) (any, error) {
						attempts.Add(1)
						return nil, test.err
					}
					ctx, cancel := context.WithTimeout(t.Context(), allowed)
					defer cancel()
					begun := time.Now()
					err := call(ctx, c)
					took, want := time.Since(begun), test.want[l]
					if (attempts.Load() > 1) != want.again {
						t.Errorf("%d attempts were made, more than one: %t", attempts.Load(), want.again)
					}
					if is := which(err); !slices.Equal(is, want.is) {
						t.Errorf("%v is %v, want %v", err, is, want.is)
					}
					if took > allowed {
						t.Errorf("it took %v, want at most %v", took, allowed)
					}
					if errors.Is(err, context.DeadlineExceeded) != want.again {
						t.Errorf("%v ended with its time: want %t", err, want.again)
					}
					checkTold(t, err, test.err, attempts.Load(), took)
				})
			})
		}
	}
}

// checkTold checks what an error says of the last attempt, and of all.
func checkTold(t *testing.T, err, last error, attempts int64, took time.Duration) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	if e.Attempts != int(attempts) || e.Elapsed != took {
		t.Errorf("the error tells of %d attempts in %v; want %d in %v", e.Attempts, e.Elapsed, attempts, took)
	}
	if want := status.Convert(last); status.Code(err) != want.Code() || e.Code != want.Code() || e.Message != want.Message() {
		t.Errorf("the error tells of %v %q, want %v", e.Code, e.Message, last)
	}
	if text := err.Error(); !strings.Contains(text, e.Message) || !strings.Contains(text, "at "+e.Addr) || strings.Contains(text, "attempt") != (attempts > 1) {
		t.Errorf("the error says %q", text)
	}
}

// What passes costs pauses and nothing else, and what the server wishes is the
// least.
func TestTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		const wish = 700 * time.Millisecond
		var at []time.Time
		f.answer = func(_ context.Context, method string, _ any) (any, error) {
			at = append(at, time.Now())
			switch len(at) {
			case 1:
				return nil, refused(codes.Unavailable, "UNAVAILABLE", "a shard moves")
			case 2:
				return nil, refused(codes.ResourceExhausted, "OVERLOADED", "too many wait", &errdetails.RetryInfo{RetryDelay: durationpb.New(wish)})
			}
			return reply(method), nil
		}
		if err := calls[once](t.Context(), c); err != nil {
			t.Fatal(err)
		}
		first, second := at[1].Sub(at[0]), at[2].Sub(at[1])
		if first < c.cfg.Retry.First/2 || first > c.cfg.Retry.First || second != wish {
			t.Errorf("the pauses were %v and %v, want half of %v to all of it and %v", first, second, c.cfg.Retry.First, wish)
		}
	})
}

// A server that takes calls and does not answer costs an attempt's time, and the
// call its own.
func TestSilentServer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		var attempts atomic.Int64
		f.answer = func(ctx context.Context, _ string, _ any) (any, error) {
			attempts.Add(1)
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		for l, want := range map[level]struct {
			attempts int64
			took     time.Duration
			is       error
		}{
			question:   {3, c.cfg.Timeout, ErrUnavailable},
			idempotent: {3, c.cfg.Timeout, ErrUnknown},
			once:       {1, c.cfg.AttemptTimeout, ErrUnknown},
		} {
			attempts.Store(0)
			begun := time.Now()
			err := calls[l](t.Context(), c)
			took := time.Since(begun)
			if attempts.Load() != want.attempts || took > want.took || took < want.took-c.cfg.Retry.Most || !errors.Is(err, want.is) {
				t.Errorf("%v: %d attempts in %v, and %v; want %d in about %v, and %v", l, attempts.Load(), took, err, want.attempts, want.took, want.is)
			}
		}
	})
}

// An attempt that has all the time of its call ends it: whoever asked is told
// that it was over. Mutation seen to fail: ended looking at the context alone,
// whose timer may be the later of two.
func TestTimeOfOneAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		c.cfg.AttemptTimeout = c.cfg.Timeout
		f.answer = func(ctx context.Context, _ string, _ any) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		for range 50 {
			if err := calls[once](t.Context(), c); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want that its time was over", err)
			}
		}
	})
}

// Whoever cancels a call waits no longer, in an attempt and in a pause.
func TestCanceled(t *testing.T) {
	for name, unavailable := range map[string]bool{"in an attempt": false, "in a pause": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fake, c *Client) {
				f.answer = func(ctx context.Context, _ string, _ any) (any, error) {
					if unavailable {
						return nil, refused(codes.ResourceExhausted, "OVERLOADED", "", &errdetails.RetryInfo{RetryDelay: durationpb.New(20 * time.Second)})
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				begun := time.Now()
				err := calls[idempotent](ctx, c)
				if took := time.Since(begun); took != 3*time.Second || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v after %v, want that it was canceled after 3s", err, took)
				}
				if want := ErrUnknown; !unavailable && !errors.Is(err, want) {
					t.Errorf("%v is %v, want %v", err, which(err), want)
				}
			})
		})
	}
}

// What an early attempt may have done is not forgotten when a later one did
// nothing. Mutation seen to fail: maybe taken from the last attempt alone.
func TestEarlierAttemptMayHaveHappened(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		for _, last := range []struct {
			err error
			is  []error
		}{
			{refused(codes.Unavailable, "UNAVAILABLE", "away"), []error{ErrUnknown}},
			{refused(codes.ResourceExhausted, "OVERLOADED", "busy"), []error{ErrUnknown}},
			{refused(codes.InvalidArgument, "BAD_STATION", "no"), []error{ErrRejected, ErrUnknown}},
		} {
			n := 0
			f.answer = func(context.Context, string, any) (any, error) {
				if n++; n == 1 {
					return nil, refused(codes.Unknown, "OUTCOME_UNKNOWN", "who knows")
				}
				return nil, last.err
			}
			err := calls[idempotent](t.Context(), c)
			if is := which(err); n < 2 || !slices.Equal(is, last.is) || !strings.Contains(err.Error(), "may have taken effect") {
				t.Errorf("after %d attempts %v is %v, want %v", n, err, is, last.is)
			}
		}
	})
}

// A limit of attempts holds where there would be time for more.
func TestAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		c.cfg.Retry.Attempts = 3
		var attempts atomic.Int64
		f.answer = func(context.Context, string, any) (any, error) {
			attempts.Add(1)
			return nil, refused(codes.Unavailable, "UNAVAILABLE", "away")
		}
		if err := calls[question](t.Context(), c); attempts.Load() != 3 || !errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d attempts, and %v; want 3, and that it is unavailable", attempts.Load(), err)
		}
	})
}

// Many goroutines share a client.
func TestTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		var n atomic.Uint64
		f.answer = func(_ context.Context, _ string, request any) (any, error) {
			i := n.Add(1)
			if i%3 == 0 {
				return nil, refused(codes.Unavailable, "UNAVAILABLE", "away")
			}
			return &mesonetv1.GetPrecipitationResponse{Token: &mesonetv1.Token{Store: 1, Shard: uint32(i % 4), Position: i}}, nil
		}
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				for range 20 {
					if err := calls[question](t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		asking.Wait()
		if len(c.Tokens()) != 4 {
			t.Errorf("the session has %v", c.Tokens())
		}
	})
}
