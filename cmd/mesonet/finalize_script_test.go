package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/pebble"
)

// nextRelease is the command next FOLDER [by NODE] of scripts: it lets this release make
// a folder, starts a server of the next release on it, which knows one level more, puts
// its address into NEXT, and gives a shard to NODE. Beside it is a folder that the next
// release has made, finalized.
func nextRelease(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && (len(args) != 3 || args[1] != "by") {
		ts.Fatalf("usage: next FOLDER [by NODE]")
	}
	ctx := context.Background()
	made := ofNextRelease(ts.MkAbs(args[0]))
	made.Levels.Most--
	before, err := pebble.Open(ctx, made)
	ts.Check(err)
	ts.Check(before.Close())
	store, err := pebble.Open(ctx, ofNextRelease(ts.MkAbs(args[0])))
	ts.Check(err)
	cfg := daemon.DefaultConfig("")
	cfg.Listen, cfg.Admin, cfg.HTTP, cfg.Logger, cfg.Version = "127.0.0.1:0", "", "", slog.New(slog.DiscardHandler), "v2"
	next, err := daemon.Start(ctx, cfg.OnStore(store))
	if err != nil {
		ts.Fatalf("%v", errors.Join(err, store.Close()))
	}
	ts.Defer(func() {
		if err := errors.Join(stop(ctx, next), store.Close()); err != nil {
			fmt.Fprintln(os.Stderr, "the next release did not stop in order:", err)
		}
	})
	ts.Setenv("NEXT", next.Addr())
	if len(args) == 3 {
		ts.Check(takeShard(ctx, store, persistence.NodeID(args[2])))
	}

	finalized, err := pebble.Open(ctx, ofNextRelease(ts.MkAbs("finalized"))) // a new one is at its highest level
	ts.Check(err)
	ts.Check(finalized.Close())
}

func ofNextRelease(dir string) pebble.Config {
	cfg := pebble.DefaultConfig(dir)
	cfg.Levels.Most++
	cfg.Shards, cfg.Logger = 4, slog.New(slog.DiscardHandler)
	return cfg
}

// takeShard lets a node that nobody knows have a shard in which there is nothing.
func takeShard(ctx context.Context, store persistence.Store, node persistence.NodeID) error {
	own := store.Ownership()
	row, err := own.Shard(ctx, 3)
	if err != nil {
		return err
	}
	inc, err := own.Boot(ctx, node, "")
	if err != nil {
		return err
	}
	_, err = own.Claim(ctx, persistence.Claim{Shard: 3, Owner: node, Incarnation: inc, Seen: row, Seal: persistence.At(row.Epoch, 0)})
	return err
}
