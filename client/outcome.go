package client

import (
	"time"

	"google.golang.org/grpc/codes"
)

// outcome is what a call, or a part of one, came to that did not succeed.
type outcome int

const (
	rejected    outcome = iota // refused, and will be refused again
	unknown                    // it may have happened or not
	unavailable                // it did not happen
	overloaded                 // it did not happen, for there is too much to do
	corrupt                    // what is stored can't be read
	failed                     // anything else
)

// Reasons that the server gives in google.rpc.ErrorInfo, of those that decide
// something here. The domain has others for its rejections.
const (
	domain = "mesonet"

	reasonUnknown     = "OUTCOME_UNKNOWN"
	reasonUnavailable = "UNAVAILABLE"
	reasonOverloaded  = "OVERLOADED"
	reasonCorrupt     = "CORRUPT"
	reasonInternal    = "INTERNAL"
	reasonNoData      = "NO_DATA"
)

// judge returns the outcome that a status stands for. The server says it with
// its reason. Without one gRPC itself or something on the way speaks, which knows
// less: what was not sent has not happened, and of what was nobody can tell.
func judge(code codes.Code, reason string, sent bool) outcome {
	switch reason {
	case reasonUnknown:
		return unknown
	case reasonUnavailable:
		return unavailable
	case reasonOverloaded:
		return overloaded
	case reasonCorrupt:
		return corrupt
	}
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange:
		return rejected
	case codes.DataLoss:
		return corrupt
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted:
		if !sent {
			return unavailable
		}
		return unknown
	default:
		return failed
	}
}

// again reports whether a call may be made again after that outcome.
func again(o outcome, l level) bool {
	switch o {
	case unavailable, overloaded:
		return true
	case unknown:
		return l != once
	default:
		return false
	}
}

// pause returns how long to wait after the attempt of that number, from 1. The
// server's wish, if it has one, is the least; random is from [0, 1).
func (r Retry) pause(attempt int, wish time.Duration, random float64) time.Duration {
	whole := r.First
	for range attempt - 1 {
		if whole > r.Most/2 {
			whole = r.Most
			break
		}
		whole *= 2
	}
	return max(wish, whole/2+time.Duration(random*float64(whole-whole/2)))
}
