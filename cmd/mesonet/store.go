package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/transfer"
)

func storeCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Look into a store, or copy it: inspect, verify, copy",
		Example: `  mesonet store inspect ./mesonet-data
  mesonet store copy ./mesonet-data cassandra://10.0.0.1,10.0.0.2/mesonet`,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s inspect, %[1]s verify or %[1]s copy", c.CommandPath())
		},
	}
	c.AddCommand(storeInspectCommand(a), storeVerifyCommand(a), storeCopyCommand(a))
	return c
}

// isURL reports whether a store is named by a URL. Any other name is a folder's.
func isURL(name string) bool { return strings.Contains(name, "://") }

// openStore opens the store of a name, which must be there, without changing it: a
// folder, or a keyspace of Cassandra. One that is damaged as a whole is a finding
// too.
func (a *app) openStore(ctx context.Context, name string) (persistence.Store, error) {
	if isURL(name) {
		return openKeyspace(ctx, name)
	}
	if _, err := os.Stat(filepath.Join(name, "STORE")); errors.Is(err, fs.ErrNotExist) {
		return nil, misuse("there is no store in %s (it has no STORE file); name the folder that a server has as --data, or a URL such as %s://host1,host2/mesonet", name, cassandra.Scheme)
	}
	cfg := pebble.DefaultConfig(name)
	cfg.Logger = slog.New(slog.DiscardHandler) // what is wrong is told here
	cfg.ReadOnly = true
	store, err := pebble.Open(ctx, cfg)
	switch {
	case errors.Is(err, persistence.ErrLocked):
		return nil, fail(exitFailed, "the folder %s is in use by a server; stop it first, or ask it: mesonet entity get KIND/ID", name)
	case errors.Is(err, persistence.ErrCorrupt):
		return nil, fail(exitDamaged, "the store is damaged as a whole: %w", err)
	case err != nil:
		return nil, err
	}
	return store, nil
}

// openKeyspace opens the store of a URL.
func openKeyspace(ctx context.Context, url string) (persistence.Store, error) {
	cfg, err := cassandra.ParseURL(url)
	if err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	store, err := cassandra.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// unfinished is what is said of a store that is an unfinished copy, "" of any other.
func unfinished(ctx context.Context, store persistence.Store) (string, error) {
	source, ok, err := transfer.Unfinished(ctx, store)
	if err != nil || !ok {
		return "", err
	}
	return fmt.Sprintf("it is an unfinished copy of the store %s; go on with: mesonet store copy FROM TO", source), nil
}

// damaged tells of findings on stderr, and is the error that they are.
func (a *app) damaged(findings []inspect.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	a.tell(findings)
	return fail(exitDamaged, "the store is damaged in %s; see above", counted(len(findings), "place", "places"))
}

func (a *app) tell(findings []inspect.Finding) {
	for _, f := range findings {
		fmt.Fprintln(a.err, oneLine(f.String()))
	}
}
