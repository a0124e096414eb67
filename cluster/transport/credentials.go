package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"

	"github.com/mesonet/mesonet/persistence"
)

// A meter is a connection that counts what comes in: that is the sign of life of the
// other node, also while a long message is not complete.
type meter struct {
	net.Conn
	read  atomic.Uint64 // bytes
	since instant       // it was accepted
	// greeted: who has dialed speaks gRPC, at least.
	greeted atomic.Bool
	// alert is what the other said of this node's certificate, in TLS 1.3 only after
	// the client believes to be connected.
	alert  atomic.Pointer[error]
	closed sync.Once
	ended  func()
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if n > 0 {
		m.read.Add(uint64(n))
	}
	var op *net.OpError
	if err != nil && errors.As(err, &op) && op.Op == "remote error" {
		m.alert.Store(&err)
	}
	return n, err
}

// Close may be called more than once.
func (m *meter) Close() error {
	err := net.ErrClosed
	m.closed.Do(func() {
		err = m.Conn.Close()
		m.ended()
	})
	return err
}

// authInfo is what grpc-go hands on of how a connection was made.
type authInfo struct {
	credentials.CommonAuthInfo
	meter *meter
	leaf  *x509.Certificate // the other's; nil in plaintext
}

// AuthType is for grpc-go.
func (a authInfo) AuthType() string {
	if a.leaf == nil {
		return "plaintext"
	}
	return "tls"
}

func newAuthInfo(m *meter, info credentials.AuthInfo) authInfo {
	a := authInfo{meter: m}
	a.SecurityLevel = credentials.NoSecurity
	if t, ok := info.(credentials.TLSInfo); ok {
		a.SecurityLevel = credentials.PrivacyAndIntegrity
		if c := t.State.PeerCertificates; len(c) > 0 {
			a.leaf = c[0]
		}
	}
	return a
}

// handshake is the part of credentials.TransportCredentials that is not needed.
type handshake struct{ secure bool }

// Info is for grpc-go.
func (h handshake) Info() credentials.ProtocolInfo {
	if h.secure {
		return credentials.ProtocolInfo{SecurityProtocol: "tls"}
	}
	return credentials.ProtocolInfo{SecurityProtocol: "insecure"}
}

// OverrideServerName does nothing: names are those of certificates.
func (handshake) OverrideServerName(string) error { return nil }

// dialing are the credentials of one attempt to connect.
type dialing struct {
	handshake
	tls   *tls.Config // nil is plaintext
	tried atomic.Bool
	made  atomic.Pointer[meter]
	wrong atomic.Pointer[error] // why the handshake failed
}

func (d *dialing) Clone() credentials.TransportCredentials { return d } // grpc-go clones once, for a connection of its own

func (d *dialing) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("transport: credentials of a client")
}

func (d *dialing) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if d.tried.Swap(true) {
		return nil, nil, errors.New("transport: a second attempt") // what came of the first is what matters
	}
	m := &meter{Conn: conn, ended: func() {}}
	var info credentials.AuthInfo
	if d.tls != nil {
		secure, i, err := credentials.NewTLS(d.tls).ClientHandshake(ctx, authority, conn)
		if err != nil {
			d.wrong.Store(&err)
			return nil, nil, err
		}
		m.Conn, info = secure, i
	}
	d.made.Store(m)
	return m, newAuthInfo(m, info), nil
}

// refusedBy returns what was wrong with a certificate, of either side; nil if nothing.
func (d *dialing) refusedBy() error {
	if p := d.wrong.Load(); p != nil && isCertificate(*p) {
		return *p
	}
	if m := d.made.Load(); m != nil && d.tls != nil {
		if p := m.alert.Load(); p != nil {
			return *p
		}
	}
	return nil
}

// accepting are the credentials of the server.
type accepting struct {
	handshake
	t *Transport
}

func (a *accepting) Clone() credentials.TransportCredentials { return a }

func (a *accepting) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("transport: credentials of a server")
}

func (a *accepting) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if !a.t.accepted(conn) {
		return nil, nil, io.EOF
	}
	m := &meter{Conn: conn}
	m.ended = func() { a.t.ended(conn, m) }
	var info credentials.AuthInfo
	if a.t.cfg.TLS != nil {
		secure, i, err := a.secure(conn)
		if err != nil {
			a.t.failedHandshake(conn.RemoteAddr().String(), err)
			linger(conn)
			a.t.ended(conn, nil)
			return nil, nil, io.EOF // it is told already, and grpc-go keeps silent
		}
		m.Conn, info = secure, i
	}
	if !a.t.secured(conn, m) {
		return nil, nil, io.EOF
	}
	return m, newAuthInfo(m, info), nil
}

// linger waits until the other has read why it is refused. Closing while it still
// sends would have its system throw that away.
func linger(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok && c.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, lingerBytes) // at most until grpc.ConnectionTimeout
	}
}

// lingerBytes is more than a client sends before it hears of a refusal.
const lingerBytes = 1 << 16

// secure is what credentials.NewTLS does, which would close the connection at once
// where it fails.
func (a *accepting) secure(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	cfg, err := a.t.serverTLS()
	if err != nil {
		return nil, nil, err
	}
	c := tls.Server(conn, cfg)
	if err := c.Handshake(); err != nil { //nolint:noctx // the connection has a deadline, of grpc.ConnectionTimeout
		return nil, nil, err
	}
	return c, credentials.TLSInfo{State: c.ConnectionState()}, nil
}

// serverTLS returns the configuration of the next connection that comes in.
func (t *Transport) serverTLS() (*tls.Config, error) {
	cfg, err := t.cfg.TLS()
	if err != nil {
		return nil, err
	}
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS13)
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	cfg.NextProtos = []string{"h2"}
	cfg.SessionTicketsDisabled = true // each connection proves itself
	return cfg, nil
}

// clientTLS returns the configuration for the next connection to a node.
func (t *Transport) clientTLS(to persistence.NodeID) (*tls.Config, error) {
	if t.cfg.TLS == nil {
		return nil, nil //nolint:nilnil // plaintext
	}
	cfg, err := t.cfg.TLS()
	if err != nil {
		return nil, err
	}
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS13)
	if own := cfg.Certificates; cfg.GetClientCertificate == nil && len(own) > 0 {
		// Also where the server does not know its CA: it then says so, where crypto/tls
		// would show none.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own[0], nil }
	}
	named := cfg.ServerName != ""
	if !named {
		cfg.InsecureSkipVerify = true // what it leaves out, but for the name, verifyServer does
	}
	roots, also := cfg.RootCAs, cfg.VerifyConnection
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if !named {
			if err := verifyServer(s, roots, cfg); err != nil {
				return err
			}
		}
		if err := t.checkName(s.PeerCertificates[0], to); err != nil {
			return err
		}
		if also != nil {
			return also(s)
		}
		return nil
	}
	return cfg, nil
}

// verifyServer checks the chain of a server's certificate as crypto/tls does, but for
// the name in it: nodes go by their ids, and their addresses change.
func verifyServer(s tls.ConnectionState, roots *x509.CertPool, cfg *tls.Config) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	if cfg.Time != nil {
		opts.CurrentTime = cfg.Time()
	}
	for _, c := range s.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := s.PeerCertificates[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}

// checkName returns an error unless the certificate may be the node's.
func (t *Transport) checkName(leaf *x509.Certificate, node persistence.NodeID) error {
	if !t.cfg.CheckNames || leaf != nil && leaf.VerifyHostname(string(node)) == nil {
		return nil
	}
	var names []string
	if leaf != nil {
		names = leaf.DNSNames
	}
	return &nameError{fmt.Sprintf("the certificate is for %q, not for node %q; give each node one with its id among the DNS names", names, node)}
}

// nameError is a certificate that is another node's.
type nameError struct{ text string }

func (e *nameError) Error() string { return e.text }

// isCertificate reports whether a handshake failed for a certificate, and not for the
// network, or for what is no TLS at all.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var name *nameError
	var op *net.OpError
	switch {
	case errors.As(err, &verification), errors.As(err, &name):
		return true
	case errors.As(err, &op):
		return op.Op == "remote error"
	}
	// crypto/tls has no type for this one.
	return err != nil && err.Error() == "tls: client didn't provide a certificate"
}

// isNetwork reports whether a handshake failed for the connection.
func isNetwork(err error) bool {
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &n)
}
