package main

import (
	"strings"
	"testing"
)

// Whether gossip may leave the machine is judged by all settings together: a key may
// stand behind the address, or in another place. Mutation seen to fail: cluster.gossip
// judged alone.
func TestConfigOfAClusterBeyondThisMachine(t *testing.T) {
	begin := []string{"config", "print", "--store", "cassandra://127.0.0.1/x", "--cluster-gossip", "0.0.0.0:7946", "--cluster-requests", "0.0.0.0:7947"}
	for _, safe := range [][]string{
		{"--cluster-plain"},
		{"--cluster-key-file", "gossip.key", "--cluster-ca", "ca.pem", "--cluster-cert", "node.pem", "--cluster-key", "node.key"},
	} {
		if got := runArgs(t, append(begin[:len(begin):len(begin)], safe...)...); got.code != exitOK {
			t.Errorf("with %v it ends with %d: %s", safe, got.code, got.stderr)
		}
	}
	for _, plain := range [][]string{nil, {"--cluster-key-file", "gossip.key"}} {
		if got := runArgs(t, append(begin[:len(begin):len(begin)], plain...)...); got.code != exitUsage || !strings.Contains(got.stderr, "would be plain at 0.0.0.0:794") {
			t.Errorf("with %v it ends with %d: %s", plain, got.code, got.stderr)
		}
	}
}
