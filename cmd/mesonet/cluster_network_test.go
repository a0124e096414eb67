package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/servers/hosts"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// Ports of a node on a host of its own.
const (
	portOfAPI      = 7210
	portOfRequests = 7211
	portOfGossip   = 7212
	portOfStore    = 9042
)

// clusterNetwork is what the nodes have when each is on a host of its own.
//
// The store stays what the other tests of the package have, on a loopback address of
// this machine, since another would take ten seconds to come up: a host stands for it,
// with a relay of the test on it. So a node's connections to the store go through the
// router, and are cut as any other; what waits at the relay is what would wait in
// Cassandra's own sockets. The driver, which asks Cassandra for its address, goes on
// with the one that it was given.
//
// Clients ask as somebody does who sits before a host, by a relay to its loopback, the
// only place where a server listens for them. So also a node that is cut off from all
// others has to say what is true.
type clusterNetwork struct {
	*hosts.Network

	storeURL string
	store    *hosts.Host
	spare    *hosts.Host // on which no node runs
	secrets  []string    // flags
}

// nodeHost is where a node is. Relays ask for it while it changes.
type nodeHost struct{ atomic.Pointer[hosts.Host] }

// newClusterHosts is newClusterNodes with each node on a host of its own, and with keys
// and certificates, without which nodes refuse to listen there. The test is skipped
// where hosts can't be made.
func newClusterHosts(t *testing.T, seed uint64) *clusterNodes {
	t.Helper()
	network := serverstest.Network(t)
	c := newCluster(t, seed)
	c.on = &clusterNetwork{Network: network, secrets: newSecrets(t)}
	c.on.store, c.on.spare = c.newHost("store"), c.newHost("spare")
	c.relayStore()
	for _, n := range c.all {
		n.host = &nodeHost{}
		n.host.Store(c.newHost(n.id))
		n.addressed()
		n.relayAPI()
	}
	return c
}

func (c *clusterNodes) newHost(name string) *hosts.Host {
	c.t.Helper()
	h, err := c.on.NewHost(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// relayStore has the store's host lead to the store.
func (c *clusterNodes) relayStore() {
	c.t.Helper()
	u, err := url.Parse(c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	loopback := u.Host
	u.Host = fmt.Sprintf("%s:%d", c.on.store.Addr(), portOfStore)
	// Somewhat more than servers have by default, on a machine that does a lot beside.
	u.RawQuery = "timeout=5s&connect_timeout=10s"
	c.on.storeURL = u.String()
	l, err := c.on.store.Listen(c.t.Context(), "tcp", u.Host)
	if err != nil {
		c.t.Fatal(err)
	}
	c.on.Relay(l, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", loopback)
	})
}

// relayAPI has an address of this machine's loopback lead to the node's API, on
// whatever host it is.
func (n *clusterNode) relayAPI() {
	n.c.t.Helper()
	l, err := new(net.ListenConfig).Listen(n.c.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		n.c.t.Fatal(err)
	}
	n.listen = l.Addr().String()
	host := n.host
	n.c.on.Relay(l, func(ctx context.Context) (net.Conn, error) {
		return host.Load().DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", portOfAPI))
	})
}

// args are those of every node's process.
func (n *clusterNetwork) args() []string {
	return append([]string{"--store", n.storeURL, "--listen", fmt.Sprintf("127.0.0.1:%d", portOfAPI)}, n.secrets...)
}

// addressed takes the address of the node's host.
func (n *clusterNode) addressed() {
	addr := n.host.Load().Addr()
	n.gossip = fmt.Sprintf("%s:%d", addr, portOfGossip)
	n.requests = fmt.Sprintf("%s:%d", addr, portOfRequests)
}

// changeHosts has the node's next process on the spare host, and whatever runs where
// it is.
func (n *clusterNode) changeHosts() {
	n.c.on.spare = n.host.Swap(n.c.on.spare)
	n.addressed()
}

// readdress gives the node's host another address.
func (n *clusterNode) readdress() {
	n.c.t.Helper()
	if err := n.host.Load().Readdress(n.c.t.Context()); err != nil {
		n.c.t.Fatal(err)
	}
	n.addressed()
}

// cut cuts ways, until heal is called.
func (c *clusterNodes) cut(ways ...hosts.Way) (heal func()) {
	c.t.Helper()
	mend, err := c.on.Cut(c.t.Context(), ways...)
	if err != nil {
		c.t.Fatal(err)
	}
	return func() {
		c.t.Helper()
		if err := mend(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	}
}

// newSecrets makes the files with which nodes know each other, as docs/operations.md
// has them made, and returns the flags that name them. Names in certificates mean
// nothing, so one is enough.
func newSecrets(t *testing.T) (flags []string) {
	t.Helper()
	dir := t.TempDir()
	file := func(flag, name string, text []byte) {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag, name)
	}
	sign := func(template, parent *x509.Certificate, public ed25519.PublicKey, by ed25519.PrivateKey) []byte {
		template.SerialNumber = big.NewInt(time.Now().UnixNano())
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	public, authority, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	file("--cluster-ca", "ca.pem", sign(ca, ca, public, authority))
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	file("--cluster-cert", "node.pem", sign(node, ca, public, authority))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file("--cluster-key", "node.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	gossip := make([]byte, 32)
	_, _ = rand.Read(gossip) // never fails
	file("--cluster-key-file", "gossip.key", []byte(base64.StdEncoding.EncodeToString(gossip)+"\n"))
	return flags
}

// Start starts a command where the node is.
func (h *nodeHost) Start(cmd *exec.Cmd) error { return h.Load().Start(cmd) }

// DialContext connects from where the node is.
func (h *nodeHost) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return h.Load().DialContext(ctx, network, address)
}
