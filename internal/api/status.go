package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mesonet/mesonet/actors/entity"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Domain is the domain of the reasons of this API.
const Domain = "mesonet"

// Reasons beside those of packages weather/station and weather/quarantine.
const (
	ReasonUnknown     = "OUTCOME_UNKNOWN" // it may have happened: ask again
	ReasonUnavailable = "UNAVAILABLE"     // it did not happen: try again
	ReasonOverloaded  = "OVERLOADED"      // it did not happen: try again after the delay
	ReasonCorrupt     = "CORRUPT"         // what is stored can't be read
	ReasonCrashed     = "CRASHED"         // a bug; it did not happen
	ReasonRejected    = "REJECTED"        // the domain said no, without a reason of its own
	ReasonInvalid     = "INVALID_REQUEST" // the request is malformed
	ReasonWrongStore  = "WRONG_STORE"     // a token of another store
	ReasonInternal    = "INTERNAL"
)

// retryDelay is what an overloaded caller is told to wait.
const retryDelay = 100 * time.Millisecond

// outcome is the code and reason of an error.
func outcome(err error) (codes.Code, string) {
	var r *entity.Rejection
	switch {
	case errors.As(err, &r):
		code, reason := rejectionCodes[r.Code], r.Reason
		if reason == "" {
			reason = ReasonRejected
		}
		return code, reason
	case errors.Is(err, errWrongStore):
		return codes.InvalidArgument, ReasonWrongStore
	case errors.Is(err, entity.ErrCorrupt):
		return codes.DataLoss, ReasonCorrupt
	case errors.Is(err, entity.ErrUnknown) && errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded, ReasonUnknown
	case errors.Is(err, entity.ErrUnknown):
		return codes.Unknown, ReasonUnknown
	case errors.Is(err, entity.ErrOverloaded):
		return codes.ResourceExhausted, ReasonOverloaded
	case errors.Is(err, entity.ErrCrashed):
		return codes.Internal, ReasonCrashed
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded, ReasonUnavailable
	case errors.Is(err, context.Canceled):
		return codes.Canceled, ReasonUnavailable
	case errors.Is(err, entity.ErrUnavailable):
		return codes.Unavailable, ReasonUnavailable
	}
	return codes.Internal, ReasonInternal
}

var rejectionCodes = map[entity.Code]codes.Code{
	entity.Failed:   codes.FailedPrecondition,
	entity.Invalid:  codes.InvalidArgument,
	entity.NotFound: codes.NotFound,
}

// Status turns the outcome of an ask into a gRPC status with its details.
func Status(err error) error { return withDetails(err) }

// statusAt is Status with the token of the reply, which a rejection has as well.
func (s *Server) statusAt(err error, t entity.Token) error {
	if t == (entity.Token{}) {
		return Status(err)
	}
	return withDetails(err, protoadapt.MessageV1Of(s.token(t)))
}

func withDetails(err error, more ...protoadapt.MessageV1) error {
	code, reason := outcome(err)
	details := append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: Domain}}, more...)
	if reason == ReasonOverloaded {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)})
	}
	return detailed(code, err.Error(), details...)
}

// invalid is the status of a request that is malformed.
func invalid(message string) error {
	return detailed(codes.InvalidArgument, message, &errdetails.ErrorInfo{Reason: ReasonInvalid, Domain: Domain})
}

func detailed(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	if with, err := st.WithDetails(details...); err == nil { // it only fails for codes.OK
		st = with
	}
	return st.Err()
}

// reasonOf returns the reason in a status, "" when it has none.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// failure is the outcome of a part of a call, nil for a nil error.
func failure(err error) *mesonetv1.Failure {
	if err == nil {
		return nil
	}
	code, reason := outcome(err)
	return &mesonetv1.Failure{Code: int32(code), Reason: reason, Message: err.Error()}
}
