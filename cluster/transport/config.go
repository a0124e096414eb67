package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// Config of a transport. DefaultConfig has all but Identity, Node, Protocol, Socket
// and TLS.
type Config struct {
	// Identity is what this node has in common with all it speaks to.
	Identity cluster.Identity
	// Node is this node's id.
	Node persistence.NodeID
	// Protocol is what it speaks.
	Protocol cluster.Protocol

	// Socket is where other nodes reach this one. The transport closes it.
	Socket net.Listener
	// TLS returns the configuration of the next connection, in either direction: see
	// Certificates. Servers ask each client for a certificate of ClientCAs, clients
	// each server for one of RootCAs, and neither speaks less than TLS 1.3, whatever
	// it says. Nil is plaintext: whether that may be is for the caller to decide.
	TLS func() (*tls.Config, error)
	// CheckNames asks of a certificate that it names its node: the node's id is among
	// its DNS names. Otherwise whoever has a certificate of the CA can be any node,
	// and names in certificates mean nothing, but for a ServerName in TLS.
	CheckNames bool

	// ConnectTimeout is how long it may take to reach a node and to agree with it.
	// 1 s: requests wait meanwhile, and a lost packet costs 1 s at least.
	ConnectTimeout time.Duration
	// MinRetry and MaxRetry are how long requests wait after a connection has ended or
	// failed before the next attempt: the first at first, then twice as long each
	// time. 10 ms and 80 ms: a node that has come back is reached before anybody
	// notices, and an attempt costs less than a millisecond.
	MinRetry, MaxRetry time.Duration
	// RefusedRetry is the same after this node was refused, or has refused the other.
	// Requests fail at once meanwhile. 1 s: somebody has to change a setting first.
	RefusedRetry time.Duration
	// HelloTimeout is how long a server waits for who connects to say who it is. 3 s:
	// strangers keep a connection for no longer.
	HelloTimeout time.Duration

	// Heartbeat is how often a node gives a sign of life where it has nothing to say.
	Heartbeat time.Duration
	// Silence is how long nothing at all may come from a node before the connection
	// is given up. It is counted in heartbeats of this node, so that one that stood
	// still itself does not blame the others. 1 s, five heartbeats.
	Silence time.Duration

	// BatchBytes is how much is written at once, at most 1 MiB. 64 KiB: more is no
	// faster, and a question waits behind what is being written.
	BatchBytes int
	// MaxMessage is the longest request or reply in bytes that is sent or taken. 16
	// MiB, which is the most that a store takes in a row.
	MaxMessage int
	// MaxQueued is how many bytes of each lane may wait to be written to a node; a
	// request counts its body and 64 bytes, and one alone is always taken. 16 MiB.
	MaxQueued int
	// MaxRequests and MaxUnanswered are how many requests of each lane this node takes
	// from another before it has answered, and of how many bytes; more wait over
	// there. The first is also how many of its own may be under way to a node. 65,536
	// and 16 MiB: a lane is a load of small messages, or a few large ones.
	MaxRequests, MaxUnanswered int
	// Window is how many bytes grpc-go reads ahead of what is taken from it, for each
	// connection. 1 MiB: 10 Gbit/s over 0.8 ms, 1 Gbit/s over 8 ms.
	Window int

	// Logger gets what operators have to know of.
	Logger *slog.Logger
	// Listener is told what happens.
	Listener Listener
}

// DefaultConfig returns the defaults for a node that others reach at socket.
func DefaultConfig(identity cluster.Identity, node persistence.NodeID, protocol cluster.Protocol, socket net.Listener) Config {
	return Config{
		Identity: identity, Node: node, Protocol: protocol, Socket: socket,
		ConnectTimeout: time.Second,
		MinRetry:       10 * time.Millisecond,
		MaxRetry:       80 * time.Millisecond,
		RefusedRetry:   time.Second,
		HelloTimeout:   3 * time.Second,
		Heartbeat:      200 * time.Millisecond,
		Silence:        time.Second,
		BatchBytes:     64 << 10,
		MaxMessage:     16 << 20,
		MaxQueued:      16 << 20,
		MaxRequests:    1 << 16,
		MaxUnanswered:  16 << 20,
		Window:         1 << 20,
		Logger:         slog.Default(),
	}
}

// Validate returns what is wrong with the configuration, all at once.
func (c Config) Validate() error {
	var wrong []error
	say := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf("transport: "+format, args...))
		}
	}
	if err := cluster.CheckNode(c.Node); err != nil {
		wrong = append(wrong, err)
	}
	say(c.Identity.Cluster == "" || len(c.Identity.Cluster) > maxName, "the cluster's name has 1 to %d bytes, not %d", maxName, len(c.Identity.Cluster))
	say(len(c.Identity.Store) > maxName, "the store's id has at most %d bytes, not %d", maxName, len(c.Identity.Store))
	say(c.Protocol.Least == 0 || c.Protocol.Most < c.Protocol.Least, "%s is no range of protocol versions", c.Protocol)
	say(c.Socket == nil, "a Socket is needed")
	say(c.CheckNames && c.TLS == nil, "CheckNames needs certificates, and TLS is not set")
	for _, d := range []struct {
		name string
		of   time.Duration
	}{
		{"ConnectTimeout", c.ConnectTimeout},
		{"MinRetry", c.MinRetry},
		{"RefusedRetry", c.RefusedRetry},
		{"HelloTimeout", c.HelloTimeout},
		{"Heartbeat", c.Heartbeat},
	} {
		say(d.of <= 0, "%s is %v, and has to be above 0", d.name, d.of)
	}
	say(c.MaxRetry < c.MinRetry, "MaxRetry is %v, below MinRetry, %v", c.MaxRetry, c.MinRetry)
	say(c.Silence < 2*c.Heartbeat, "Silence is %v, and has to be two Heartbeats of %v at least", c.Silence, c.Heartbeat)
	say(c.BatchBytes < 1<<10 || c.BatchBytes > maxBatch-maxHeader, "BatchBytes is %d, and has to be 1,024 to %d", c.BatchBytes, maxBatch-maxHeader)
	say(c.MaxMessage < 1 || c.MaxMessage > 1<<30, "MaxMessage is %d, and has to be 1 to %d", c.MaxMessage, 1<<30)
	say(c.MaxQueued < 1, "MaxQueued is %d, and has to be above 0", c.MaxQueued)
	say(c.MaxRequests < 1 || c.MaxRequests > 1<<24, "MaxRequests is %d, and has to be 1 to %d", c.MaxRequests, 1<<24)
	say(c.MaxUnanswered < 1, "MaxUnanswered is %d, and has to be above 0", c.MaxUnanswered)
	say(c.Window < 1<<16 || c.Window > 1<<30, "Window is %d, and has to be %d to %d", c.Window, 1<<16, 1<<30)
	say(c.Logger == nil, "a Logger is needed")
	return errors.Join(wrong...)
}

// maxName is the longest name of a cluster or a store, in bytes.
const maxName = 256

// Listener is a set of functions that are told what a transport does. Any may be nil;
// none may block. They are called from many goroutines.
type Listener struct {
	// Connected: requests can be sent, or will be received.
	Connected func(c Connection)
	// Broken: a connection that was connected has ended.
	Broken func(c Connection, err error)
	// Refused: somebody was refused, or this node was.
	Refused func(reason Reason, err error)
	// Malformed: something came that is not the protocol, and its connection is
	// closed.
	Malformed func(remote string, err error)
	// Sent: a batch of so many messages, counted where they end, was given to grpc-go.
	Sent func(messages, bytes int)
	// Received is the same at the other end.
	Received func(messages, bytes int)
	// Full: a request was turned away, as too much waits for the node.
	Full func(to cluster.Peer)
}

// Connection is a stream between two nodes.
type Connection struct {
	// Node is the other.
	Node persistence.NodeID
	// Address is the one that was dialed, or that it has dialed from.
	Address string
	// Inbound: the other asks, and this node answers.
	Inbound bool
	// Process is random, and another one after each start of the other node.
	Process [16]byte
	// Protocol is the version that both speak.
	Protocol uint32
}

// Reason why a node is refused.
type Reason string

// Reasons for Listener.Refused.
const (
	// ReasonIdentity: another cluster, store or number of shards.
	ReasonIdentity Reason = "identity"
	// ReasonProtocol: no version that both speak.
	ReasonProtocol Reason = "protocol"
	// ReasonNode: another node than was asked for, or one with this node's id.
	ReasonNode Reason = "node"
	// ReasonCertificate: none, not of the CA, expired, or of another node.
	ReasonCertificate Reason = "certificate"
	// ReasonRemote: the other node has refused this one; the error has its words.
	ReasonRemote Reason = "remote"
)
