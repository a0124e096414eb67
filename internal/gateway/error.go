package gateway

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet/internal/api"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Reasons beside those of package api.
const (
	ReasonUnknownPath   = "UNKNOWN_PATH"       // there is nothing there
	ReasonMethod        = "METHOD_NOT_ALLOWED" // there is, but not for that method
	ReasonTooLarge      = "TOO_LARGE"          // the body, or a line of it
	ReasonTooSlow       = "TOO_SLOW"           // the body did not come in time
	ReasonEncoding      = "UNKNOWN_ENCODING"   // the body is compressed
	ReasonCrossOrigin   = "CROSS_ORIGIN"       // a browser asks for another site
	ReasonUnimplemented = "UNIMPLEMENTED"      // this node does not have the call
)

// HTTPStatus is the status of an answer that is no success. It is that of the
// code, but where the reason says it better. FAILED_PRECONDITION is a conflict
// with what is there, not a fault of the request, so it is 409: it may succeed
// unchanged later.
func HTTPStatus(code codes.Code, reason string) int {
	switch reason {
	case ReasonMethod:
		return http.StatusMethodNotAllowed
	case ReasonTooLarge:
		return http.StatusRequestEntityTooLarge
	case ReasonTooSlow:
		return http.StatusRequestTimeout
	case ReasonEncoding:
		return http.StatusUnsupportedMediaType
	}
	if s, known := statuses[code]; known {
		return s
	}
	return http.StatusInternalServerError
}

// clientGone is nginx's status of a request whose client has gone; nobody reads
// it.
const clientGone = 499

// statuses of codes; INTERNAL, UNKNOWN and DATA_LOSS are 500.
var statuses = map[codes.Code]int{
	codes.Canceled:           clientGone,
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.Aborted:            http.StatusConflict,
	codes.FailedPrecondition: http.StatusConflict,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
}

// refuse is the error of a request that goes no further.
func refuse(code codes.Code, reason, format string, args ...any) error {
	st, err := status.New(code, validUTF8(fmt.Sprintf(format, args...))).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: api.Domain})
	if err != nil {
		return err // only for codes.OK
	}
	return st.Err()
}

// validUTF8 makes a message fit for JSON: it may quote what came in.
func validUTF8(message string) string { return strings.ToValidUTF8(message, "\ufffd") }

// invalid is the error of a request that is malformed.
func invalid(format string, args ...any) error {
	return refuse(codes.InvalidArgument, api.ReasonInvalid, format, args...)
}

// failure is what an answer says of an error, and after how long to try again, 0
// when that is not said. safe says that the request changes nothing.
func failure(err error, safe bool) (e *mesonetv1.Error, retry time.Duration) {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	e = &mesonetv1.Error{
		Code: int32(st.Code()), Message: validUTF8(st.Message()), Details: st.Proto().GetDetails(), Reason: reasonOf(st.Code(), safe),
	}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason = d.GetReason()
		case *errdetails.RetryInfo:
			retry = d.GetRetryDelay().AsDuration()
		}
	}
	return e, retry
}

// reasonOf is the reason of an error that names none: it comes from grpc-go or
// from grpc-gateway, not from the API. That a call broke off says nothing of
// whether it happened.
func reasonOf(code codes.Code, safe bool) string {
	switch code {
	case codes.InvalidArgument, codes.OutOfRange:
		return api.ReasonInvalid
	case codes.Unimplemented:
		return ReasonUnimplemented
	case codes.ResourceExhausted:
		return api.ReasonOverloaded
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		if safe {
			return api.ReasonUnavailable
		}
		return api.ReasonUnknown
	default:
		return api.ReasonInternal
	}
}

func isSafe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// WriteError answers a request with an error.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e, retry := failure(err, isSafe(r.Method))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	setCommon(h)
	if retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(retry.Seconds()))))
	}
	setTokens(h, tokensOfError(err))
	w.WriteHeader(HTTPStatus(codes.Code(e.GetCode()), e.GetReason()))
	w.Write(append(encodeError(e), '\n')) //nolint:gosec // JSON that a browser is told not to take for a page
}

// setCommon sets what every answer says: it is of a moment, and is what its type
// says.
func setCommon(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// encodeError returns e as JSON, without its details when they are of a kind
// that is not known here.
func encodeError(e *mesonetv1.Error) []byte {
	text, err := encode(e)
	if err == nil {
		return text
	}
	e.Details = nil
	if text, err = encode(e); err == nil {
		return text
	}
	return []byte(`{"code":13,"reason":"INTERNAL","message":"what went wrong can't be shown as JSON","details":[]}`)
}
