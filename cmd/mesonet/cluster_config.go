package main

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/cluster/transport"
	"github.com/mesonet/mesonet/internal/config"
)

// clusterConfig returns how a node takes part in a cluster, but for what stands in
// files; nil when it stands alone.
func clusterConfig(c config.Cluster) *mesonet.Cluster {
	if c.Gossip == "" {
		return nil
	}
	m := mesonet.DefaultCluster()
	m.Gossip, m.Requests, m.Advertise, m.Join = c.Gossip, c.Requests, c.Advertise, c.Join
	m.Name, m.Zone, m.Weight, m.Version = c.Name, c.Zone, c.Weight, build().Version
	m.Plain = c.Plain
	if c.KeyFile != "" {
		m.GossipKeys = [][]byte{nil} // for Validate, until the file is read
	}
	if c.CA != "" && c.Cert != "" && c.Key != "" {
		m.TLS = func() (*tls.Config, error) { return nil, errors.New("the certificates are not read yet") }
	}
	return m
}

// secrets reads the keys and certificates of a node of a cluster.
func secrets(c config.Cluster, m *mesonet.Cluster, logger *slog.Logger) error {
	if m == nil {
		return nil
	}
	if c.KeyFile != "" {
		keys, err := gossipKeys(c.KeyFile)
		if err != nil {
			return err
		}
		m.GossipKeys = keys
	}
	if c.CA != "" || c.Cert != "" || c.Key != "" {
		if c.CA == "" || c.Cert == "" || c.Key == "" {
			return misuse("certificates of nodes are three files: cluster.ca, cluster.cert and cluster.key; give all of them")
		}
		certificates, err := transport.NewCertificates(c.CA, c.Cert, c.Key, logger)
		if err != nil {
			return fail(exitFailed, "the certificates of this node can't be used: %w", err)
		}
		m.TLS = certificates.Config
	}
	return nil
}

// gossipKeys reads keys of gossip: in base64, one a line.
func gossipKeys(file string) ([][]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fail(exitFailed, "the keys of gossip can't be read: %w", err)
	}
	var keys [][]byte
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if n := len(key); err != nil || n != 16 && n != 24 && n != 32 {
			return nil, fail(exitFailed, "key %d of %s is none of 16, 24 or 32 bytes in base64; make one with: openssl rand -base64 32", len(keys)+1, file)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fail(exitFailed, "%s has no key; make one with: openssl rand -base64 32", file)
	}
	return keys, nil
}
