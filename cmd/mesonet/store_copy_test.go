package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mesonet "github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// sampleFolder loads the sample into a folder of 4 shards, twice over, with some of
// it corrected to nonsense and back, and has its server killed.
func sampleFolder(t *testing.T) (g *golden, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "node")
	g = &golden{t: t, store: inFolder(dir)}
	g.start()
	sample := readSample(t)
	stations := make(map[string]bool)
	for _, r := range sample {
		stations[r.Station] = true
	}
	for station := range stations {
		if _, err := g.client.RegisterStations(t.Context(), &mesonetv1.RegisterStationsRequest{Stations: []*mesonetv1.Station{{Id: station}}}); err != nil {
			t.Fatal(err)
		}
	}
	g.load(sample, math.MaxInt64)
	g.stop(syscall.SIGTERM) // all of that is in pages
	g.start()
	some := slices.Clone(sample)
	rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	some = some[:100]
	nonsense := slices.Clone(some)
	for i := range nonsense {
		nonsense[i].Values = slices.Clone(some[i].Values)
		nonsense[i].Values[weather.Temperature] = weather.Value(rand.IntN(600) - 200)
	}
	g.record(nonsense)
	g.load(sample, math.MaxInt64)
	g.stop(syscall.SIGKILL) // and that is not
	return g, dir
}

// copied runs a copy and verifies it.
func copiedStore(t *testing.T, args ...string) {
	t.Helper()
	r := runArgs(t, append([]string{"store", "copy"}, args...)...)
	if r.code != exitOK || !strings.Contains(r.stdout, "all of it was read back and compared; next: mesonet server --") {
		t.Fatalf("the copy %v ends with %d: %s%s", args, r.code, r.stdout, r.stderr)
	}
	if r = runArgs(t, "store", "verify", args[1]); r.code != exitOK || !strings.Contains(r.stdout, "damage              0 places") {
		t.Fatalf("verifying %s ends with %d: %s%s", args[1], r.code, r.stdout, r.stderr)
	}
}

// The figures of the sample come out of a copy with other shards as they should.
func TestCopyAnswersTheSample(t *testing.T) {
	want, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	g, dir := sampleFolder(t)
	for _, shards := range []string{"16", "1"} {
		to := filepath.Join(t.TempDir(), "copy")
		copiedStore(t, dir, to, "--shards", shards)
		dir = to
		g.store = inFolder(dir)
		g.start()
		byGRPC(t, g.client).check(t, want)
		g.stop(syscall.SIGKILL)
	}
}

// A store goes from a folder to Cassandra, where a node answers from it, and back
// into a folder with other shards. A copy that is interrupted goes on, and before
// that no node serves from it.
func TestCopyOverCassandra(t *testing.T) {
	addresses := serverstest.Cassandra(t, 1).Addresses()
	want, err := sampledata.Answers()
	if err != nil {
		t.Fatal(err)
	}
	g, dir := sampleFolder(t)
	cfg := cassandra.DefaultConfig()
	cfg.Hosts, cfg.Keyspace, cfg.Logger = addresses, serverstest.Name(t), slog.New(slog.DiscardHandler)
	schema := cassandra.DefaultSchema(cfg.Keyspace)
	schema.Shards = 8
	if _, err := schema.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	url := cfg.String()

	if r := runArgs(t, "store", "copy", dir, url, "--shards", "16"); r.code != exitUsage || !strings.Contains(r.stderr, "was made with 8 shards, which stay") {
		t.Errorf("other shards than the keyspace has: %d, %s", r.code, r.stderr)
	}
	for after := 200 * time.Millisecond; ; after *= 2 {
		ctx, cancel := context.WithCancel(t.Context())
		interrupt := time.AfterFunc(after, cancel)
		r := runIn(ctx, strings.NewReader(""), "store", "copy", dir, url)
		interrupt.Stop()
		cancel()
		if r.code == exitOK {
			break
		}
		t.Logf("interrupted after %v: %d, %s", after, r.code, r.stderr)
		if strings.Contains(r.stderr, "finished already") {
			break // it was interrupted when there was nothing left to copy
		}
		if r.code != exitInterrupted {
			t.Fatalf("an interrupted copy ends with %d: %s", r.code, r.stderr)
		}
		if !strings.Contains(r.stderr, "go on with: mesonet store copy "+dir) {
			continue // before it was begun
		}
		if r := runArgs(t, "store", "verify", url); r.code == exitFailed && !strings.Contains(r.stderr, "unfinished copy") {
			t.Errorf("verifying an unfinished copy: %d, %s", r.code, r.stderr)
		}
	}
	if r := runArgs(t, "store", "copy", dir, url); r.code != exitFailed || !strings.Contains(r.stderr, "finished already") {
		t.Errorf("copying once more: %d, %s", r.code, r.stderr)
	}
	if r := runArgs(t, "store", "verify", url); r.code != exitOK {
		t.Errorf("verifying ends with %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := runArgs(t, "store", "inspect", url, "--shards"); r.code != exitOK || !strings.Contains(r.stdout, "shards            8\n") {
		t.Errorf("inspecting ends with %d: %s%s", r.code, r.stdout, r.stderr)
	}

	serveCassandra(t, cfg, want)

	back := filepath.Join(t.TempDir(), "back")
	copiedStore(t, url, back, "--shards", "2")
	g.store = inFolder(back)
	g.start()
	byGRPC(t, g.client).check(t, want)
	g.stop(syscall.SIGTERM)
}

// serveCassandra has a node answer from a keyspace, and looks into that meanwhile.
func serveCassandra(t *testing.T, cfg cassandra.Config, want *sampledata.Expected) {
	t.Helper()
	store, err := cassandra.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	kinds, err := storedKinds(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	nc := mesonet.DefaultConfig("")
	nc.Store, nc.Logger = store, slog.New(slog.DiscardHandler)
	definitions := make([]entity.Definition, len(kinds))
	for i, k := range kinds {
		definitions[i] = k
	}
	node, err := mesonet.Start(t.Context(), nc, definitions...)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := node.List(t.Context(), "station", "", 10)
	if err != nil || len(listed) != len(want.Annual) {
		t.Errorf("listed %v, %v", listed, err)
	}
	for _, command := range []string{"inspect", "verify"} {
		if r := runArgs(t, "store", command, cfg.String()); r.code != exitOK {
			t.Errorf("%s while a node serves ends with %d: %s%s", command, r.code, r.stdout, r.stderr)
		}
	}
	if err := node.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// A damaged source is told of and not copied, and what is in the way is left alone.
func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	cfg := pebble.DefaultConfig(from)
	cfg.Shards, cfg.MemTable = 2, 1<<20
	store, err := pebble.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, own := t.Context(), store.Ownership()
	inc, err := own.Boot(ctx, "n", "")
	_, claimErr := own.Claim(ctx, persistence.Claim{Shard: 0, Owner: "n", Incarnation: inc})
	bad := persistencetest.Frame(t, 0, persistence.At(persistence.FirstEpoch, 0), 3, "x")
	bad.Data[len(bad.Data)-1]++
	good := persistencetest.Frame(t, 0, persistence.At(persistence.FirstEpoch, 3), 3, "x") // the last one is read at the opening
	err = errors.Join(err, claimErr, persistencetest.Append(ctx, store.Log(), bad), persistencetest.Append(ctx, store.Log(), good), store.Close())
	if err != nil {
		t.Fatal(err)
	}
	r := runArgs(t, "store", "copy", from, filepath.Join(dir, "to"))
	if r.code != exitDamaged || !strings.Contains(r.stderr, "frame: shard 0 at 4096:0: checksum is") || !strings.Contains(r.stderr, "the source is damaged, in shard 0") {
		t.Errorf("a damaged source: %d, %s", r.code, r.stderr)
	}
	text := filepath.Join(dir, "text")
	if err := errors.Join(os.Mkdir(text, 0o755), os.WriteFile(filepath.Join(text, "a"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{from, from}, exitUsage, "FROM and TO are the same store"},
		{[]string{from}, exitUsage, "missing: TO"},
		{[]string{filepath.Join(dir, "nowhere"), text}, exitUsage, "there is no store in"},
		{[]string{from, text}, exitFailed, "is not empty and not a store"},
		{[]string{from, "x", "--shards", "3"}, exitUsage, "a store has a power of two of them, from 1 to 65536, and not 3"},
		{[]string{from, "cassandra://u:p@h/k"}, exitUsage, "a URL can't have the password"},
		{[]string{"kafka://h/k", "x"}, exitUsage, "a store's URL begins with cassandra://"},
		{[]string{from, "cassandra://127.0.0.1:1/k?connect_timeout=100ms"}, exitFailed, "127.0.0.1:1"},
	} {
		if r := runArgs(t, append([]string{"store", "copy"}, c.args...)...); r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("copy %v ends with %d: %s", c.args, r.code, r.stderr)
		}
	}
}
