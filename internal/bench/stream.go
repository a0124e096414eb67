package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/internal/daemon"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// streams measures the observations of a year that a client receives over one
// connection on loopback, and decodes: one station after the other.
func streams(ctx context.Context, s *suite, r *row) (err error) {
	r.Work = fmt.Sprintf("observations of a year streamed through gRPC and decoded, 1 connection, 1 call in flight; %s with every hour of it", counted(s.opt.yearly, "station"))
	r.Unit, r.Goal = observationsPerSecond, &goal{Of: ofHere, Must: atLeast, Value: 500_000}
	r.Limit = &limit{What: "a stream of grpc-go of as many bytes, ready made and not looked at"}
	dir := s.places.fresh("stream")
	defer func() { err = errors.Join(err, s.places.done(dir)) }()
	s.progress.begin("observing a year")
	if err := s.prepareYear(ctx, dir); err != nil {
		return err
	}
	d, err := s.startDaemon(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop(context.WithoutCancel(ctx))) }()
	conn, err := grpc.NewClient(d.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	client := mesonetv1.NewObservationServiceClient(conn)
	names := stationIDs(s.opt.yearly)
	size := 0
	var sample [][]byte // the messages of a year
	for _, id := range names {
		messages, err := yearOf(ctx, client, id) // so that the pages are in memory
		if err != nil {
			return err
		}
		if sample == nil {
			if sample, err = encoded(messages); err != nil {
				return err
			}
		}
	}
	for _, b := range sample {
		size += len(b)
	}
	if err := s.between(ctx, r,
		func(ctx context.Context) (float64, error) { return s.bareStreams(ctx, sample) },
		func(ctx context.Context) (float64, error) {
			return s.streamed(ctx, func(ctx context.Context, i int) error {
				_, err := yearOf(ctx, client, names[i%len(names)])
				return err
			})
		}); err != nil {
		return err
	}
	r.also("messages a year", count, float64(len(sample)))
	r.also("bytes an observation", bytesEach, float64(size)/yearHours)
	return nil
}

// startDaemon starts a daemon on a store for what asks it from this process.
func (s *suite) startDaemon(ctx context.Context, dir string) (*daemon.Daemon, error) {
	cfg := daemon.DefaultConfig(dir)
	cfg.Admin, cfg.HTTP = "", "" // nobody looks, and several may run at once
	cfg.Listen = "127.0.0.1:0"
	cfg.Shards, cfg.Logger = s.opt.shards, s.config(dir).Logger
	return daemon.Start(ctx, cfg)
}

// yearOf receives the year of a station, and checks that all of it has come.
func yearOf(ctx context.Context, client mesonetv1.ObservationServiceClient, id string) (messages []*mesonetv1.StreamObservationsResponse, err error) {
	stream, err := client.StreamObservations(ctx, &mesonetv1.StreamObservationsRequest{
		Station: id,
		From:    timestamppb.New(firstHour.Time()),
		To:      timestamppb.New((firstHour + yearHours*60).Time()),
	})
	if err != nil {
		return nil, err
	}
	got := 0
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && got == yearHours:
			return messages, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("station %s has streamed %d observations, not %d", id, got, yearHours)
		case err != nil:
			return nil, err
		}
		messages = append(messages, m)
		got += len(m.GetReadings().GetMinutes())
	}
}

func encoded(messages []*mesonetv1.StreamObservationsResponse) (all [][]byte, err error) {
	for _, m := range messages {
		b, err := proto.Marshal(m)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// streamed receives years for a while and returns the observations a second.
func (s *suite) streamed(ctx context.Context, year func(ctx context.Context, i int) error) (float64, error) {
	receive := func(d time.Duration) (float64, error) {
		begin := time.Now()
		years := 0
		for ; time.Since(begin) < d; years++ {
			if err := year(ctx, years); err != nil {
				return 0, err
			}
		}
		return perSecond(years*yearHours, time.Since(begin)), nil
	}
	if _, err := receive(s.warmup()); err != nil {
		return 0, err
	}
	return receive(s.opt.time)
}

// The service of the limit: one method that streams what it has.
const bareStreamMethod = "/mesonet.bench.Bare/Stream"

var bareStream = grpc.StreamDesc{StreamName: "Stream", ServerStreams: true}

// bareStreams is the limit: the bytes of a year, from a server of grpc-go without
// anything behind it to a client that takes them as bytes.
func (s *suite) bareStreams(ctx context.Context, year [][]byte) (_ float64, err error) {
	desc := bareStream
	desc.Handler = func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&wrapperspb.BytesValue{}); err != nil {
			return err
		}
		for _, b := range year {
			if err := stream.SendMsg(wrapperspb.Bytes(b)); err != nil {
				return err
			}
		}
		return nil
	}
	conn, stop, err := bareServer(ctx, "mesonet.bench.Bare", desc)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return s.streamed(ctx, func(ctx context.Context, _ int) error { return bareYear(ctx, conn, len(year)) })
}

// bareYear receives so many messages.
func bareYear(ctx context.Context, conn *grpc.ClientConn, messages int) error {
	stream, err := conn.NewStream(ctx, &bareStream, bareStreamMethod)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&wrapperspb.BytesValue{}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for got := 0; ; got++ {
		err := stream.RecvMsg(&wrapperspb.BytesValue{})
		switch {
		case errors.Is(err, io.EOF) && got == messages:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%d messages were streamed, not %d", got, messages)
		case err != nil:
			return err
		}
	}
}
