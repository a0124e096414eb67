package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/transfer"
)

// copied is what became of a copy.
type copied struct {
	transfer.Copied
	From       string `json:"from"`
	To         string `json:"to"`
	FromShards uint32 `json:"from_shards"`
	ToShards   uint32 `json:"to_shards"`
	Next       string `json:"next"`
}

func (c *copied) table(w io.Writer) {
	writeFields(w,
		[2]string{"from", fmt.Sprintf("store %s, %s", c.From, counted(int(c.FromShards), "shard", "shards"))},
		[2]string{"to", fmt.Sprintf("store %s, %s", c.To, counted(int(c.ToShards), "shard", "shards"))},
		[2]string{"entities", count(c.Entities)},
		[2]string{"events", count(c.Events)},
		[2]string{"pages", count(c.Pages)},
		[2]string{"entries of indexes", count(c.Entries)})
	if c.Kept > 0 {
		fmt.Fprintf(w, "the figures are without %s that a former run has copied\n", counted(c.Kept, "shard", "shards"))
	}
	if len(c.Rebuilt) > 0 {
		fmt.Fprintf(w, "not complete in the source, and built when a server starts: the indexes %s\n", strings.Join(c.Rebuilt, ", "))
	}
	fmt.Fprintf(w, "all of it was read back and compared; next: %s\n", c.Next)
}

func storeCopyCommand(a *app) *cobra.Command {
	var output format
	var shards uint32
	c := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy a store into an empty one: to Cassandra and back, or with more shards",
		Long: `Copies a folder or a keyspace of Cassandra, whose servers are stopped, into a new
folder, or into a keyspace that mesonet schema apply has made. FROM is only read. An
interrupted copy goes on with the same command; until it is done no server serves
from it. In the end it is read back and compared with FROM. TO is a store of its
own: tokens of FROM are refused there, and sessions begin anew.`,
		Example: `  mesonet store copy ./mesonet-data cassandra://10.0.0.1,10.0.0.2/mesonet
  mesonet store copy cassandra://10.0.0.1/mesonet ./mesonet-copy
  mesonet store copy ./mesonet-data ./mesonet-more --shards 128`,
		Args: arguments("FROM", "TO"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if cmd.Flags().Changed("shards") {
				if err := persistence.ValidShards(shards); err != nil {
					return misuse("--shards: a store has a power of two of them, from 1 to %d, and not %d", persistence.MaxShards, shards)
				}
			}
			if same(args[0], args[1]) {
				return misuse("FROM and TO are the same store; name another folder, or another keyspace")
			}
			ctx := cmd.Context()
			from, err := a.openStore(ctx, args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, from.Close()) }()
			if err := a.ownedStill(ctx, from); err != nil {
				return err
			}
			to, err := openTarget(ctx, args[1], shards, from.Info())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, to.Close()) }()
			return a.copyStore(ctx, from, to, args, output)
		},
	}
	c.Flags().Uint32Var(&shards, "shards", 0, "number of shards of the folder TO, a power of two (default: as FROM has)")
	output.flag(c)
	return c
}

func (a *app) copyStore(ctx context.Context, from, to persistence.Store, args []string, output format) error {
	var damage []inspect.Finding
	p := a.progress()
	cfg := transfer.DefaultConfig()
	cfg.Progress = func(at transfer.Progress) {
		p.show("copying", at.Part, counted(at.Events, "event", "events"), counted(at.Pages, "page", "pages"))
	}
	done, err := transfer.Copy(ctx, from, to, cfg, func(f inspect.Finding) { damage = append(damage, f) })
	p.done()
	switch {
	case errors.Is(err, transfer.ErrDamaged):
		a.tell(damage)
		return fail(exitDamaged, "%w; mesonet store verify %s says more", err, args[0])
	case errors.Is(err, transfer.ErrDiffers):
		return fail(exitDamaged, "%w", err)
	case ctx.Err() != nil:
		fmt.Fprintf(a.err, "what is copied is kept; go on with: mesonet store copy %s %s\n", args[0], args[1])
		return err
	case err != nil:
		return err
	}
	next := "mesonet server --data " + args[1]
	if isURL(args[1]) {
		next = "mesonet server --store '" + args[1] + "'"
	}
	return output.write(a.out, &copied{
		Copied: done, From: from.Info().ID.String(), To: to.Info().ID.String(),
		FromShards: from.Info().Shards, ToShards: to.Info().Shards, Next: next,
	})
}

// ownedStill tells of nodes that may serve from a store that they share with others.
// Whether they do only shows when they change something, which ends a copy.
func (a *app) ownedStill(ctx context.Context, store persistence.Store) error {
	if store.Info().Local {
		return nil
	}
	nodes, err := transfer.Owners(ctx, store)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		fmt.Fprintf(a.err, "node %s at %s has not given its shards up; if it is running, stop it: what it takes in from now on is not in the copy\n",
			printable(string(n.ID)), printable(n.Address))
	}
	return nil
}

// openTarget opens the store that is copied into. A folder is made.
func openTarget(ctx context.Context, name string, shards uint32, from persistence.Info) (persistence.Store, error) {
	if isURL(name) {
		store, err := openKeyspace(ctx, name)
		if err == nil && shards != 0 && shards != store.Info().Shards {
			return nil, errors.Join(misuse("the keyspace was made with %d shards, which stay; leave --shards out, or make another keyspace with: mesonet schema apply", store.Info().Shards), store.Close())
		}
		return store, err
	}
	cfg := pebble.DefaultConfig(name)
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.Shards = shards; shards == 0 {
		cfg.Shards = from.Shards
	}
	store, err := pebble.Open(ctx, cfg)
	switch {
	case errors.Is(err, persistence.ErrLocked):
		return nil, fail(exitFailed, "the folder %s is in use by another process; name one that is empty or not there", name)
	case err != nil:
		return nil, err
	case shards != 0 && shards != store.Info().Shards:
		return nil, errors.Join(misuse("the folder %s has a store of %d shards, which stay; name one that is empty or not there", name, store.Info().Shards), store.Close())
	}
	return store, nil
}

// same reports whether two names are of one store, as far as they show it.
func same(from, to string) bool {
	if isURL(from) || isURL(to) {
		return from == to
	}
	a, err := os.Stat(from)
	if err != nil {
		return filepath.Clean(from) == filepath.Clean(to)
	}
	b, err := os.Stat(to)
	return !errors.Is(err, fs.ErrNotExist) && err == nil && os.SameFile(a, b)
}
