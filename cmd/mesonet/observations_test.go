package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// river is a network that measures no weather.
var river = []*mesonetv1.Measure{
	{Name: "water_level", Unit: "m", Decimals: 3, Aggregate: mesonetv1.Aggregate_AGGREGATE_MEAN, Low: -5, High: 20},
	{Name: "dam_gates", Aggregate: mesonetv1.Aggregate_AGGREGATE_CODE, High: 9},
}

func levels(from, to int) *mesonetv1.Readings {
	r := &mesonetv1.Readings{Station: "1:1"}
	level := &mesonetv1.Column{Measure: "water_level"}
	gates := &mesonetv1.Column{Measure: "dam_gates"}
	unknown := &mesonetv1.Column{Measure: "of_a_later_version"}
	for i := from; i < to; i++ {
		r.Minutes = append(r.Minutes, int64(i))
		v := weather.Value(1234 + i)
		if i == 2 {
			v = v.Mark()
		}
		level.Values = append(level.Values, int32(v))
		missing := weather.Missing
		gates.Values = append(gates.Values, int32(missing))
		unknown.Values = append(unknown.Values, 1)
	}
	r.Columns = []*mesonetv1.Column{level, gates, unknown}
	return r
}

// What stations measure, with which units and decimals, is asked and not assumed.
func TestAnotherNetwork(t *testing.T) {
	f := newFake(t)
	f.measures = river
	f.observed = func(stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
		for _, r := range []*mesonetv1.Readings{levels(0, 2), {Station: "1:1"}, levels(2, 3)} {
			if err := stream.Send(&mesonetv1.StreamObservationsResponse{Readings: r}); err != nil {
				return err
			}
		}
		return nil
	}
	f.describe = func(r *mesonetv1.GetStatisticsRequest) (*mesonetv1.GetStatisticsResponse, error) {
		return &mesonetv1.GetStatisticsResponse{Station: r.GetStation(), Statistics: &mesonetv1.Statistics{
			Measure: r.GetMeasure(), Unit: "m", Aggregate: mesonetv1.Aggregate_AGGREGATE_MEAN, Observations: 3, High: proto.Float64(1.25), Mean: proto.Float64(1.0 / 3),
		}}, nil
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"observations", "1:1", "-o", "csv"}, `station,time,water_level,dam_gates,traces,erroneous,suspect
1:1,1970-01-01T00:00:00Z,1.234,,,,
1:1,1970-01-01T00:01:00Z,1.235,,,,
1:1,1970-01-01T00:02:00Z,1.236,,,water_level,
`},
		{[]string{"observations", "1:1", "-o", "jsonl", "--limit", "1"}, `{"station":"1:1","time":"1970-01-01T00:00:00Z","values":{"water_level":1.234},"traces":[],"erroneous":[],"suspect":[]}
`},
		{[]string{"statistics", "1:1", "water_level", "2008"}, `station       1:1
period        2008 (UTC)
measure       water level
high          1.250 m
mean          0.3333 m
observations  3 (0 hours missing)
days          0 days with data
`},
	} {
		if r := runArgs(t, append(test.args, "--addr", f.addr)...); r.code != exitOK || r.stdout != test.want {
			t.Errorf("%v ends with %d:\n%s%s\nwant\n%s", test.args, r.code, r.stdout, r.stderr, test.want)
		}
	}
	r := runArgs(t, "top", "temperature", "1:1", "2008", "--addr", f.addr)
	if want := "mesonet: there is no measure \"temperature\"; this network has: water_level, dam_gates\n"; r.code != exitUsage || r.stderr != want {
		t.Errorf("got %d and %s", r.code, r.stderr)
	}
	f.measures = []*mesonetv1.Measure{{Name: "x", Decimals: 7}}
	if r := runArgs(t, "measures", "--addr", f.addr); r.code != exitFailed || !strings.Contains(r.stderr, "7 decimals of x") {
		t.Errorf("got %d and %s", r.code, r.stderr)
	}
}

// A stream that breaks is an error after what came, one without anything is no
// data, and one that is silent ends.
// Mutations seen to fail: the timer of the silence not started, or not again; its
// error taken for that of an interruption; an empty stream taken for an empty answer;
// a column that is too short read all the same.
func TestStreamsThatBreak(t *testing.T) {
	const row = "1:1,1970-01-01T00:00:00Z,1.234,,,,\n"
	ended := make(chan struct{})
	for _, test := range []struct {
		name     string
		observed func(stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error
		code     int
		rows     string
		line     string
	}{
		{
			name: "breaks",
			observed: func(stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
				if err := stream.Send(&mesonetv1.StreamObservationsResponse{Readings: levels(0, 1)}); err != nil {
					return err
				}
				return failed(codes.Unavailable, "UNAVAILABLE", "the shard moves")
			},
			code: exitUnavailable, rows: row, line: "the shard moves; try again in a moment",
		},
		{
			name: "is refused",
			observed: func(grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
				return failed(codes.NotFound, reasonUnknownStation, "station 1:1 is not registered")
			},
			code: exitNotFound, line: "station 1:1 is not registered; see mesonet station list, or register it with: mesonet station load FILE",
		},
		{
			name:     "is empty",
			observed: func(grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error { return nil },
			code:     exitNotFound, line: "station 1:1 has no observations from 1970-01-01 00:00Z to before 1970-01-02 00:00Z; ask for another period, or load readings with: mesonet load FILE",
		},
		{
			name: "is silent from the beginning",
			observed: func(stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
				<-stream.Context().Done()
				return stream.Context().Err()
			},
			code: exitUnavailable, line: "no answer from ADDR within 1s; is it a mesonet server? allow more time with --timeout",
		},
		{
			name: "is silent",
			observed: func(stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
				defer close(ended)
				if err := stream.Send(&mesonetv1.StreamObservationsResponse{Readings: levels(0, 1)}); err != nil {
					return err
				}
				<-stream.Context().Done()
				return stream.Context().Err()
			},
			code: exitUnavailable, rows: row, line: "no answer from ADDR within 1s; is it a mesonet server? allow more time with --timeout",
		},
		{
			name: "is of another version",
			observed: func(stream grpc.ServerStreamingServer[mesonetv1.StreamObservationsResponse]) error {
				r := levels(0, 1)
				r.Columns[0].Values = nil
				return stream.Send(&mesonetv1.StreamObservationsResponse{Readings: r})
			},
			code: exitFailed, line: "the server sent 0 values of water_level for 1 times; it may be of another version: compare with mesonet version",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t) // its own, as a stream may begin after its client has gone
			f.measures, f.observed = river, test.observed
			timeout := "1m"
			if strings.Contains(test.line, "1s") {
				timeout = "1s"
			}
			r := runArgs(t, "observations", "1:1", "1970-01-01", "-o", "csv", "--addr", f.addr, "--timeout", timeout)
			want := test.rows
			if want != "" {
				want = "station,time,water_level,dam_gates,traces,erroneous,suspect\n" + want
			}
			line := "mesonet: " + strings.ReplaceAll(test.line, "ADDR", f.addr) + "\n"
			if r.code != test.code || r.stdout != want || r.stderr != line {
				t.Errorf("ends with %d, want %d:\n%s%s\nwant\n%s%s", r.code, test.code, r.stdout, r.stderr, want, line)
			}
		})
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the silent stream goes on")
	}
}

// Questions go in batches, and answers come in the order of the lines, also where
// some are no questions.
// Mutations seen to fail: a failure written where the batch begins, or ends; batches
// of twice the size.
func TestAskInBatches(t *testing.T) {
	f := newFake(t)
	var sizes []int
	f.asked = func(r *mesonetv1.AskRequest) (*mesonetv1.AskResponse, error) {
		sizes = append(sizes, len(r.GetQuestions()))
		response := &mesonetv1.AskResponse{}
		for _, q := range r.GetQuestions() {
			response.Answers = append(response.Answers, &mesonetv1.Answer{Answer: &mesonetv1.Answer_Precipitation{
				Precipitation: &mesonetv1.GetPrecipitationResponse{Station: q.GetPrecipitation().GetStation(), Token: &mesonetv1.Token{Shard: 1}},
			}})
		}
		return response, nil
	}
	var questions, want strings.Builder
	for i := range 2500 {
		if i%1000 == 500 {
			fmt.Fprintf(&questions, "no question\n")
			fmt.Fprintf(&want, `{"failure":{"code":3,"reason":"BAD_QUESTION","message":"line %d is not a question: `, i+1)
			continue
		}
		fmt.Fprintf(&questions, `{"precipitation":{"station":"%d"}}`+"\n", i)
		fmt.Fprintf(&want, `{"precipitation":{"station":"%d","observations":0,"missing_hours":0,"millimetres":0,"trace_hours":0}}`+"\n", i)
	}
	r := runIn(t.Context(), strings.NewReader(questions.String()), "ask", "-", "--addr", f.addr)
	got := strings.Split(r.stdout, "\n")
	for i, line := range strings.Split(strings.ReplaceAll(want.String(), "question: {", "question: \n{"), "\n") {
		if i >= len(got) || !strings.HasPrefix(got[i], line) {
			t.Fatalf("line %d of %d is not %s", i+1, len(got), line)
		}
	}
	if fmt.Sprint(sizes) != "[999 999 500]" || r.code != exitPartly || len(got) != 2501 {
		t.Errorf("asked in batches of %v, ended with %d after %d lines: %s", sizes, r.code, len(got), r.stderr)
	}

	// What can't be asked at all breaks off after what was answered.
	long := questions.String()[:len(`{"precipitation":{"station":"0"}}`+"\n")] + strings.Repeat("x", longestQuestion+1) + "\n"
	r = runIn(t.Context(), strings.NewReader(long), "ask", "-", "--addr", f.addr)
	if r.code != exitUsage || strings.Count(r.stdout, "\n") != 1 || !strings.Contains(r.stderr, "line 2 is longer than 65536 bytes") {
		t.Errorf("ended with %d: %s%s", r.code, r.stdout, r.stderr)
	}
	f.asked = func(*mesonetv1.AskRequest) (*mesonetv1.AskResponse, error) { return &mesonetv1.AskResponse{}, nil }
	r = runIn(t.Context(), strings.NewReader(`{"precipitation":{"station":"0"}}`), "ask", "-", "--addr", f.addr)
	if r.code != exitFailed || !strings.Contains(r.stderr, "gave 0 answers to 1 questions") {
		t.Errorf("ended with %d: %s", r.code, r.stderr)
	}
}
