package main

import (
	"context"
	"errors"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// bareServer serves one stream, and nothing else, over loopback. It returns a
// connection to it, and what ends both.
func bareServer(ctx context.Context, service string, desc grpc.StreamDesc, options ...grpc.ServerOption) (*grpc.ClientConn, func() error, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, nil)
	var failure error // of serving, until that ends
	var serving sync.WaitGroup
	serving.Go(func() { failure = server.Serve(listener) })
	stop := func() error {
		server.Stop()
		serving.Wait()
		return failure
	}
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return conn, func() error { return errors.Join(conn.Close(), stop()) }, nil
}
