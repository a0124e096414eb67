package cassandra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// Config says where the store is and how it is reached.
type Config struct {
	// Hosts are some nodes of Cassandra, as host or host:port; the others are
	// found from them. All listen on the same port.
	Hosts []string
	// Keyspace is the store's.
	Keyspace string
	// LocalDC is the data center that this node is in; it is asked first. It
	// may be empty where there is only one.
	LocalDC string
	// Consistency is what the store is expected to have been created with; a
	// store that records another is not opened. Empty: whatever it records.
	Consistency Consistency
	// TLS secures connections.
	TLS TLS
	// Username and Password are for Cassandra's own authentication. The
	// password is never printed. With PasswordFile it is read from there when
	// the store is opened.
	Username     string
	Password     Secret
	PasswordFile string

	// Timeout is how long one request may take. 3 s: Cassandra itself gives up
	// after 2 s and then says why.
	Timeout time.Duration
	// ConnectTimeout is how long setting up a connection may take.
	ConnectTimeout time.Duration
	// WriteTimeout is how long an append is repeated, and how long a change of
	// ownership is asked after, before its outcome is called unknown. 30 s: who
	// waits has a deadline of his own, and giving up costs the shard its epoch.
	WriteTimeout time.Duration
	// Protocol is the version of the native protocol, 4 or 5.
	Protocol int
	// WriteCoalesce is how long a connection waits for further requests before
	// it writes to the network. 0: requests are frames already, which have been
	// collected.
	WriteCoalesce time.Duration
	// Connections is how many are held to each node of Cassandra.
	Connections int

	// Levels are the levels of formats that this program knows; the zero value
	// stands for persistence.KnownLevels. A store is created at the highest.
	Levels persistence.Levels

	// Logger gets what operators have to know of.
	Logger *slog.Logger
	// Listener is told what happens.
	Listener Listener
	// Dialer, if set, makes the connections.
	Dialer Dialer
}

// Dialer makes connections, as a net.Dialer does.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Listener is a set of functions that are told what a store does. Any may be nil;
// none may block.
type Listener struct {
	// Repeated: a write had no answer, or a bad one, and will be sent again.
	Repeated func(table string, err error)
}

// TLS says how connections are secured. Hosts have to prove their names.
type TLS struct {
	// Enabled is implied by any of the others.
	Enabled bool
	// CA is a file with the certificates to trust, in PEM; empty: the
	// system's.
	CA string
	// Cert and Key are files with this node's certificate and its key.
	Cert, Key string
	// ServerName is the name that the hosts' certificates are for; empty: each
	// host's address.
	ServerName string
}

func (t TLS) on() bool { return t != TLS{} }

// Secret is a string that is not printed.
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// DefaultConfig returns the configuration of a store in a keyspace of one's own
// machine.
func DefaultConfig() Config {
	return Config{
		Hosts:          []string{"127.0.0.1"},
		Keyspace:       "mesonet",
		Timeout:        3 * time.Second,
		ConnectTimeout: 5 * time.Second,
		WriteTimeout:   30 * time.Second,
		Protocol:       4,
		Connections:    2,
		Logger:         slog.Default(),
	}
}

var keyspaceName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	if len(c.Hosts) == 0 {
		return errors.New("cassandra: no host is given")
	}
	for _, h := range c.Hosts {
		if err := validHost(h); err != nil {
			return err
		}
	}
	if err := validKeyspace(c.Keyspace); err != nil {
		return err
	}
	switch {
	case c.Consistency != "" && c.Consistency.validate() != nil:
		return c.Consistency.validate()
	case (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return errors.New("cassandra: a certificate and its key go together: give both or neither")
	case c.Username == "" && (c.Password != "" || c.PasswordFile != ""):
		return errors.New("cassandra: there is a password and no username")
	case c.Password != "" && c.PasswordFile != "":
		return errors.New("cassandra: the password is given both by itself and in a file; give one")
	case c.Timeout <= 0 || c.ConnectTimeout <= 0 || c.WriteTimeout <= 0:
		return fmt.Errorf("cassandra: timeouts of %s for a request, %s for connecting and %s for a write must be above 0",
			c.Timeout, c.ConnectTimeout, c.WriteTimeout)
	case c.WriteTimeout < c.Timeout:
		return fmt.Errorf("cassandra: a write is given up after %s, before the first request for it is, after %s", c.WriteTimeout, c.Timeout)
	case c.Protocol != 4 && c.Protocol != 5:
		return fmt.Errorf("cassandra: version %d of the protocol is not spoken, 4 and 5 are", c.Protocol)
	case c.WriteCoalesce < 0 || c.WriteCoalesce > 100*time.Millisecond:
		return fmt.Errorf("cassandra: collecting requests for %s is outside of 0 to 100ms", c.WriteCoalesce)
	case c.Levels.OrKnown().Validate() != nil:
		return c.Levels.OrKnown().Validate()
	case c.Connections < 1 || c.Connections > 64:
		return fmt.Errorf("cassandra: %d connections a host are outside of 1 to 64", c.Connections)
	}
	return nil
}

func validHost(h string) error {
	host, port, err := net.SplitHostPort(h)
	if err != nil {
		host, port = h, ""
	}
	if host == "" || (err == nil && port == "") {
		return fmt.Errorf("cassandra: %q is no host; give host or host:port", h)
	}
	return nil
}

func validKeyspace(name string) error {
	if !keyspaceName.MatchString(name) {
		return fmt.Errorf("cassandra: %q is no name for a keyspace: up to 48 lower-case letters, digits and _, a letter first", name)
	}
	return nil
}

// LogValue is the URL, which has no password.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
