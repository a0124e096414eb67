package servers

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPlacesDoNotCollide(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		places, err := choosePlaces(3, netip.Addr{}, 9042, 7000)
		must(t, err)
		for _, p := range places {
			for _, address := range []string{p.client(), p.other()} {
				if seen[address] || !p.host.IsLoopback() {
					t.Errorf("%s: not loopback, or chosen before", address)
				}
				seen[address] = true
				listener, err := net.Listen("tcp", address)
				must(t, err)
				defer listener.Close() // at the end: held meanwhile
			}
		}
	}
}

// A port that is taken on all addresses does not end the search.
func TestPlacesBesideAWildcard(t *testing.T) {
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	must(t, err)
	defer listener.Close()
	taken := netip.MustParseAddrPort(listener.Addr().String()).Port()
	places, err := choosePlaces(2, netip.Addr{}, taken, 7000)
	must(t, err)
	if places[0].port == taken || places[0] == places[1] {
		t.Errorf("got %v; port %d is taken", places, taken)
	}
	if _, err := choosePlaces(1, netip.MustParseAddr("127.0.0.1"), taken, 7000); err == nil || !strings.Contains(err.Error(), "end what listens there") {
		t.Errorf("on a given host: %v; want that it is in use", err)
	}
}

func TestValidate(t *testing.T) {
	must(t, DefaultCassandraConfig().Validate())
	must(t, DefaultKafkaConfig().Validate())
	for want, change := range map[string]func(*CassandraConfig){
		"Nodes":        func(c *CassandraConfig) { c.Nodes = 0 },
		"Host":         func(c *CassandraConfig) { c.Host = netip.MustParseAddr("0.0.0.0") },
		"Port":         func(c *CassandraConfig) { c.Port = 0 },
		"HeapMB":       func(c *CassandraConfig) { c.HeapMB = 10 },
		"StartTimeout": func(c *CassandraConfig) { c.StartTimeout = -time.Second },
		"TimerSlack":   func(c *CassandraConfig) { c.TimerSlack = -1 },
	} {
		config := DefaultCassandraConfig()
		change(&config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), want+" is ") {
			t.Errorf("a wrong %s: %v", want, err)
		}
	}
}

func TestLastLines(t *testing.T) {
	log := strings.Repeat("INFO before\n", 100) + "ERROR it is wrong\n\tat a.b.C.d(C.java:1)\n\tat a.b.C.e(C.java:2)\n\nCaused by: this\n"
	got := strings.Split(lastLines(log), "\n")
	if len(got) != lines || got[lines-2] != "ERROR it is wrong" || got[lines-1] != "Caused by: this" {
		t.Errorf("got %q", got)
	}
}
