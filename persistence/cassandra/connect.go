package cassandra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// connection is a session with the cluster, before anything is known of a store.
type connection struct {
	*gocql.Session
	cfg    Config
	dcs    []string // that were seen, sorted
	policy *policy
	hosts  *hosts
}

// connect opens a session. The driver repeats nothing and stamps nothing by
// itself: what may be repeated, and at which position, is for the store to say.
func connect(ctx context.Context, cfg Config) (*connection, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cluster, err := cfg.cluster()
	if err != nil {
		return nil, err
	}
	h := newHosts(cfg.logger())
	cluster.Metadata.HostListener.HostStateChangeListener = h
	p := newPolicy(cfg.LocalDC, h)
	cluster.PoolConfig.HostSelectionPolicy = p
	dialer := &openingDialer{dialer: cluster.Dialer, timeout: cfg.ConnectTimeout}
	dialer.opening.Store(&ctx)
	cluster.Dialer = dialer
	session, err := cluster.CreateSession()
	dialer.opening.Store(nil)
	if err != nil {
		return nil, cfg.unreachable(ctx, err)
	}
	c := &connection{Session: session, cfg: cfg, policy: p, hosts: h}
	if err := c.seeDataCenters(); err != nil {
		session.Close()
		return nil, err
	}
	return c, nil
}

// cluster returns the driver's configuration.
func (c Config) cluster() (*gocql.ClusterConfig, error) {
	hosts, port := c.addresses()
	cluster := gocql.NewCluster(hosts...)
	cluster.Port = port
	cluster.ProtoVersion = c.Protocol
	cluster.Timeout, cluster.ConnectTimeout = c.Timeout, c.ConnectTimeout
	cluster.WriteCoalesceWaitTime = c.WriteCoalesce
	cluster.NumConns = c.Connections
	cluster.DefaultTimestamp = false // every plain statement says its own
	cluster.RetryPolicy = nil
	cluster.ReconnectInterval = time.Second
	cluster.ReconnectionPolicy = &gocql.ExponentialReconnectionPolicy{
		MaxRetries: 5, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second,
	}
	cluster.MaxWaitSchemaAgreement = 30 * time.Second
	cluster.Metadata.CacheMode = gocql.KeyspaceOnly // replicas, for routing
	cluster.Logger = driverLog{c.logger()}
	cluster.Dialer = c.Dialer
	if c.Dialer == nil {
		cluster.Dialer = &net.Dialer{KeepAlive: 15 * time.Second}
	}
	if c.Username != "" {
		password, err := c.password()
		if err != nil {
			return nil, err
		}
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: c.Username, Password: password}
	}
	if c.TLS.on() {
		t, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		cluster.SslOpts = &gocql.SslOptions{Config: t, EnableHostVerification: true}
	}
	return cluster, nil
}

// addresses returns the hosts, and the port that those without one have, and that
// hosts which are found have.
func (c Config) addresses() (hosts []string, port int) {
	port = 9042
	for _, h := range c.Hosts {
		if _, p, err := net.SplitHostPort(h); err == nil {
			if n, err := strconv.Atoi(p); err == nil {
				port = n
				break
			}
		}
	}
	return slices.Clone(c.Hosts), port
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return string(c.Password), nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("cassandra: the password of %q: %w", c.Username, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("cassandra: the certificates to trust: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cassandra: %s has no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cassandra: this node's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// unreachable says why there is no session. The driver gives texts, no types.
func (c Config) unreachable(ctx context.Context, err error) error {
	hosts := strings.Join(c.Hosts, ", ")
	text := err.Error()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("cassandra: connecting to %s: %w", hosts, ctx.Err())
	case strings.Contains(text, "Provided username"), strings.Contains(text, "password"), strings.Contains(text, "incorrect"):
		return fmt.Errorf("cassandra: %s refused the user %q: %w; check the username, and the password in %s or password_file", hosts, c.Username, err, PasswordVariable)
	case strings.Contains(text, "authentication required"), strings.Contains(text, "no authenticator"):
		return fmt.Errorf("cassandra: %s asks for a user, and none is given: %w; name one as %s://USER@…, its password in %s", hosts, err, Scheme, PasswordVariable)
	case strings.Contains(text, "x509"), strings.Contains(text, "tls:"):
		return fmt.Errorf("cassandra: no secure connection to %s: %w; check ca=, cert=, key= and server_name=", hosts, err)
	case c.TLS.on() && strings.Contains(text, "no response to connection startup"):
		// A server that misses a certificate says so after the handshake, by when the
		// driver may have seen no more than the end of the connection.
		return fmt.Errorf("cassandra: no secure connection to %s: %w; is Cassandra up, and does it ask for a certificate (cert=, key=)?", hosts, err)
	case c.TLS.on() && strings.Contains(text, "EOF"):
		return fmt.Errorf("cassandra: no secure connection to %s: %w; does Cassandra listen with TLS there?", hosts, err)
	}
	return fmt.Errorf("cassandra: none of %s can be reached: %w; is Cassandra running, and does it listen for CQL there?", hosts, err)
}

// seeDataCenters looks where the hosts are.
func (c *connection) seeDataCenters() error {
	for _, h := range c.GetHosts() {
		if dc := h.DataCenter(); dc != "" && !slices.Contains(c.dcs, dc) {
			c.dcs = append(c.dcs, dc)
		}
	}
	slices.Sort(c.dcs)
	seen := strings.Join(c.dcs, ", ")
	switch {
	case c.cfg.LocalDC == "" && len(c.dcs) == 1:
		c.cfg.LocalDC = c.dcs[0]
		c.policy.dc = c.dcs[0]
	case c.cfg.LocalDC == "":
		return fmt.Errorf("cassandra: the cluster has the data centers %s: say with dc= in which one this node is", seen)
	case !slices.Contains(c.dcs, c.cfg.LocalDC):
		return fmt.Errorf("cassandra: there is no data center %q in the cluster, which has %s: correct dc=", c.cfg.LocalDC, seen)
	}
	return nil
}

// policy prefers the replicas of the local data center, and of a partition always
// the same, so that its transactions meet at one coordinator, but for hosts that do
// not answer. Where the store's home is there, it takes no other host: a coordinator
// elsewhere would take LOCAL_QUORUM for a quorum of its own.
type policy struct {
	gocql.HostSelectionPolicy
	dc    string
	home  atomic.Bool
	hosts *hosts
}

func newPolicy(dc string, h *hosts) *policy {
	var fallback gocql.HostSelectionPolicy
	if dc == "" {
		fallback = gocql.RoundRobinHostPolicy()
	} else {
		fallback = gocql.DCAwareRoundRobinPolicy(dc)
	}
	return &policy{HostSelectionPolicy: gocql.TokenAwareHostPolicy(fallback, gocql.DoNotShuffleReplicas()), dc: dc, hosts: h}
}

// Pick returns the hosts to ask, in their order.
func (p *policy) Pick(q gocql.ExecutableStatement) gocql.NextHost {
	next := p.hosts.last(p.HostSelectionPolicy.Pick(q))
	if !p.home.Load() {
		return next
	}
	return func() gocql.SelectedHost {
		for {
			h := next()
			if h == nil || h.Info() == nil || h.Info().DataCenter() == p.dc {
				return h
			}
		}
	}
}

// openingDialer lets a context end the dialing for a session that is being
// opened: the driver takes none. It also bounds each dial, and the life of what leads
// nowhere any more.
type openingDialer struct {
	dialer  Dialer
	timeout time.Duration
	opening atomic.Pointer[context.Context]
}

// DialContext dials.
func (d *openingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if opening := d.opening.Load(); opening != nil {
		if err := (*opening).Err(); err != nil {
			return nil, err
		}
		defer context.AfterFunc(*opening, cancel)()
	}
	conn, err := d.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := endLost(conn, lostAfter); err != nil {
		_ = conn.Close() // nothing was sent
		return nil, fmt.Errorf("cassandra: a connection to %s: %w", address, err)
	}
	return conn, nil
}

// lostAfter is how long nothing that was sent may be acknowledged by the other's kernel.
// 10 s: more than a network takes to find another way, and not long to wait when it has.
const lostAfter = 10 * time.Second

var errNoHost = errors.New("no host is connected")

// explain makes an error of the driver one that says what it was about.
func explain(what, keyspace, table string, host *gocql.HostInfo, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, gocql.ErrNoConnections) {
		err = fmt.Errorf("%w: %w", errNoHost, err)
	}
	at := ""
	if host != nil {
		at = " at " + host.ConnectAddressAndPort()
	}
	return fmt.Errorf("cassandra: %s %s.%s%s: %w", what, keyspace, table, at, err)
}
