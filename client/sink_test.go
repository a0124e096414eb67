package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// lines are readings of some stations, hour by hour, as text.
func lines(stations, hours int) ingest.Source {
	var b bytes.Buffer
	begin := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC)
	for h := range hours {
		at := begin.Add(time.Duration(h) * time.Hour)
		for s := range stations {
			fmt.Fprintf(&b, "%d:1,%s,%d.5,1.0,1013.0,90,3.0,2,0.0,0.0\n", s, at.Format("2006,01,02,15"), s)
		}
	}
	return ingest.Memory("lines", b.Bytes())
}

// loadInto loads into a fake with small batches, so that there are many, and
// short pauses.
func loadInto(t *testing.T, f *fake, source ingest.Source, silence time.Duration) (ingest.Summary, string, error) {
	t.Helper()
	return loadIntoAll(t, []*fake{f}, source, silence)
}

// loadIntoAll loads into several fakes.
func loadIntoAll(t *testing.T, all []*fake, source ingest.Source, silence time.Duration) (ingest.Summary, string, error) {
	t.Helper()
	c := all[0].dial(t, func(cfg *Config) {
		cfg.Addrs = nil
		for _, f := range all {
			cfg.Addrs = append(cfg.Addrs, f.addr)
		}
		if silence > 0 {
			cfg.Silence = silence
		}
	})
	cfg := ingest.DefaultConfig()
	cfg.RunLength, cfg.BatchLength, cfg.InFlight = 8, 32, 256
	cfg.RetryFirst, cfg.RetryMost, cfg.RetryFor = time.Millisecond, 10*time.Millisecond, 20*time.Second
	s := c.Ingest(t.Context(), weather.Standard())
	defer s.Close()
	var breaks []string
	s.OnBreak = func(err error) { // one stream after the other
		breaks = append(breaks, err.Error())
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrOverloaded) {
			t.Errorf("a stream broke with %v, whose outcome is known", err)
		}
	}
	summary, err := ingest.Load(t.Context(), []ingest.Source{source}, s, cfg)
	s.Close()
	return summary, strings.Join(breaks, "\n"), err
}

// However a stream breaks, in the end every reading is stored, each was counted
// once, and nothing was refused.
//
// Seen to fail: when what is pending at the end of a stream gets no outcome, the
// load never ends; when it gets that of a success, readings are lost.
func TestStreamBreaks(t *testing.T) {
	const stations, hours = 7, 60
	for _, test := range []struct {
		name  string
		batch func(n int) verdict
		// duplicates: what was stored and not acknowledged is one when it
		// comes again.
		duplicates bool
	}{
		{name: "never", batch: func(int) verdict { return verdict{} }},
		{name: "before a batch is stored", batch: func(n int) verdict {
			if n%5 == 0 {
				return verdict{lose: true, end: status.Error(codes.Unavailable, "gone")}
			}
			return verdict{}
		}},
		{name: "after a batch is stored, before it is acknowledged", duplicates: true, batch: func(n int) verdict {
			if n%5 == 0 {
				return verdict{silent: true, end: status.Error(codes.Unavailable, "gone")}
			}
			return verdict{}
		}},
		{name: "with an orderly end", duplicates: true, batch: func(n int) verdict {
			if n == 4 {
				return verdict{silent: true, end: io.EOF}
			}
			return verdict{}
		}},
		{name: "with an unknown outcome", duplicates: true, batch: func(n int) verdict {
			if n == 4 {
				return verdict{silent: true, end: refused(codes.Unknown, reasonUnknown, "it may have happened")}
			}
			return verdict{}
		}},
		{name: "when the server is overloaded", batch: func(n int) verdict {
			if n < 4 {
				return verdict{lose: true, end: refused(codes.ResourceExhausted, reasonOverloaded, "too much")}
			}
			return verdict{}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			f.batch = test.batch
			summary, _, err := loadInto(t, f, lines(stations, hours), 0)
			if err != nil {
				t.Fatalf("the load failed: %v", err)
			}
			checkLoaded(t, f, summary, stations*hours, test.duplicates)
		})
	}
}

func checkLoaded(t *testing.T, f *fake, s ingest.Summary, want int, duplicates bool) {
	t.Helper()
	if readings, _ := f.counts(); readings != want {
		t.Errorf("the server has %d readings, want %d", readings, want)
	}
	if s.Readings != int64(want) || s.Stored+s.Duplicates != int64(want) || s.Refused != 0 || s.Corrected != 0 {
		t.Errorf("got %d readings, %d stored, %d duplicates, %d refused, %d corrected; want %d, all stored or duplicates",
			s.Readings, s.Stored, s.Duplicates, s.Refused, s.Corrected, want)
	}
	if duplicates != (s.Duplicates > 0) {
		t.Errorf("got %d duplicates, want some: %t", s.Duplicates, duplicates)
	}
}

// Breaks at random: the same sums.
func TestStreamBreaksAtRandom(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	f := newFake(t)
	f.batch = func(int) verdict {
		gone := status.Error(codes.Unavailable, "gone")
		switch random.IntN(12) {
		case 0:
			return verdict{lose: true, end: gone}
		case 1:
			return verdict{silent: true, end: gone}
		case 2:
			return verdict{end: gone}
		case 3:
			return verdict{failure: &mesonetv1.Failure{Code: int32(codes.ResourceExhausted), Reason: reasonOverloaded}}
		}
		return verdict{}
	}
	summary, _, err := loadInto(t, f, lines(11, 100), 0)
	if err != nil {
		t.Fatalf("seed %d: the load failed: %v", seed, err)
	}
	if readings, _ := f.counts(); readings != 1100 || summary.Stored+summary.Duplicates != 1100 {
		t.Errorf("seed %d: the server has %d readings, %d were counted as stored and %d as duplicates; want 1100 in all",
			seed, readings, summary.Stored, summary.Duplicates)
	}
}

// The server goes away with all its connections, and comes back.
func TestServerRestarts(t *testing.T) {
	f := newFake(t)
	down := make(chan struct{})
	var back atomic.Bool
	f.batch = func(n int) verdict {
		if n == 5 {
			close(down)
		}
		return verdict{silent: n >= 5 && !back.Load()}
	}
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		<-down
		f.stop()
		back.Store(true)
		f.start(t, f.addr)
	}()
	summary, breaks, err := loadInto(t, f, lines(7, 60), 0)
	<-restarted
	if err != nil {
		t.Fatalf("the load failed: %v", err)
	}
	checkLoaded(t, f, summary, 420, true)
	if !strings.Contains(breaks, "Ingest at "+f.addr) {
		t.Errorf("nobody was told that the connection broke, but %q", breaks)
	}
}

// Of several servers one that breaks the stream, says nothing, stores nothing or is
// gone is left for the next, which is sent all that was not acknowledged.
//
// Mutations seen to fail: the stream not leaving its server when it breaks; a batch
// of which nothing is stored not breaking the stream.
func TestSinkOfSeveralServers(t *testing.T) {
	gone := status.Error(codes.Unavailable, "gone")
	for name, test := range map[string]struct {
		then    func(n int) verdict // of batches after the third
		silence time.Duration
	}{
		"breaks":       {then: func(int) verdict { return verdict{lose: true, end: gone} }},
		"says nothing": {then: func(int) verdict { return verdict{silent: true} }, silence: 100 * time.Millisecond},
		"stores nothing": {then: func(int) verdict {
			return verdict{failure: &mesonetv1.Failure{Code: int32(codes.Unavailable), Reason: reasonUnavailable}}
		}},
		"ends in order": {then: func(int) verdict { return verdict{lose: true, end: io.EOF} }},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newFake(t), newFake(t)
			first.batch = func(n int) verdict {
				if n > 3 {
					return test.then(n)
				}
				return verdict{}
			}
			summary, _, err := loadIntoAll(t, []*fake{{addr: unused(t)}, first, second}, lines(7, 60), test.silence)
			if err != nil {
				t.Fatal(err)
			}
			_, streams := first.counts()
			if streams != 1 {
				t.Errorf("the server that is left had %d streams, want 1", streams)
			}
			readings := make(map[reading]string)
			for _, f := range []*fake{first, second} {
				maps.Copy(readings, f.readings)
			}
			if len(readings) != 420 || summary.Acknowledged() != 420 || summary.Refused != 0 {
				t.Errorf("%d readings are there and %d acknowledged, %d refused; want all of 420", len(readings), summary.Acknowledged(), summary.Refused)
			}
		})
	}
}

// A server that takes batches and says nothing counts as broken.
func TestServerIsSilent(t *testing.T) {
	f := newFake(t)
	f.batch = func(n int) verdict { return verdict{silent: n < 3} }
	summary, breaks, err := loadInto(t, f, lines(2, 8), 50*time.Millisecond)
	if err != nil {
		t.Fatalf("the load failed: %v", err)
	}
	if readings, streams := f.counts(); readings != 16 || streams < 2 || summary.Acknowledged() != 16 {
		t.Errorf("got %d readings over %d streams, %d acknowledged; want 16 over 2 or more, all acknowledged", readings, streams, summary.Acknowledged())
	}
	if !strings.Contains(breaks, "nothing was acknowledged for 50ms") {
		t.Errorf("the break is said to be %q", breaks)
	}
}

// What will not get better ends the load at once, or counts as refused.
func TestFinalFailures(t *testing.T) {
	t.Run("of the stream", func(t *testing.T) {
		f := newFake(t)
		f.batch = func(int) verdict {
			return verdict{lose: true, end: refused(codes.InvalidArgument, "INVALID_REQUEST", "no")}
		}
		_, breaks, err := loadInto(t, f, lines(2, 8), 0)
		if status.Code(err) != codes.InvalidArgument || errors.Is(err, ingest.ErrRetry) {
			t.Errorf("got %v, want the server's refusal", err)
		}
		if breaks != "" {
			t.Errorf("a refusal is announced as a break: %s", breaks)
		}
	})
	t.Run("of a wrong acknowledgement", func(t *testing.T) {
		f := newFake(t)
		f.batch = func(int) verdict { return verdict{number: 1 << 40} }
		if _, _, err := loadInto(t, f, lines(2, 8), 0); err == nil || !strings.Contains(err.Error(), "acknowledged what was not sent") {
			t.Errorf("got %v, want that the server acknowledged something else", err)
		}
	})
	t.Run("of a run", func(t *testing.T) {
		f := newFake(t)
		f.batch = func(int) verdict {
			return verdict{failure: &mesonetv1.Failure{Code: int32(codes.Internal), Reason: "CRASHED", Message: "a bug"}}
		}
		summary, _, err := loadInto(t, f, lines(2, 8), 0)
		if err != nil || summary.Refused != 16 {
			t.Fatalf("got %d refused and %v, want 16 and nil", summary.Refused, err)
		}
		if got := summary.Refusals[0].Reason; got != "CRASHED: a bug" {
			t.Errorf("refused because %q", got)
		}
	})
}
