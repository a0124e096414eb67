package transport

import (
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// BenchmarkAsk is requests and replies of 100 bytes over loopback, so many in flight.
func BenchmarkAsk(b *testing.B) {
	for _, flight := range []int{1, 256} {
		b.Run(map[int]string{1: "1", 256: "256"}[flight], func(b *testing.B) {
			start := func(node persistence.NodeID) *Transport {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				cfg := DefaultConfig(cluster.Identity{Cluster: "bench", Store: "s", Shards: 32}, node, cluster.Protocol{Least: 1, Most: 1}, l)
				cfg.Logger = slog.New(slog.DiscardHandler)
				answer := make([]byte, 100)
				t, err := New(cfg, func(_ persistence.NodeID, _ cluster.Request, reply func([]byte)) { reply(answer) })
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { t.Close() })
				return t
			}
			from, to := start("a"), start("b")
			peer := cluster.Peer{Node: "b", Address: to.Address()}
			body := make([]byte, 100)
			b.ReportAllocs()
			var asking sync.WaitGroup
			for g := range flight {
				asking.Go(func() {
					answers := make(chan error, 1)
					for i := g; i < b.N; i += flight {
						from.Send(peer, cluster.Request{Kind: 1, Body: body}, func(_ []byte, err error) { answers <- err })
						if err := <-answers; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			asking.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "asks/s")
		})
	}
}
