package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/internal/api"
	gatewayv1 "github.com/mesonet/mesonet/internal/gateway/mesonet/v1"
)

// newMux returns grpc-gateway's handler of all calls but Ingest.
func newMux(conn *grpc.ClientConn) (*runtime.ServeMux, error) {
	none := func(string) (string, bool) { return "", false }
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec{}),
		// A segment is unescaped after the path has been cut at its slashes.
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithIncomingHeaderMatcher(none),
		runtime.WithOutgoingHeaderMatcher(none),
		runtime.WithOutgoingTrailerMatcher(none),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			WriteError(w, r, err)
		}),
		runtime.WithForwardResponseOption(func(_ context.Context, w http.ResponseWriter, m proto.Message) error {
			if m != nil { // of a stream that begins
				setTokens(w.Header(), tokensOf(m))
			}
			return nil
		}),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gatewayv1.RegisterStationServiceHandler,
		gatewayv1.RegisterWeatherServiceHandler,
		gatewayv1.RegisterMeasureServiceHandler,
		gatewayv1.RegisterObservationServiceHandler,
		gatewayv1.RegisterQuarantineServiceHandler,
		gatewayv1.RegisterEntityServiceHandler,
		gatewayv1.RegisterClusterServiceHandler,
	} {
		if err := register(context.Background(), mux, conn); err != nil { // the context is for what this does not do
			return nil, err
		}
	}
	return mux, nil
}

// ServeHTTP answers a request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.begin() {
		WriteError(w, r, refuse(codes.Unavailable, api.ReasonUnavailable, "the node is stopping"))
		return
	}
	defer g.calls.Done()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	g.outer.ServeHTTP(newPatientWriter(w, g.cfg.Patience, cancel), r.WithContext(ctx))
}

// serve answers a request to a writer that compresses.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	setCommon(w.Header())
	if isSafe(r.Method) && serveDocument(w, r.URL.Path) {
		return
	}
	if err := g.call(w, r); err != nil {
		WriteError(w, r, err)
	}
}

// call makes a request a call, and answers it but for an error.
func (g *Gateway) call(w http.ResponseWriter, r *http.Request) error {
	route, values, allow, err := g.routes.find(r.Method, r.URL)
	if len(allow) > 0 {
		w.Header().Set("Allow", strings.Join(allow, ", "))
	}
	if err != nil {
		return err
	}
	if err := g.origin.Check(r); err != nil {
		return refuse(codes.PermissionDenied, ReasonCrossOrigin, "a page of another site may not change anything here: %v", err)
	}
	if err := route.check(values, r.URL.RawQuery); err != nil {
		return err
	}
	ts, err := parseTokens(r.Header)
	if err != nil {
		return err
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return refuse(codes.InvalidArgument, ReasonEncoding, "a body that is encoded as %q is not taken; send it as it is", encoding)
	}
	ctx := withTokens(r.Context(), ts)
	if route.call.IsStreamingClient() {
		return g.ingest(w, inner(ctx, r))
	}
	text, err := g.bodyOf(w, r, route)
	if err != nil {
		return err
	}
	if r.Header.Get(timeoutHeader) == "" && !route.call.IsStreamingServer() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.cfg.Timeout)
		defer cancel()
	}
	request := inner(ctx, r)
	if route.call.IsStreamingServer() {
		w.Header().Set("Content-Type", ndjson) // also of a stream with nothing in it
	}
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	g.mux.ServeHTTP(w, request)
	return nil
}

// bodyOf returns the body of a request, which only some may have.
func (g *Gateway) bodyOf(w http.ResponseWriter, r *http.Request, route *route) ([]byte, error) {
	switch {
	case route.body:
		return g.readBody(w, r)
	case r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody:
		return nil, invalid("%s %s takes no body", route.method, route.template)
	}
	return nil, nil
}

const timeoutHeader = "Grpc-Timeout"

// inner is the request as grpc-gateway gets it, with the headers that it is to
// know.
func inner(ctx context.Context, r *http.Request) *http.Request {
	request := r.WithContext(ctx)
	request.Header = make(http.Header)
	for _, name := range []string{timeoutHeader, "Authorization"} {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	if request.Method == http.MethodHead {
		request.Method = http.MethodGet
	}
	return request
}
