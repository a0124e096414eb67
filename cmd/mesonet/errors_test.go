package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// What a server says comes out as one line and an exit code.
func TestServerErrors(t *testing.T) {
	f := newFake(t)
	for _, test := range []struct {
		name string
		err  error
		code int
		line string // ADDR stands for the address
	}{
		{
			"no data", failed(codes.NotFound, reasonNoData, "station 1:1 has no precipitation in 2008"), exitNotFound,
			"station 1:1 has no precipitation in 2008; ask for another period, or load readings with: mesonet load FILE",
		},
		{
			"unknown station", failed(codes.NotFound, reasonUnknownStation, "station 1:1 is not registered"), exitNotFound,
			"station 1:1 is not registered; see mesonet station list, or register it with: mesonet station load FILE",
		},
		{
			"advice of the server's own", failed(codes.NotFound, reasonUnknownStation, "station 1:1 is not registered; check its id"), exitNotFound,
			"station 1:1 is not registered; check its id",
		},
		{"bad id", failed(codes.InvalidArgument, reasonBadID, "the id is\nmalformed"), exitUsage, "the id is malformed"},
		{"malformed", failed(codes.InvalidArgument, "BAD_PERIOD", "there is no 2008-13"), exitUsage, "there is no 2008-13"},
		{
			"unknown outcome", failed(codes.Unknown, reasonOutcomeUnknown, "the outcome is unknown"), exitUnavailable,
			"the outcome is unknown; it may have happened or not: repeating it is safe",
		},
		{
			"overloaded", failed(codes.ResourceExhausted, reasonOverloaded, "too many wait", &errdetails.RetryInfo{RetryDelay: durationpb.New(100 * time.Millisecond)}), exitUnavailable,
			"too many wait; try again in 100ms",
		},
		{"overloaded without a delay", failed(codes.ResourceExhausted, reasonOverloaded, "too many wait"), exitUnavailable, "too many wait; try again in a moment"},
		{
			"corrupt", failed(codes.DataLoss, reasonCorrupt, "station 1:1 is corrupt at position 4096/7"), exitFailed,
			"station 1:1 is corrupt at position 4096/7; the server's log says where; restore its folder from a backup",
		},
		{"too large", failed(codes.ResourceExhausted, reasonTooLarge, "the page is too large"), exitFailed, "the page is too large; send it in smaller parts"},
		{"unavailable", failed(codes.Unavailable, "UNAVAILABLE", "the shard moves"), exitUnavailable, "the shard moves; try again in a moment"},
		{"crashed", failed(codes.Internal, "CRASHED", "the station's code panicked"), exitFailed, "the station's code panicked"},
		{"another domain", status.Error(codes.Internal, "odd"), exitFailed, "the server at ADDR failed: odd (Internal)"},
		{
			"unimplemented", status.Error(codes.Unimplemented, "unknown method"), exitFailed,
			"the server at ADDR does not know this question; it may be of another version: compare with mesonet version",
		},
		{
			"another protocol", status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: EOF"`), exitUnavailable,
			"what listens at ADDR is not a mesonet server; name another with --addr, or start one with: mesonet server --data ./mesonet-data or mesonet demo",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.rain = func(*mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
				return nil, test.err
			}
			got := runArgs(t, "precip", "1:1", "2008", "--addr", f.addr)
			want := "mesonet: " + strings.ReplaceAll(test.line, "ADDR", f.addr) + "\n"
			if got.code != test.code || got.stderr != want || got.stdout != "" {
				t.Errorf("got exit code %d and\n\t%s\t%s\nwant %d and\n\t%s", got.code, got.stderr, got.stdout, test.code, want)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	defer close(release)
	f.rain = func(*mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
		<-release
		return nil, nil
	}
	got := runArgs(t, "precip", "1:1", "2008", "--addr", f.addr, "--timeout", "50ms")
	want := "mesonet: no answer from " + f.addr + " within 50ms; is it a mesonet server? allow more time with --timeout\n"
	if got.code != exitUnavailable || got.stderr != want {
		t.Errorf("got exit code %d and %s, want %d and %s", got.code, got.stderr, exitUnavailable, want)
	}
}

func TestInterrupted(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	release := make(chan struct{})
	defer close(release)
	f.rain = func(*mesonetv1.GetPrecipitationRequest) (*mesonetv1.GetPrecipitationResponse, error) {
		cancel()
		<-release
		return nil, nil
	}
	got := runIn(ctx, nil, "precip", "1:1", "2008", "--addr", f.addr)
	if got.code != exitInterrupted || got.stderr != "mesonet: interrupted\n" {
		t.Errorf("got exit code %d and %q", got.code, got.stderr)
	}
}

// An answer that can't be written is not one that was given.
func TestFullDisk(t *testing.T) {
	var stderr strings.Builder
	code := run(t.Context(), []string{"version"}, nil, fullDisk{}, &stderr)
	if want := "mesonet: the output could not be written (disk full); check the disk or pipe it goes to\n"; code != exitFailed || stderr.String() != want {
		t.Errorf("got exit code %d and %q, want %d and %q", code, stderr.String(), exitFailed, want)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errDiskFull }

var errDiskFull = errors.New("disk full")
