package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// unused returns an address at which nothing listens.
func unused(t *testing.T) string {
	t.Helper()
	// Connections come from 127.0.0.1, and may have any port there.
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil { // a system without it
		listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// What could not be sent did not happen, so everything is tried again, and
// succeeds when the server is there. Mutation seen to fail: judge taking all that
// has no reason for sent.
func TestServerComesLater(t *testing.T) {
	f := &fake{readings: make(map[reading]string)}
	f.answer = func(_ context.Context, method string, _ any) (any, error) { return reply(method), nil }
	f.addr = unused(t)
	started := false
	t.Cleanup(func() {
		if started {
			f.stop()
		}
	})
	c := f.dial(t, func(cfg *Config) {
		cfg.DialOptions = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil && !started { // one at a time
				started = true
				f.start(t, f.addr)
			}
			return conn, err
		})}
	})
	if err := calls[once](t.Context(), c); err != nil {
		t.Error(err)
	}
	if !started {
		t.Error("the server was there from the beginning")
	}
}

// Without a server a call fails when its time is over, or at once where nothing
// is to be tried again.
func TestNoServer(t *testing.T) {
	f := &fake{addr: unused(t)}
	for _, attempts := range []int{0, 1} {
		c := f.dial(t, func(cfg *Config) {
			cfg.Retry.Attempts = attempts
			cfg.Timeout = 100 * time.Millisecond
		})
		err := calls[once](t.Context(), c)
		var e *Error
		if !errors.Is(err, ErrUnavailable) || !errors.As(err, &e) || !strings.Contains(e.Message, "refused") {
			t.Errorf("got %v, want that the connection was refused", err)
		}
		if (attempts == 1) != (e.Attempts == 1) {
			t.Errorf("%d attempts were made, of %d", e.Attempts, attempts)
		}
		s := c.Ingest(t.Context(), nil)
		defer s.Close()
		if err := s.Send(t.Context(), nil, nil); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a stream: got %v, want that it is unavailable", err)
		}
	}
}

// The connection breaks when the server has the call: a question is asked again,
// a command that is not idempotent may have happened.
func TestConnectionBreaksInACall(t *testing.T) {
	for l, want := range map[level]error{question: nil, idempotent: nil, once: ErrUnknown} {
		t.Run(l.String(), func(t *testing.T) {
			f := newFake(t)
			var n atomic.Int64
			restarted := make(chan struct{})
			f.answer = func(ctx context.Context, method string, _ any) (any, error) {
				if n.Add(1) == 1 {
					go func() {
						defer close(restarted)
						f.stop()
						f.start(t, f.addr)
					}()
					<-ctx.Done()
				}
				return reply(method), nil
			}
			err := calls[l](t.Context(), f.dial(t, nil))
			<-restarted
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("got %v, want %v", err, want)
			}
			if attempts := n.Load(); (attempts == 1) != (want != nil) {
				t.Errorf("the server was called %d times", attempts)
			}
		})
	}
}

// Of several servers the first that is there is asked, and the next when it goes
// away.
func TestSeveralAddresses(t *testing.T) {
	first, second := newFake(t), newFake(t)
	asked := func(name string) func(context.Context, string, any) (any, error) {
		return func(context.Context, string, any) (any, error) {
			return &mesonetv1.GetPrecipitationResponse{Station: name}, nil
		}
	}
	first.answer, second.answer = asked("first"), asked("second")
	c := first.dial(t, func(cfg *Config) { cfg.Addrs = []string{unused(t), first.addr, second.addr} })
	ask := func(want string) {
		t.Helper()
		r, err := c.Weather().GetPrecipitation(t.Context(), &mesonetv1.GetPrecipitationRequest{})
		if err != nil || r.GetStation() != want {
			t.Errorf("got %q and %v, want %q", r.GetStation(), err, want)
		}
	}
	ask("first")
	ask("first")
	first.stop()
	ask("second")
	first.start(t, first.addr)
	ask("second") // there is no reason to go back
	second.stop()
	ask("first")
	second.start(t, second.addr)
	if want := first.addr + ", " + second.addr; !strings.HasSuffix(c.Addr(), want) {
		t.Errorf("the client goes to %s, want %s", c.Addr(), want)
	}
}

// A server that says that it is unavailable, or says nothing at all, is left for
// another, by those who called it and by those who come later; what it may have done
// that must not be done twice is not asked of another. One that is overloaded is not
// left.
//
// Mutation seen to fail: leave never changing the server.
func TestServerThatIsThereAndAway(t *testing.T) {
	for name, test := range map[string]struct {
		err    error // nil for silence
		left   bool
		unsure bool // nobody can tell what it did
	}{
		"unavailable": {err: refused(codes.Unavailable, "UNAVAILABLE", "this node does not serve"), left: true},
		"unknown":     {err: refused(codes.Unknown, "OUTCOME_UNKNOWN", "who knows"), left: true, unsure: true},
		"silent":      {left: true, unsure: true},
		"overloaded":  {err: refused(codes.ResourceExhausted, "OVERLOADED", "too many")},
	} {
		for l := range calls {
			t.Run(name+"/"+l.String(), func(t *testing.T) {
				t.Parallel() // some wait for an answer that never comes
				away, there := newFake(t), newFake(t)
				var tried, answered atomic.Int64
				away.answer = func(ctx context.Context, method string, _ any) (any, error) {
					if n := tried.Add(1); n > 1 && !test.left {
						return reply(method), nil
					}
					if test.err == nil {
						<-ctx.Done()
						return nil, ctx.Err() // nil would be an answer, in time for once
					}
					return nil, test.err
				}
				there.answer = func(_ context.Context, method string, _ any) (any, error) {
					answered.Add(1)
					return reply(method), nil
				}
				c := away.dial(t, func(cfg *Config) {
					cfg.Addrs = []string{away.addr, there.addr}
					cfg.AttemptTimeout = 2 * time.Second // nothing for who does answer
				})
				err := calls[l](t.Context(), c)
				if unsure := test.unsure && l == once; unsure != errors.Is(err, ErrUnknown) || unsure != (err != nil) {
					t.Errorf("got %v", err)
				}
				for range 3 {
					if err := calls[l](t.Context(), c); err != nil {
						t.Error(err)
					}
				}
				if test.left && tried.Load() != 1 || !test.left && answered.Load() != 0 {
					t.Errorf("the first server was called %d times, the second %d", tried.Load(), answered.Load())
				}
			})
		}
	}
}

// A stream is opened at the first server that can be reached, and one that breaks
// sends those after it elsewhere.
func TestStreamsOfSeveralServers(t *testing.T) {
	first, second := newFake(t), newFake(t)
	desc := &grpc.StreamDesc{ServerStreams: true}
	serve := func(name string, err error) func(grpc.ServerStream) error {
		return func(s grpc.ServerStream) error {
			return errors.Join(s.RecvMsg(&mesonetv1.GetPrecipitationRequest{}), s.SendMsg(&mesonetv1.GetPrecipitationResponse{Station: name}), err)
		}
	}
	first.stream, second.stream = serve("first", refused(codes.Unavailable, "UNAVAILABLE", "away")), serve("second", nil)
	c := first.dial(t, func(cfg *Config) { cfg.Addrs = []string{unused(t), first.addr, second.addr} })
	for _, want := range []string{"first", "second", "second"} {
		s, err := c.Conn().NewStream(t.Context(), desc, "/mesonet.v1.Other/Stream")
		if err != nil {
			t.Fatal(err)
		}
		var r mesonetv1.GetPrecipitationResponse
		if err := errors.Join(s.SendMsg(&mesonetv1.GetPrecipitationRequest{}), s.CloseSend(), s.RecvMsg(&r)); err != nil || r.GetStation() != want {
			t.Errorf("%q answers, %v; want %q", r.GetStation(), err, want)
		}
		if err := s.RecvMsg(&r); err == nil || want == "first" != errors.Is(err, ErrUnavailable) {
			t.Errorf("the stream of the %s server ends with %v", want, err)
		}
	}
	nowhere := first.dial(t, func(cfg *Config) { cfg.Addrs = []string{unused(t), unused(t), unused(t)} })
	_, err := nowhere.Conn().NewStream(t.Context(), desc, "/mesonet.v1.Other/Stream")
	var e *Error
	if !errors.Is(err, ErrUnavailable) || !errors.As(err, &e) || e.Attempts != 3 {
		t.Errorf("where no server is, a stream is opened with %v", err)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig("127.0.0.1").Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"Addrs":             func(c *Config) { c.Addrs = nil },
		`""`:                func(c *Config) { c.Addrs = []string{"a", ""} },
		`"a b"`:             func(c *Config) { c.Addrs = []string{"a b"} },
		`"http://a"`:        func(c *Config) { c.Addrs = []string{"http://a"} },
		`"a:"`:              func(c *Config) { c.Addrs = []string{"a:"} },
		"Timeout is 0s":     func(c *Config) { c.Timeout = 0 },
		"AttemptTimeout":    func(c *Config) { c.AttemptTimeout = -1 },
		"Retry.Attempts":    func(c *Config) { c.Retry.Attempts = -1 },
		"Retry.First":       func(c *Config) { c.Retry.First = 0 },
		"Retry.Most are 1s": func(c *Config) { c.Retry.First, c.Retry.Most = time.Second, time.Millisecond },
		"Silence":           func(c *Config) { c.Silence = 0 },
	} {
		cfg := DefaultConfig("127.0.0.1:7210")
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(name, " are 1s")) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := Dial(cfg); err == nil {
			t.Errorf("%s: it is dialled", name)
		}
	}
	for addr, want := range map[string]string{
		"a": "a:7210", "a:1": "a:1", "::1": "[::1]:7210", "[::1]:2": "[::1]:2", "1.2.3.4": "1.2.3.4:7210", ":7210": ":7210",
	} {
		if got, err := withPort(addr); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", addr, got, err, want)
		}
	}
}

// A part of a reply fails like a call.
func TestOfFailure(t *testing.T) {
	if err := OfFailure(nil); err != nil {
		t.Errorf("no failure is %v", err)
	}
	for reason, test := range map[string]struct {
		code      codes.Code
		is        error
		transient bool
	}{
		"UNKNOWN_STATION": {codes.NotFound, ErrNotFound, false},
		"OUTCOME_UNKNOWN": {codes.DeadlineExceeded, ErrUnknown, true},
		"OVERLOADED":      {codes.ResourceExhausted, ErrOverloaded, true},
		"UNAVAILABLE":     {codes.Canceled, ErrUnavailable, true},
		"CORRUPT":         {codes.DataLoss, ErrCorrupt, false},
	} {
		err := OfFailure(&mesonetv1.Failure{Code: int32(test.code), Reason: reason, Message: "what happened"})
		var e *Error
		if !errors.Is(err, test.is) || !errors.As(err, &e) || e.Transient() != test.transient || err.Error() != reason+": what happened" {
			t.Errorf("%s is %v, %v", reason, which(err), err)
		}
	}
}
