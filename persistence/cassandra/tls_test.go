package cassandra

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesonet/mesonet/internal/servers"
	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

// Connections are secured in both directions: a server whose certificate is not
// that of its name, or of another authority, is not talked to, and one that wants
// a certificate gets it.
//
// Seen to fail with InsecureSkipVerify and without EnableHostVerification; either
// alone still verifies.
func TestTLS(t *testing.T) {
	t.Parallel()
	serverstest.Require(t)
	dir := t.TempDir()
	ca, other := newAuthority(t, dir, "ca"), newAuthority(t, dir, "other")
	keys, cert := ca.issue(t, "server", "db.example")
	clientKeys, clientCert := ca.issue(t, "client", "mesonet")
	config := servers.DefaultCassandraConfig()
	config.Settings = map[string]any{"client_encryption_options": map[string]any{
		"enabled": true, "optional": false, "require_client_auth": true,
		"ssl_context_factory": map[string]any{"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
		"keystore":            concat(t, dir, keys, cert), "truststore": ca.file,
	}}
	server, err := servers.StartCassandra(t.Context(), config)
	must(t, err)
	defer func() { must(t, server.Stop()) }()
	cfg := DefaultConfig()
	cfg.Hosts, cfg.Logger = server.Addresses(), slog.New(slog.DiscardHandler)
	good := TLS{CA: ca.file, Cert: clientCert, Key: clientKeys, ServerName: "db.example"}
	cfg.Timeout, cfg.ConnectTimeout = 20*time.Second, 30*time.Second // a busy machine is no store that is away
	cfg.TLS = good
	_, err = DefaultSchema(cfg.Keyspace).Apply(t.Context(), cfg)
	must(t, err)
	must(t, opens(t, cfg))

	cfg.TLS.ServerName = ""
	says(t, opens(t, cfg), "no secure connection", "server_name=")
	cfg.TLS = good
	cfg.TLS.CA = other.file
	says(t, opens(t, cfg), "no secure connection", "ca=")
	cfg.TLS = good
	cfg.TLS.Cert, cfg.TLS.Key = "", ""
	says(t, opens(t, cfg), "no secure connection", "cert=")
	cfg.TLS = TLS{}
	says(t, opens(t, cfg), "none of", "can be reached")
	cfg.TLS = TLS{CA: clientKeys}
	says(t, opens(t, cfg), "has no certificate in PEM")
}

type authority struct {
	dir, file string
	key       *ecdsa.PrivateKey
	cert      *x509.Certificate
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a := &authority{dir: dir, key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	a.file = a.write(t, name+".pem", a.cert, &key.PublicKey)
	return a
}

// issue returns the files of a key and of its certificate.
func (a *authority) issue(t *testing.T, name, host string) (keyFile, certFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	keyFile = filepath.Join(a.dir, name+".key")
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return keyFile, a.write(t, name+".crt", &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv6loopback},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey)
}

func (a *authority) write(t *testing.T, name string, cert *x509.Certificate, key *ecdsa.PublicKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key, a.key)
	must(t, err)
	file := filepath.Join(a.dir, name)
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return file
}

// concat returns a file of a key and its certificate, as the server takes them.
func concat(t *testing.T, dir string, files ...string) string {
	t.Helper()
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		all = append(all, b...)
	}
	file := filepath.Join(dir, "keystore.pem")
	must(t, os.WriteFile(file, all, 0o600))
	return file
}
