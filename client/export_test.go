package client

import (
	"context"
	"net"

	"google.golang.org/grpc/codes"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Serve runs a server for examples, which knows the rain of LaGuardia in 2008,
// and takes all readings.
func Serve() (addr string, stop func()) {
	f := &fake{readings: make(map[reading]string)}
	f.answer = func(_ context.Context, _ string, request any) (any, error) {
		r, ok := request.(*mesonetv1.GetPrecipitationRequest)
		switch {
		case !ok:
			return nil, refused(codes.Unimplemented, "", "not here")
		case r.GetYear() != 2008:
			return nil, refused(codes.NotFound, "NO_DATA", "station "+r.GetStation()+" has no precipitation in that year")
		}
		return &mesonetv1.GetPrecipitationResponse{Station: r.GetStation(), Millimetres: 839, Observations: 8784}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // an example has nobody to tell
	}
	f.serve(listener)
	return listener.Addr().String(), f.stop
}
