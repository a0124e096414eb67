package cassandra

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesonet/mesonet/internal/cqlproxy"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
	"github.com/mesonet/mesonet/persistence"
)

// proxied returns a proxy before a store's cluster, and the configuration that
// goes through it.
func proxied(t testing.TB, cfg Config) (*cqlproxy.Proxy, Config) {
	t.Helper()
	proxy := cqlproxy.New(cfg.Hosts...)
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg.Dialer = proxy.Client("a")
	return proxy, cfg
}

// losses are what can become of one transaction. Each is over when the change has
// returned; what a rule holds is released after that.
var losses = map[string]func(*cqlproxy.Proxy, cqlproxy.Match) *cqlproxy.Held{
	"reply lost": func(p *cqlproxy.Proxy, m cqlproxy.Match) *cqlproxy.Held {
		m.At = cqlproxy.OnReply
		p.Drop(m)
		return nil
	},
	"request lost": func(p *cqlproxy.Proxy, m cqlproxy.Match) *cqlproxy.Held {
		p.Drop(m)
		return nil
	},
	"connection lost after it": func(p *cqlproxy.Proxy, m cqlproxy.Match) *cqlproxy.Held {
		m.At = cqlproxy.OnReply
		p.Cut(m)
		return nil
	},
	"applied, and told it may not be": func(p *cqlproxy.Proxy, m cqlproxy.Match) *cqlproxy.Held {
		m.At = cqlproxy.OnReply
		p.Fail(m, cqlproxy.CASUnknown(1, 2))
		return nil
	},
	"executed twice": func(p *cqlproxy.Proxy, m cqlproxy.Match) *cqlproxy.Held {
		m.At = cqlproxy.OnReply // the client learns of the second
		p.Duplicate(m)
		return nil
	},
	"executed later": func(p *cqlproxy.Proxy, m cqlproxy.Match) *cqlproxy.Held {
		return p.FailAndHold(m, cqlproxy.WriteTimeout(cqlproxy.WriteCAS, 1, 2))
	},
}

const e = persistence.FirstEpoch

// A change of ownership whose reply is lost happens once, and its caller learns
// that it was his; a copy of it that is executed later changes nothing.
//
// Seen to fail without the comparison of change ids in Boot, Fence and Claim, and
// of the row in RaiseLow (each of the four); and, executed later, with >= in place
// of = in the condition of each, with cur_epoch != 0 in that of the first claim.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	cfg.Timeout = time.Second
	proxy, a := proxied(t, cfg)
	s, other := opened(t, a), opened(t, cfg)
	shard := persistence.Shard(0)
	for loss, inject := range losses {
		for name, change := range map[string]struct {
			table string
			do    func(*testing.T, persistence.NodeID, persistence.Shard)
		}{
			"first boot": {"node", func(t *testing.T, n persistence.NodeID, _ persistence.Shard) {
				bootsAs(t, s, n, 1)
			}},
			"boot": {"node", func(t *testing.T, n persistence.NodeID, _ persistence.Shard) {
				bootsAs(t, other, n, 1)
				bootsAs(t, s, n, 2)
			}},
			"fence": {"node", func(t *testing.T, n persistence.NodeID, _ persistence.Shard) {
				bootsAs(t, other, n, 1)
				inc, err := s.Ownership().Fence(t.Context(), n, 1)
				must(t, err)
				equal(t, inc, persistence.Incarnation(2))
			}},
			"first claim": {"shard", func(t *testing.T, n persistence.NodeID, i persistence.Shard) {
				row, err := s.Ownership().Claim(t.Context(), persistence.Claim{Shard: i, Owner: n, Incarnation: 1})
				must(t, err)
				equal(t, row, persistence.ShardRow{Shard: i, Epoch: e, Owner: n, Incarnation: 1})
			}},
			"claim": {"shard", func(t *testing.T, n persistence.NodeID, i persistence.Shard) {
				row, err := other.Ownership().Claim(t.Context(), persistence.Claim{Shard: i, Owner: "x", Incarnation: 1})
				must(t, err)
				row, err = s.Ownership().Claim(t.Context(), persistence.Claim{Shard: i, Owner: n, Incarnation: 1, Seen: row, Seal: persistence.At(e, 7)})
				must(t, err)
				equal(t, row, persistence.ShardRow{Shard: i, Epoch: e + 1, Owner: n, Incarnation: 1, Seals: []persistence.Position{persistence.At(e, 7)}})
			}},
			"raise low": {"shard", func(t *testing.T, n persistence.NodeID, i persistence.Shard) {
				row, err := other.Ownership().Claim(t.Context(), persistence.Claim{Shard: i, Owner: n, Incarnation: 1})
				must(t, err)
				row, err = s.Ownership().RaiseLow(t.Context(), row, persistence.At(e, 5))
				must(t, err)
				equal(t, row, persistence.ShardRow{Shard: i, Epoch: e, Owner: n, Incarnation: 1, Low: persistence.At(e, 5)})
			}},
		} {
			shard++
			i, n := shard, persistence.NodeID(serverstest.Name(t))
			t.Run(loss+"/"+name, func(t *testing.T) {
				watch := proxy.Watch(cqlproxy.Match{Client: "a", Table: change.table, Conditional: true})
				held := inject(proxy, cqlproxy.Match{Client: "a", Table: change.table, Conditional: true, Times: 1})
				change.do(t, n, i)
				if watch.Hits() == 0 {
					t.Fatal("no transaction went through the proxy")
				}
				watch.Remove()
				if held != nil {
					moveOn(t, other, change.table, n, i)
				}
				node, nodeErr := other.Ownership().Node(t.Context(), n)
				row, err := other.Ownership().Shard(t.Context(), i)
				must(t, err)
				if held == nil {
					return
				}
				held.Release()
				must(t, held.Done(t.Context()))
				nodeAfter, errAfter := other.Ownership().Node(t.Context(), n)
				after, err := other.Ownership().Shard(t.Context(), i)
				must(t, err)
				equal(t, after, row)
				equal(t, nodeAfter, node)
				equal(t, errors.Is(errAfter, persistence.ErrNotFound), errors.Is(nodeErr, persistence.ErrNotFound))
			})
		}
	}
}

// moveOn changes the row once more, so that whatever comes late is not of the kind
// that changes nothing when it is done twice.
func moveOn(t *testing.T, s *Store, table string, n persistence.NodeID, i persistence.Shard) {
	t.Helper()
	if table == "node" {
		_, err := s.Ownership().Boot(t.Context(), n, "again")
		must(t, err)
		return
	}
	row, err := s.Ownership().Shard(t.Context(), i)
	must(t, err)
	if row.Low != 0 {
		row, err = s.Ownership().RaiseLow(t.Context(), row, row.Low+1)
		must(t, err)
	}
	_, err = s.Ownership().Claim(t.Context(), persistence.Claim{Shard: i, Owner: "y", Incarnation: 1, Seen: row, Seal: persistence.At(row.Epoch, 9)})
	must(t, err)
}

func bootsAs(t *testing.T, s *Store, n persistence.NodeID, want persistence.Incarnation) {
	t.Helper()
	inc, err := s.Ownership().Boot(t.Context(), n, "addr")
	must(t, err)
	equal(t, inc, want)
	must(t, s.Ownership().Check(t.Context(), n, want))
}

// A claim that stays unknown is an error that is none of the named ones, and is
// lost when somebody else comes first, however late it arrives (I2).
//
// Seen to fail with ErrLost for what stays unknown, and, arriving late, with a
// condition that low alone has to meet.
func TestUnknownClaim(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	other := opened(t, cfg)
	cfg.Timeout, cfg.WriteTimeout = time.Second, 2*time.Second
	proxy, a := proxied(t, cfg)
	s := opened(t, a)
	own := other.Ownership()
	row, err := own.Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "x", Incarnation: 1})
	must(t, err)
	late := proxy.FailAndHold(cqlproxy.Match{Table: "shard", Conditional: true}, cqlproxy.WriteTimeout(cqlproxy.WriteCAS, 1, 2))
	_, err = s.Ownership().Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "a", Incarnation: 1, Seen: row, Seal: persistence.At(e, 1)})
	if err == nil || errors.Is(err, persistence.ErrLost) || errors.Is(err, persistence.ErrClosed) {
		t.Fatalf("a claim without an answer: %v", err)
	}
	b, err := own.Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "b", Incarnation: 1, Seen: row, Seal: persistence.At(e, 2)})
	must(t, err)
	late.Release()
	must(t, late.Done(t.Context()))
	got, err := own.Shard(t.Context(), 1)
	must(t, err)
	equal(t, got, b)
}

// A claim that loses against another says so, also when its reply was lost.
func TestLostClaim(t *testing.T) {
	t.Parallel()
	cfg := newStore(t, 1)
	cfg.Timeout = time.Second
	proxy, a := proxied(t, cfg)
	s, own := opened(t, a), opened(t, cfg).Ownership()
	row, err := own.Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "x", Incarnation: 1})
	must(t, err)
	b, err := own.Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "b", Incarnation: 1, Seen: row, Seal: persistence.At(e, 2)})
	must(t, err)
	proxy.Drop(cqlproxy.Match{At: cqlproxy.OnReply, Table: "shard", Conditional: true, Times: 1})
	got, err := s.Ownership().Claim(t.Context(), persistence.Claim{Shard: 1, Owner: "a", Incarnation: 1, Seen: row, Seal: persistence.At(e, 1)})
	if !errors.Is(err, persistence.ErrLost) {
		t.Errorf("a claim of a shard that another has taken: %v, want ErrLost", err)
	}
	equal(t, got, b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}
