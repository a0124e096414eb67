package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/daemon"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

var resumeSeed = flag.Uint64("resume-seed", 0, "the seed of TestResumeAfterSignals, 0 for any")

// A load that is interrupted and killed at random goes on where it has stopped:
// everything arrives, bad lines too, and what was dealt with is not read again.
// Mutations seen to fail: --resume not handed on; the marks of ingest saved as if all
// that was read had been acknowledged.
func TestResumeAfterSignals(t *testing.T) {
	seed := *resumeSeed
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("-resume-seed=%d", seed)
	cfg := daemon.DefaultConfig(t.TempDir())
	cfg.Listen, cfg.Admin, cfg.HTTP = freePort, "", ""
	cfg.Shards, cfg.AutoRegister, cfg.Logger = 4, true, slog.New(slog.DiscardHandler)
	node, err := daemon.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(context.WithoutCancel(t.Context()), node); err != nil {
			t.Error(err)
		}
	}()
	const stations, hours, badEvery = 20, 6000, 1000
	path, bad := hourly(t, stations, hours, badEvery)
	load := func(addr string) *exec.Cmd {
		return exec.CommandContext(t.Context(), "mesonet", "load", "--addr", addr, "--resume", path+".resume", "-o", "json", path)
	}
	signals := []os.Signal{syscall.SIGINT} // the first leaves points to go on from
	for range 3 {
		signals = append(signals, []os.Signal{syscall.SIGINT, syscall.SIGKILL}[random.IntN(2)])
	}
	resumed := int64(0)
	for _, signal := range signals {
		got := interrupt(t, load, node.Addr(), signal, 2500+random.IntN(2500))
		t.Logf("%v: %d lines were skipped, %d stored, %d duplicates", signal, got.Resumed, got.Stored, got.Duplicates)
		resumed = max(resumed, got.Resumed)
	}
	out, err := load(node.Addr()).Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitPartly) {
		t.Fatalf("seed %d: the last run: %v, %s", seed, err, exit.Stderr)
	}
	var last loaded
	if err := json.Unmarshal(out, &last); err != nil {
		t.Fatal(err)
	}
	t.Logf("the last run skipped %d lines; %d stored, %d duplicates", last.Resumed, last.Stored, last.Duplicates)
	if last.Resumed < resumed || last.Resumed == 0 || last.Corrected+last.Refused > 0 {
		t.Errorf("seed %d: the last run skipped %d lines, one before %d: %s", seed, last.Resumed, resumed, out)
	}
	c, err := dial(node.Addr(), time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	list, err := c.stations(t.Context(), &mesonetv1.ListStationsRequest{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, s := range list.Stations {
		all += int(s.Observations)
	}
	if all != stations*hours {
		t.Errorf("seed %d: %d observations arrived, want %d", seed, all, stations*hours)
	}
	q := mesonetv1.NewQuarantineServiceClient(c.Conn())
	kept, err := q.ListQuarantineSources(t.Context(), &mesonetv1.ListQuarantineSourcesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if s := kept.GetSources(); len(s) != 1 || s[0].GetSource() != path || int(s[0].GetLines()) != bad {
		t.Errorf("seed %d: in the quarantine is %v, want %d lines", seed, s, bad)
	}
}

// hourly writes hours of stations, in the order of time, and bad lines between them.
func hourly(t *testing.T, stations, hours, badEvery int) (path string, bad int) {
	t.Helper()
	var b bytes.Buffer
	begin := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC)
	for hour := range hours {
		for s := range stations {
			at := begin.Add(time.Duration(hour) * time.Hour)
			fmt.Fprintf(&b, "%d:1,%s,%d.%d,3.3,1023.5,100,4.1,4,0.0,0.0\n", s+1, at.Format("2006,01,02,15"), s, hour%10)
			if (hour*stations+s)%badEvery == badEvery-1 {
				fmt.Fprintf(&b, "bad line %d\n", bad)
				bad++
			}
		}
	}
	path = filepath.Join(t.TempDir(), "hourly.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, bad
}

// interrupt runs a load until so many bytes of acknowledgements have come, and then
// sends the signal. It returns the summary, if there is one.
func interrupt(t *testing.T, load func(addr string) *exec.Cmd, addr string, signal os.Signal, after int) *loaded {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", freePort)
	if err != nil {
		t.Fatal(err)
	}
	c := load(listener.Addr().String())
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var ways sync.WaitGroup
	ways.Go(func() {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = near.Close() }()
		far, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		ways.Go(func() {
			_, _ = io.Copy(far, near) // until the load ends
			_ = far.Close()
		})
		if _, err = io.CopyN(near, far, int64(after)); err == nil {
			err = c.Process.Signal(signal)
		}
		if err != nil {
			t.Logf("the load ended before its signal: %v", err) // it had little left to do
		}
		_, _ = io.Copy(near, far) // it may still listen
	})
	_ = c.Wait() // with the signal
	_ = listener.Close()
	ways.Wait()
	got := &loaded{}
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), got); err != nil {
			t.Errorf("%v: %s", err, out.Bytes())
		}
	}
	return got
}
