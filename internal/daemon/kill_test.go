package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/daemon"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	"github.com/mesonet/mesonet/weather/station"
)

// serveFolder, in the environment, makes this test binary a server of that
// folder: a process of its own, to be killed.
const serveFolder = "MESONET_TEST_SERVE"

// serveDrop, in the environment of a server, says whether it drops history.
const serveDrop = "MESONET_TEST_DROP"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveFolder); dir != "" {
		serve(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// serve says its address on standard output and ends with its standard input.
func serve(dir string) {
	cfg := config(dir)
	cfg.CheckpointEvery, cfg.MemoryEvery, cfg.PassivateAfter = 5*time.Millisecond, 2*time.Millisecond, 4*time.Millisecond
	cfg.DropHistory = os.Getenv(serveDrop) == "true"
	if text := os.Getenv(serveMemory); text != "" {
		cfg = roomy(dir, text)
	}
	d, err := daemon.Start(context.Background(), cfg)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(d.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = d.Stop(context.Background())
}

// spawn starts the server as a process.
func spawn(t *testing.T, dir string, env ...string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(append(os.Environ(), serveFolder+"="+dir), env...)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the server said nothing: %v", lines.Err())
	}
	return cmd, lines.Text()
}

// kills is how often TestKill kills; `make chaos` asks for 200.
var kills = flag.Int("kills", 30, "kills of TestKill")

// The server is killed without warning at random moments of a load, again and
// again, and each time the folder holds every observation that was acknowledged,
// once, as it was sent, and nothing that was not sent. All the while pages are
// stored, pages and stations that nobody needed for a moment leave memory, one
// station is deleted and comes again, and, every other time, the log below the
// checkpoints goes. Mutations seen to
// fail: settling waiters when a frame is sent, not when it is acknowledged;
// deleting the log up to what is acknowledged.
func TestKill(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	all := sample(t)
	dir := t.TempDir()
	acked := make([]bool, len(all)) // by place in all
	gone := &victim{}
	var cut, whole, total int // loads that the kill interrupted, and not; observations found after kills
	for n := range *kills {
		if n%3 == 0 { // a fresh folder now and then, so that there is always something new
			dir = t.TempDir()
			clear(acked)
			gone = &victim{}
		}
		cmd, addr := spawn(t, dir, fmt.Sprintf("%s=%t", serveDrop, n/3%2 == 1))
		// After some time, or after some acknowledgements: the one comes at any
		// moment, the other in the middle of a load however fast that is.
		delay, after := time.Duration(rng.IntN(150))*time.Millisecond, rng.IntN(len(all))
		if n%2 == 0 {
			delay = time.Minute
		}
		die := func() { _ = cmd.Process.Kill() }
		kill := time.AfterFunc(delay, die)
		if loadUntilKilled(t, rng, addr, all, acked, gone, after, die) {
			cut++
		} else {
			whole++
		}
		kill.Stop()
		die()
		_ = cmd.Wait() // killed
		verify(t, dir, all, acked, gone)
		for _, a := range acked {
			if a {
				total++
			}
		}
		if t.Failed() {
			t.Fatalf("after kill %d", n+1)
		}
	}
	t.Logf("summary: %d kills during a load, %d after it; %d observations held at a kill, on average", cut, whole, total / *kills)
	if cut < *kills/4 || total < 100**kills {
		t.Error("too few kills came in the middle of a load: the test has lost its point")
	}
}

// loadUntilKilled sends the observations in random order, in small batches, and
// marks those that are acknowledged; when there are enough of them it calls die.
// It reports whether it was interrupted.
func loadUntilKilled(t *testing.T, rng *rand.Rand, addr string, all []observation, acked []bool, gone *victim, enough int, die func()) bool {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	register := &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: "724940:23234"}, {Id: "725030:14732"}}}
	if _, err := mesonetv1.NewStationServiceClient(conn).RegisterStations(t.Context(), register); err != nil {
		return true
	}
	stream, err := mesonetv1.NewIngestServiceClient(conn).Ingest(t.Context())
	if err != nil {
		return true
	}
	var deleting sync.WaitGroup
	defer func() { // it ends with the server
		die()
		deleting.Wait()
	}()
	deleting.Go(func() { gone.comeAndGo(t, conn) })
	order := rng.Perm(len(all))
	size := 1 + rng.IntN(100)
	var sending sync.WaitGroup
	sending.Go(func() {
		for n := 0; n*size < len(order); n++ {
			var some []observation
			for _, i := range order[n*size : min((n+1)*size, len(order))] {
				some = append(some, all[i])
			}
			if err := stream.Send(batch(uint64(n), some)); err != nil {
				return
			}
		}
		_ = stream.CloseSend()
	})
	defer sending.Wait()
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil {
			return true
		}
		for _, o := range r.GetOutcomes() {
			if o.GetFailure() != nil {
				t.Errorf("%s: %v", o.GetStation(), o.GetFailure())
			}
		}
		n := int(r.GetNumber())
		for _, i := range order[n*size : min((n+1)*size, len(order))] {
			acked[i] = true
			if enough--; enough == 0 {
				die()
			}
		}
	}
}

// verify opens the folder and compares what it holds with what was sent and
// acknowledged. What it finds beyond that is known to be there from then on.
func verify(t *testing.T, dir string, all []observation, acked []bool, gone *victim) {
	t.Helper()
	stations := station.New(weather.Standard())
	cfg := mesonet.DefaultConfig(dir)
	cfg.Logger = slog.New(slog.DiscardHandler)
	node, err := mesonet.Start(t.Context(), cfg, stations, network.Kind)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	head, err := stations.Head.Ask(t.Context(), node, victimID, &station.GetHead{})
	held := 0
	if err == nil {
		held = int(head.Observations)
	}
	if held != gone.certain && held != gone.perhaps {
		t.Fatalf("the station that is deleted again and again holds %d observations, %v; want %d, or %d", held, err, gone.certain, gone.perhaps)
	}
	gone.certain, gone.perhaps = held, held
	sent := map[string]map[weather.Minute]int{}
	for i, o := range all {
		if sent[o.station] == nil {
			sent[o.station] = map[weather.Minute]int{}
		}
		sent[o.station][o.time] = i
	}
	found := make([]bool, len(all))
	for id, times := range sent {
		held := 0
		for from, more := weather.Minute(0), true; more; {
			some, err := stations.Range.Ask(t.Context(), node, id, &station.Range{From: from, To: station.Always})
			if err != nil {
				break // nothing of it yet: found out below, if something was acknowledged
			}
			run := some.Run
			held, from, more = held+run.Len(), some.Next, some.More
			for row, at := range run.Times {
				i, ok := times[at]
				if !ok || found[i] {
					t.Fatalf("%s holds an observation of %s that was not sent, or twice", id, at)
				}
				found[i] = true
				for m, v := range all[i].values {
					if got := run.Value(row, weather.MeasureID(m)); got != v {
						t.Fatalf("%s at %s: measure %d is %d, want %d", id, at, m, got, v)
					}
				}
			}
		}
		head, err := stations.Head.Ask(t.Context(), node, id, &station.GetHead{})
		if err == nil && head.Observations != uint64(held) {
			t.Errorf("%s counts %d observations and holds %d", id, head.Observations, held)
		}
		rain, err := stations.Precipitation.Ask(t.Context(), node, id, &station.Precipitation{Period: station.Period{Year: 2008}})
		if err == nil && rain.N != held { // every line of the sample has an amount
			t.Errorf("%s sums %d amounts of %d observations", id, rain.N, held)
		}
	}
	for i := range all {
		if acked[i] && !found[i] {
			t.Fatalf("the observation of %s at %s was acknowledged and is gone", all[i].station, all[i].time)
		}
		acked[i] = found[i]
	}
}

// victim is a station that is registered, observed three times, and deleted, over
// and over: how many observations it holds after what was acknowledged, and after
// what was sent.
type victim struct{ certain, perhaps int }

const victimID = "000001:00001"

// comeAndGo goes on until the server is killed.
func (v *victim) comeAndGo(t *testing.T, conn *grpc.ClientConn) {
	ctx := t.Context()
	stations, ingest := mesonetv1.NewStationServiceClient(conn), mesonetv1.NewIngestServiceClient(conn)
	begin, _ := weather.MinuteOf(2008, 1, 1, 0, 0)
	var three []observation
	for i := range 3 {
		three = append(three, observation{station: victimID, time: begin + weather.Minute(40*24*60*i), values: []weather.Value{1, 2, 10132}})
	}
	for {
		if _, err := stations.RegisterStations(ctx, &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: victimID}}}); err != nil {
			return
		}
		stream, err := ingest.Ingest(ctx)
		if err != nil {
			return
		}
		v.perhaps = 3
		if err := stream.Send(batch(1, three)); err != nil {
			return
		}
		r, err := stream.Recv()
		if err != nil {
			return
		}
		if f := r.GetOutcomes()[0].GetFailure(); f != nil {
			t.Errorf("the station that is deleted again and again: %v", f)
			return
		}
		v.certain = 3
		_ = stream.CloseSend() // its end is of no interest
		v.perhaps = 0
		if _, err := stations.DeleteStation(ctx, &mesonetv1.DeleteStationRequest{Station: victimID}); err != nil {
			return
		}
		v.certain = 0
	}
}
