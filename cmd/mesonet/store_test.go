package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mesonet/mesonet/internal/daemon"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// What a server stores of the quarantine is verified as what it stores of stations.
// Mutation seen to fail: verify not knowing the kind.
func TestVerifyQuarantine(t *testing.T) {
	cfg := daemon.DefaultConfig(t.TempDir())
	cfg.Listen, cfg.Admin, cfg.HTTP, cfg.Shards, cfg.Logger = "127.0.0.1:0", "", "", 2, slog.New(slog.DiscardHandler)
	node, err := daemon.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(node.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = mesonetv1.NewQuarantineServiceClient(conn).Quarantine(t.Context(), &mesonetv1.QuarantineRequest{
		Source: "ny.csv", Lines: []*mesonetv1.QuarantinedLine{{Line: 1, Text: []byte("?")}},
	})
	if err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := stop(context.WithoutCancel(t.Context()), node); err != nil {
		t.Fatal(err)
	}
	r := runArgs(t, "store", "verify", cfg.Dir, "-o", "json")
	if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, `"entities": 2,`) || !strings.Contains(r.stdout, `"compared": 4,`) {
		t.Errorf("verify ends with %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
