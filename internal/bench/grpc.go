package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// calls measures the annual precipitation of live stations, asked over so many
// connections on loopback of a daemon in this process.
func calls(connections int) func(context.Context, *suite, *row) error {
	return func(ctx context.Context, s *suite, r *row) error {
		r.Work = fmt.Sprintf("annual precipitation of a live station through gRPC, %s; %s, %d asks in flight",
			counted(connections, "connection"), counted(network, "station"), asking)
		r.Unit, r.Goal = asksPerSecond, &goal{Of: ofRatio, Must: atLeast, Value: 0.7}
		r.Limit = &limit{What: "an empty unary call of grpc-go, as many connections and calls in flight"}
		return s.inTurn(ctx, r, turns,
			func(ctx context.Context) (float64, error) { return s.emptyCalls(ctx, connections) },
			func(ctx context.Context) (float64, error) { return s.daemonCalls(ctx, connections) })
	}
}

// daemonCalls returns the answers a second of a daemon.
func (s *suite) daemonCalls(ctx context.Context, connections int) (_ float64, err error) {
	dir := s.places.fresh("grpc")
	defer func() { err = errors.Join(err, s.places.done(dir)) }()
	if err := s.prepare(ctx, dir); err != nil {
		return 0, err
	}
	d, err := s.startDaemon(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Stop(context.WithoutCancel(ctx))) }()
	names := stationIDs(network)
	return s.called(ctx, d.Addr(), connections, func(conn *grpc.ClientConn) func(int) error {
		client := mesonetv1.NewWeatherServiceClient(conn)
		return func(i int) error {
			answer, err := client.GetPrecipitation(always, &mesonetv1.GetPrecipitationRequest{Station: names[i%network], Year: 2008})
			if err == nil && answer.GetObservations() != observedHours {
				err = fmt.Errorf("station %s sums %d amounts, and observed %d", answer.GetStation(), answer.GetObservations(), observedHours)
			}
			return err
		}
	})
}

// prepare makes a store in dir whose stations have observed something.
func (s *suite) prepare(ctx context.Context, dir string) (err error) {
	n, err := startNode(ctx, s.config(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	if err := n.register(ctx, network); err != nil {
		return err
	}
	return n.observeHours(ctx)
}

// called dials a server, so many times, and asks it, going round the
// connections.
func (s *suite) called(ctx context.Context, addr string, connections int, client func(*grpc.ClientConn) func(i int) error) (_ float64, err error) {
	var asks []func(int) error
	var conns []*grpc.ClientConn
	defer func() {
		for _, conn := range conns {
			err = errors.Join(err, conn.Close())
		}
	}()
	for range connections {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return 0, err
		}
		conns, asks = append(conns, conn), append(asks, client(conn))
	}
	ask := func(i int) error { return asks[i%connections](i) }
	if _, err := hammer(ctx, s.warmup(), ask); err != nil {
		return 0, err
	}
	return hammer(ctx, s.opt.time, ask)
}

// The service of the limit: one method that takes nothing and returns nothing.
const emptyMethod = "/mesonet.bench.Empty/Call"

var emptyService = grpc.ServiceDesc{
	ServiceName: "mesonet.bench.Empty",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return &emptypb.Empty{}, decode(&emptypb.Empty{})
		},
	}},
}

// emptyCalls is the limit: calls of grpc-go without anything behind them.
func (s *suite) emptyCalls(ctx context.Context, connections int) (_ float64, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := grpc.NewServer()
	server.RegisterService(&emptyService, nil)
	var failure error // of serving, until that ends
	var serving sync.WaitGroup
	serving.Go(func() { failure = server.Serve(listener) })
	defer func() {
		server.Stop()
		serving.Wait()
		err = errors.Join(err, failure)
	}()
	return s.called(ctx, listener.Addr().String(), connections, func(conn *grpc.ClientConn) func(int) error {
		return func(int) error { return conn.Invoke(always, emptyMethod, &emptypb.Empty{}, &emptypb.Empty{}) }
	})
}
