package gossip

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

func TestValidate(t *testing.T) {
	good := DefaultConfig()
	good.Self, good.Identity = member("a"), identity
	if err := good.Validate(); err != nil {
		t.Errorf("the default is wrong: %v", err)
	}
	for want, change := range map[string]func(*Config){
		`"" can't name a node`:                   func(c *Config) { c.Self.Node = "" },
		"the cluster's name has 0 bytes":         func(c *Config) { c.Identity.Cluster = "" },
		"the cluster's name has 300 bytes":       func(c *Config) { c.Identity.Cluster = strings.Repeat("c", 300) },
		"protocol 3-2 is no range":               func(c *Config) { c.Self.Protocol = cluster.Protocol{Least: 3, Most: 2} },
		`bind address "10.0.0.1": want`:          func(c *Config) { c.Bind = "10.0.0.1" },
		`advertised address ":7946": want`:       func(c *Config) { c.Advertise = ":7946" },
		"key 2 has 3 bytes; AES takes":           func(c *Config) { c.Keys = [][]byte{key, []byte("abc")} },
		"ProbeInterval is 0s":                    func(c *Config) { c.Tuning.ProbeInterval = 0 },
		"RejoinFor is -1s":                       func(c *Config) { c.Tuning.RejoinFor = -time.Second },
		"GossipNodes is 0":                       func(c *Config) { c.Tuning.GossipNodes = 0 },
		"ProbeTimeout is 1s; it has to be below": func(c *Config) { c.Tuning.ProbeTimeout = time.Second },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if _, err := Start(t.Context(), c); err == nil {
			t.Errorf("it starts, though %s", want)
		}
	}
}

// A port that is taken is an error that says so, and leaves nothing behind.
func TestPortIsTaken(t *testing.T) {
	a := start(t, nil, "a")
	c := DefaultConfig()
	c.Self, c.Identity, c.Bind = member("b"), identity, a.Address()
	if _, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "can't listen at "+a.Address()+": address already in use") {
		t.Errorf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	named := start(t, nil, "a", func(c *Config) { c.Bind = "localhost:0" })
	if at := netip.MustParseAddrPort(named.Address()); !at.Addr().IsLoopback() || at.Port() == 0 {
		t.Errorf("localhost is %v", at)
	}
	elsewhere := start(t, nil, "b", func(c *Config) { c.Advertise = "192.0.2.1:5" })
	if got := elsewhere.Address(); got != "192.0.2.1:5" {
		t.Errorf("advertised %s", got)
	}
	if !elsewhere.isSelf(netip.MustParseAddrPort("192.0.2.1:5")) || !elsewhere.isSelf(elsewhere.bound) || elsewhere.isSelf(netip.MustParseAddrPort("192.0.2.1:6")) {
		t.Error("it does not know itself")
	}
	for address, want := range map[string]string{
		"10.0.0.1":       "10.0.0.1:7946",
		"10.0.0.1:5":     "10.0.0.1:5",
		"::1":            "[::1]:7946",
		"[::1]":          "[::1]:7946",
		"[::1]:5":        "[::1]:5",
		"::ffff:1.2.3.4": "1.2.3.4:7946",
	} {
		if got, err := named.lookup(t.Context(), address); err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: %v, %v; want %s", address, got, err, want)
		}
	}
}
