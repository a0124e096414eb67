package client

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// DefaultPort is that of a server whose address names none.
const DefaultPort = "7210"

// Config says how to reach a server and how long to try. Begin with
// DefaultConfig.
type Config struct {
	// Addrs are host:port of one server, or of several that serve the same
	// data, as the nodes of a cluster do: all calls go to the first, until it is
	// away, then to the next, and so on.
	Addrs []string
	// Timeout bounds a call whose context has no deadline, with all of its
	// attempts and pauses: 30 s, in which a node restarts. A context that has a
	// deadline says for itself how long to try. Streams have no bound but their
	// context.
	Timeout time.Duration
	// AttemptTimeout bounds one attempt; 0 leaves it all the time there is.
	// 10 s, so that of the 30 s a server that has died without a word costs a
	// third.
	AttemptTimeout time.Duration
	// Retry says how often and when a call is tried again.
	Retry Retry
	// Linearizable makes questions wait for a check that began after they
	// arrived, where they don't say otherwise. Without, an answer is as new as
	// what this client has seen, and comes sooner.
	Linearizable bool
	// Silence is how long a server may leave what a Sink sent unacknowledged
	// before its stream counts as broken: 30 s, for a store under load.
	Silence time.Duration
	// UserAgent is what the server's log shows.
	UserAgent string
	// DialOptions are for whatever else gRPC can be told, such as credentials:
	// without any the connection is in plain text.
	DialOptions []grpc.DialOption
}

// Retry says how often and when a call is tried again. Which may be is decided
// by its outcome, as the package comment says.
type Retry struct {
	// Attempts is the most that are made in all; 0 leaves it to the time there
	// is, 1 never tries again.
	Attempts int
	// First is the pause before the second attempt, or where there are several
	// servers, before the first is asked again. It doubles with each up to Most, and each pause is between a half and the whole of that, at random, so
	// that clients that failed together don't come back together. 50 ms and 2 s: a
	// shard that moves is away for some 200 ms, a node that restarts for seconds.
	First, Most time.Duration
}

// DefaultConfig returns the configuration that the fields document, of a client
// of the servers at the addresses.
func DefaultConfig(addrs ...string) Config {
	return Config{
		Addrs:          addrs,
		Timeout:        30 * time.Second,
		AttemptTimeout: 10 * time.Second,
		Retry:          Retry{First: 50 * time.Millisecond, Most: 2 * time.Second},
		Silence:        30 * time.Second,
		UserAgent:      "mesonet-client",
	}
}

// Validate returns an error that names the first field that is wrong.
func (c Config) Validate() error {
	if len(c.Addrs) == 0 {
		return errors.New("client: config: Addrs has no address; write host:port, such as 127.0.0.1:" + DefaultPort)
	}
	for _, addr := range c.Addrs {
		if _, err := withPort(addr); err != nil {
			return err
		}
	}
	switch {
	case c.Timeout <= 0:
		return fmt.Errorf("client: config: Timeout is %v: above 0", c.Timeout)
	case c.AttemptTimeout < 0:
		return fmt.Errorf("client: config: AttemptTimeout is %v: not below 0", c.AttemptTimeout)
	case c.Retry.Attempts < 0:
		return fmt.Errorf("client: config: Retry.Attempts is %d: not below 0", c.Retry.Attempts)
	case c.Retry.First <= 0 || c.Retry.Most < c.Retry.First:
		return fmt.Errorf("client: config: Retry.First and Retry.Most are %v and %v: above 0, and not falling", c.Retry.First, c.Retry.Most)
	case c.Silence <= 0:
		return fmt.Errorf("client: config: Silence is %v: above 0", c.Silence)
	}
	return nil
}

// withPort returns the address with DefaultPort where it has none.
func withPort(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port, err = net.SplitHostPort(net.JoinHostPort(addr, DefaultPort))
	}
	if err != nil || addr == "" || port == "" || strings.ContainsAny(addr, "/ ") {
		return "", fmt.Errorf("client: the address %q is none; write host:port, such as 127.0.0.1:%s", addr, DefaultPort)
	}
	return net.JoinHostPort(host, port), nil
}
