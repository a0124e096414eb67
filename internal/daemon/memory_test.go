package daemon_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/race"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// The long form, as `make chaos` runs it, is -stations 1000000 -memory 268435456.
var (
	manyStations = flag.Int("stations", 20_000, "stations of TestMemoryStays")
	memoryLimit  = flag.Int64("memory", 160<<20, "its limit in bytes")
)

// serveMemory, in the environment of a server, is its limit.
const serveMemory = "MESONET_TEST_MEMORY"

// roomy is the configuration of a server with a limit of memory.
func roomy(dir, limit string) daemon.Config {
	bytes, err := strconv.ParseInt(limit, 10, 64)
	if err != nil {
		panic(err)
	}
	mesonet.LimitMemory(bytes) // as the command does
	cfg := config(dir)
	usual := daemon.DefaultConfig(dir)
	cfg.Shards, cfg.CheckpointBytes, cfg.Memory, cfg.AutoRegister = usual.Shards, usual.CheckpointBytes, bytes, true
	return cfg
}

// A server with far more stations than its memory holds takes readings of all,
// answers for all, and the process stays within its limit. Mutation seen to
// fail: sweep doing nothing.
func TestMemoryStays(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes several times the memory")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	cmd, addr := spawn(t, t.TempDir(), fmt.Sprintf("%s=%d", serveMemory, *memoryLimit))
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begin, _ := weather.MinuteOf(2008, 1, 1, 0, 0)
	order := rng.Perm(*manyStations)
	load := func(hour int, stations []int) {
		var all []observation
		for _, i := range stations {
			all = append(all, observation{station: stationID(i), time: begin + weather.Minute(60*hour), values: []weather.Value{
				weather.Value(i % 300), weather.Value(i % 200), 10132, 1, 20, weather.Missing, 3, weather.Value(1 + i%50), weather.Missing,
			}})
		}
		ingestAll(t, conn, all)
		t.Logf("summary: hour %d: %d stations, %d MiB resident, %d at most", hour, len(stations), resident(t, cmd.Process.Pid, "VmRSS")>>20, resident(t, cmd.Process.Pid, "VmHWM")>>20)
	}
	load(0, order)
	rng.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	again := order[:len(order)/10]
	load(1, again)
	ask := mesonetv1.NewWeatherServiceClient(conn)
	twice := make(map[int]bool)
	for _, i := range again {
		twice[i] = true
	}
	var wg sync.WaitGroup
	for w := range 8 {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		wg.Go(func() {
			for range min(2_000, *manyStations/8) {
				i := rng.IntN(*manyStations)
				want := float64(1+i%50) / 10
				if twice[i] {
					want *= 2
				}
				r, err := ask.GetPrecipitation(t.Context(), &mesonetv1.GetPrecipitationRequest{Station: stationID(i), Year: 2008})
				for status.Code(err) == codes.ResourceExhausted {
					r, err = ask.GetPrecipitation(t.Context(), &mesonetv1.GetPrecipitationRequest{Station: stationID(i), Year: 2008})
				}
				if err != nil || r.GetMillimetres() < want-0.01 || r.GetMillimetres() > want+0.01 {
					t.Errorf("station %d had %v mm, %v; want %v", i, r.GetMillimetres(), err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if runtime.GOOS != "linux" {
		return
	}
	if most := resident(t, cmd.Process.Pid, "VmHWM"); most > *memoryLimit {
		t.Errorf("the server took %d MiB at most, its limit is %d", most>>20, *memoryLimit>>20)
	}
}

func stationID(i int) string { return fmt.Sprintf("%06d:99999", i) }

// ingestAll sends observations in batches over one stream, and waits for all.
func ingestAll(t *testing.T, conn *grpc.ClientConn, all []observation) {
	t.Helper()
	stream, err := mesonetv1.NewIngestServiceClient(conn).Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const size = 500
	var retry []observation
	var receiving sync.WaitGroup
	receiving.Go(func() {
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			for i, o := range r.GetOutcomes() {
				switch codes.Code(o.GetFailure().GetCode()) {
				case codes.OK:
				case codes.ResourceExhausted:
					retry = append(retry, all[int(r.GetNumber())*size+i])
				default:
					t.Errorf("%s: %v", o.GetStation(), o.GetFailure())
				}
			}
		}
	})
	for n := 0; n*size < len(all); n++ {
		if err := stream.Send(batch(uint64(n), all[n*size:min((n+1)*size, len(all))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	receiving.Wait()
	if len(retry) > 0 {
		t.Logf("%d of %d observations met a full memory and are sent again", len(retry), len(all))
		ingestAll(t, conn, retry)
	}
}

// resident returns what a process has, or had at most, in memory: 0 where that
// is not to be found out.
func resident(t *testing.T, pid int, what string) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), what+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}
