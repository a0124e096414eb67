package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = sign(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

func sign(t *testing.T, by *authority, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// files are those of a node, in a folder of their own.
type files struct{ ca, cert, key string }

// issue writes the files of a node that is called so, valid until then, and trusts ca.
func (a *authority) issue(t *testing.T, dir, name string, until time.Time, ca *authority) files {
	t.Helper()
	cert, key := sign(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := files{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	write(t, f.ca, "CERTIFICATE", ca.cert.Raw)
	write(t, f.cert, "CERTIFICATE", cert.Raw)
	write(t, f.key, "EC PRIVATE KEY", der)
	return f
}

func write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secure has a node use the files.
func (f files) secure(t *testing.T) func(*Config) {
	t.Helper()
	certs, err := NewCertificates(f.ca, f.cert, f.key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.TLS = certs.Config }
}

func later() time.Time { return time.Now().Add(time.Hour) }

// Who has no certificate, one of another CA, one that has expired, or no TLS at all, is
// refused, and both sides say why. So is a server with such a one.
// Seen to fail when serverTLS does not ask for a certificate, when it takes any, when
// clientTLS does not verify the server's, and, under the race detector, half of the
// time when linger does not wait.
func TestCertificates(t *testing.T) {
	ca, other := newAuthority(t, "ours"), newAuthority(t, "theirs")
	good := func(name string) func(*Config) {
		return ca.issue(t, t.TempDir(), name, later(), ca).secure(t)
	}
	none := func(c *Config) {
		good("a")(c)
		with := c.TLS
		c.TLS = func() (*tls.Config, error) {
			cfg, err := with()
			cfg = cfg.Clone()
			cfg.Certificates = nil
			return cfg, err
		}
	}
	for _, test := range []struct {
		name   string
		a, b   func(*Config)
		says   string // to the client
		reason Reason // on both sides; "" where it is malformed, or nobody's business
	}{
		{"none", none, good("b"), "certificate required", ReasonCertificate},
		{"another CA", other.issue(t, t.TempDir(), "a", later(), ca).secure(t), good("b"), "unknown certificate authority", ReasonCertificate},
		{"expired", ca.issue(t, t.TempDir(), "a", time.Now().Add(-time.Second), ca).secure(t), good("b"), "expired certificate", ReasonCertificate},
		{"a server of another CA", good("a"), other.issue(t, t.TempDir(), "b", later(), ca).secure(t), "signed by unknown authority", ReasonCertificate},
		{"a server that has expired", good("a"), ca.issue(t, t.TempDir(), "b", time.Now().Add(-time.Second), ca).secure(t), "has expired", ReasonCertificate},
		{"plaintext to TLS", nil, good("b"), "", ""},
		{"TLS to plaintext", good("a"), nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := hold()
			a, b := start(t, "a", echo, test.a), start(t, "b", h.handle, test.b)
			_, err := a.ask(b.peer(), "hello")
			is(t, err, []error{cluster.ErrUnsent}, test.says)
			if test.reason == "" {
				await(t, b.malformed, "that it is no protocol")
			} else {
				is(t, err, []error{cluster.ErrStranger})
				for _, n := range []*node{a, b} {
					if r := next(t, n.refused, "the refusal"); r.reason != test.reason {
						t.Errorf("%s: %s, %v", n.id, r.reason, r.err)
					}
					eventually(t, "the log says so", func() bool { return strings.Contains(n.log.String(), "certificate") })
				}
			}
			if len(h.come) > 0 || len(b.connected) > 0 {
				t.Error("it came in")
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		a, b := start(t, "a", echo, good("a")), start(t, "b", echo, good("b"))
		a.must(b.peer(), "hello")
		b.must(a.peer(), "hello")
	})
}

// A certificate of the CA is any node's, unless names are checked.
// Seen to fail without checkName, in the client and in the server.
func TestNames(t *testing.T) {
	ca := newAuthority(t, "ours")
	of := func(name string, check bool) func(*Config) {
		secure := ca.issue(t, t.TempDir(), name, later(), ca).secure(t)
		return func(c *Config) {
			secure(c)
			c.CheckNames = check
		}
	}
	for _, test := range []struct {
		name         string
		a, b         func(*Config)
		client, says string
	}{
		{"not checked", of("x", false), of("y", false), "", ""},
		{"right", of("a", true), of("b", true), "", ""},
		{"the client's", of("x", true), of("b", true), "server", `for ["x"], not for node "a"`},
		{"the server's", of("a", true), of("x", true), "client", `for ["x"], not for node "b"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := start(t, "a", echo, test.a), start(t, "b", echo, test.b)
			_, err := a.ask(b.peer(), "hello")
			if test.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			is(t, err, []error{cluster.ErrUnsent, cluster.ErrStranger}, test.says)
			await(t, a.refused, "the refusal")
			await(t, b.refused, "the refusal")
		})
	}
}

// Nothing below TLS 1.3, whatever the configuration says.
func TestOldTLS(t *testing.T) {
	ca := newAuthority(t, "ours")
	secure := ca.issue(t, t.TempDir(), "b", later(), ca).secure(t)
	var cfg Config
	secure(&cfg)
	b := start(t, "b", echo, func(c *Config) {
		c.TLS = func() (*tls.Config, error) {
			own, err := cfg.TLS()
			own = own.Clone()
			own.MinVersion = tls.VersionTLS10
			return own, err
		}
	})
	own, _ := cfg.TLS()
	own = own.Clone()
	own.MinVersion, own.MaxVersion, own.ServerName = tls.VersionTLS12, tls.VersionTLS12, "b"
	conn, err := (&tls.Dialer{Config: own, NetDialer: &net.Dialer{}}).DialContext(t.Context(), "tcp", b.Address())
	if err == nil {
		conn.Close()
		t.Error("a connection with TLS 1.2")
	}
}

// Files that change are read anew for the next connection; what can't be used leaves
// the ones before, and says so once.
// Seen to fail when Config returns what was read first, and when it returns an error.
func TestCertificatesAreReadAgain(t *testing.T) {
	ca, fresh := newAuthority(t, "ours"), newAuthority(t, "next")
	dirA, dirB := t.TempDir(), t.TempDir()
	fa, fb := ca.issue(t, dirA, "a", later(), ca), ca.issue(t, dirB, "b", later(), ca)
	log := &logged{}
	certs, err := NewCertificates(fa.ca, fa.cert, fa.key, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, "a", echo, func(c *Config) { c.TLS = certs.Config })
	b := start(t, "b", echo, fb.secure(t))
	anew := func() error {
		a.Keep(nil)
		_, err := a.ask(b.peer(), "hello")
		return err
	}
	if err := anew(); err != nil {
		t.Fatal(err)
	}
	fresh.issue(t, dirB, "b", later(), fresh)
	is(t, anew(), []error{cluster.ErrStranger}, "certificate")
	fresh.issue(t, dirA, "a", later(), fresh)
	if err := anew(); err != nil {
		t.Fatalf("both nodes have new certificates: %v", err)
	}
	if err := os.WriteFile(fa.cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := anew(); err != nil {
			t.Fatalf("the certificate before should hold: %v", err)
		}
	}
	if n := strings.Count(log.String(), "can't be used"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
	if _, err := NewCertificates(fa.ca, fa.cert, fa.key, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a new node takes half a certificate")
	}
	if _, err := NewCertificates(fa.ca+"x", fa.cert, fa.key, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a new node takes no CA")
	}
}
