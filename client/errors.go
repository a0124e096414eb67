package client

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// What an *Error is, to errors.Is.
var (
	// ErrRejected: the request was refused, and will be refused again.
	ErrRejected = errors.New("client: rejected")
	// ErrNotFound: there is no such thing, or no data. It is a rejection too.
	ErrNotFound = errors.New("client: not found")
	// ErrNoData: the station is there and has nothing for that period. It is
	// ErrNotFound too.
	ErrNoData = errors.New("client: no data")
	// ErrUnknown: it may have happened or not, or may happen still.
	ErrUnknown = errors.New("client: the outcome is unknown")
	// ErrUnavailable: it did not happen.
	ErrUnavailable = errors.New("client: unavailable")
	// ErrOverloaded: it did not happen, for the server has too much to do.
	ErrOverloaded = errors.New("client: overloaded")
	// ErrCorrupt: what is stored can't be read. An operator has to look.
	ErrCorrupt = errors.New("client: corrupt")
)

// Error is what became of a call that did not succeed, or of a part of one: see
// OfFailure.
type Error struct {
	// Method is the call's, such as /mesonet.v1.WeatherService/GetPrecipitation;
	// empty for a part of one.
	Method string
	// Addr is where the last attempt went, for people.
	Addr string
	// Code is that of the last attempt's status.
	Code codes.Code
	// Reason says why, for programs; empty when no server said it.
	Reason string
	// Message says what happened, for people.
	Message string
	// RetryAfter is how long the server wants to be left alone; 0 when it did not
	// say.
	RetryAfter time.Duration
	// Token is what the server had seen when it refused; nil when it did not say.
	Token *mesonetv1.Token
	// Attempts that were made, and the time they took with their pauses.
	Attempts int
	Elapsed  time.Duration
	// Timeout is the time that the call had; 0 for a stream.
	Timeout time.Duration

	outcome outcome // of the last attempt
	// maybe: an attempt may have taken effect, or may still.
	maybe  bool
	status *status.Status
	cause  error // of the context, when that ended it
}

// newError returns the outcome of one attempt at addr whose error is err.
func (c *Client) newError(addr, method string, err error, sent bool) *Error {
	e := &Error{Method: method, Addr: addr, Attempts: 1, status: status.Convert(err)}
	e.Code, e.Message = e.status.Code(), e.status.Message()
	for _, detail := range e.status.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == domain {
				e.Reason = d.GetReason()
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		case *mesonetv1.Token:
			e.Token = d
			c.session.saw(d)
		}
	}
	e.outcome = judge(e.Code, e.Reason, sent)
	e.settle(levelOf(method))
	return e
}

// settle draws the line under an outcome that leaves open whether the call took
// effect: a question has none.
func (e *Error) settle(l level) {
	open := e.outcome == unknown ||
		e.outcome == failed && (e.Reason == "" || e.Reason == reasonInternal) && (e.Code == codes.Internal || e.Code == codes.Unknown)
	e.maybe = open && l != question
	if e.outcome == unknown && l == question {
		e.outcome = unavailable
	}
}

// OfFailure returns the error of a part of a reply whose other parts stand, as
// of one station in RegisterStationsResponse; nil for none.
func OfFailure(f *mesonetv1.Failure) error {
	if f == nil {
		return nil
	}
	e := &Error{Code: codes.Code(f.GetCode()), Reason: f.GetReason(), Message: f.GetMessage(), Attempts: 1}
	e.status = status.New(e.Code, e.Message)
	e.outcome = judge(e.Code, e.Reason, true)
	e.settle(once)
	return e
}

// Error says what happened and where, how often it was tried and for how long.
func (e *Error) Error() string {
	why := e.Reason
	if why == "" {
		why = e.Code.String()
	}
	if e.Method == "" {
		return why + ": " + e.Message
	}
	var b strings.Builder
	fmt.Fprintf(&b, "client: %s at %s: %s (%s)", path.Base(e.Method), e.Addr, e.Message, why)
	if e.Attempts > 1 {
		fmt.Fprintf(&b, "; that was attempt %d, after %v", e.Attempts, e.Elapsed.Round(time.Millisecond))
	}
	if e.maybe {
		b.WriteString("; it may have taken effect")
	}
	return b.String()
}

// Is makes the error that which the sentinels of this package say.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRejected:
		return e.outcome == rejected
	case ErrNotFound:
		return e.Code == codes.NotFound
	case ErrNoData:
		return e.Code == codes.NotFound && e.Reason == reasonNoData
	case ErrUnknown:
		return e.maybe
	case ErrUnavailable:
		return e.outcome == unavailable && !e.maybe
	case ErrOverloaded:
		return e.outcome == overloaded && !e.maybe
	case ErrCorrupt:
		return e.outcome == corrupt
	}
	return false
}

// Transient reports whether it may go better another time. Where the error is
// ErrUnknown, doing it again may be doing it twice.
func (e *Error) Transient() bool {
	return e.outcome == unknown || e.outcome == unavailable || e.outcome == overloaded
}

// GRPCStatus is the last attempt's status, for status.Code and status.Convert.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// Unwrap returns the error of the context if the call ended with that:
// context.Canceled, or context.DeadlineExceeded also when there was no time left
// for another attempt.
func (e *Error) Unwrap() error { return e.cause }
