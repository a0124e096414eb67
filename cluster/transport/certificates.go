package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// Certificates are the files, in PEM, by which nodes know each other: the CA that has
// signed all their certificates, and the certificate and the key of this node. They
// are read again when one of them has changed, for the next connection; those that
// are there stay. A change that can't be used, as one that is not complete yet, is
// logged, and what was read before holds.
type Certificates struct {
	ca, cert, key string
	log           *slog.Logger

	mu     sync.Mutex
	stamps [3]stamp
	config *tls.Config
	failed string // the last failure that was logged
}

// stamp tells versions of a file apart.
type stamp struct {
	modified int64
	size     int64
	mode     fs.FileMode
}

// NewCertificates reads the files.
func NewCertificates(ca, cert, key string, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{ca: ca, cert: cert, key: key, log: log}
	stamps, err := c.stat()
	if err != nil {
		return nil, err
	}
	if c.config, err = c.read(); err != nil {
		return nil, err
	}
	c.stamps = stamps
	return c, nil
}

// Config returns the configuration for a connection, in either direction. It is to be
// cloned before it is changed.
func (c *Certificates) Config() (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps, err := c.stat() // before reading: what changes later is read again
	if err == nil && stamps == c.stamps {
		return c.config, nil
	}
	var config *tls.Config
	if err == nil {
		config, err = c.read()
	}
	if err != nil {
		if text := err.Error(); text != c.failed {
			c.failed = text
			c.log.Warn("certificates have changed and can't be used; the ones before hold", "err", err)
		}
		return c.config, nil
	}
	c.stamps, c.config, c.failed = stamps, config, ""
	c.log.Info("certificates were read anew", "cert", c.cert, "until", config.Certificates[0].Leaf.NotAfter)
	return config, nil
}

func (c *Certificates) stat() (stamps [3]stamp, _ error) {
	for i, name := range []string{c.ca, c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return stamps, fmt.Errorf("transport: certificates: %w", err)
		}
		stamps[i] = stamp{info.ModTime().UnixNano(), info.Size(), info.Mode()}
	}
	return stamps, nil
}

func (c *Certificates) read() (*tls.Config, error) {
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("transport: certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("transport: %s has no certificate in PEM", c.ca)
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("transport: %s with %s: %w", c.cert, c.key, err)
	}
	if pair.Leaf == nil {
		return nil, errors.New("transport: " + c.cert + " has no certificate of its own")
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		RootCAs:      pool,
	}, nil
}
