package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/weather/view"
)

func schemaCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "The keyspace of Cassandra that servers may use: apply, check, print",
		Long: `Creates and checks the keyspace that mesonet server --store uses. It is named by a
URL: cassandra://USER@HOST1,HOST2:PORT/KEYSPACE?dc=dc1. The password is in
MESONET_CASSANDRA_PASSWORD or in a file that password_file= names.`,
		Example: `  mesonet schema apply "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"
  mesonet schema check "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"`,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s apply, %[1]s check or %[1]s print", c.CommandPath())
		},
	}
	c.AddCommand(schemaApplyCommand(a), schemaCheckCommand(a), schemaPrintCommand(a))
	return c
}

// keyspaceFlags say as what a keyspace is created.
type keyspaceFlags struct {
	replication []string
	shards      uint32
	consistency string
}

func (k *keyspaceFlags) declare(c *cobra.Command) {
	d := cassandra.DefaultSchema("")
	c.Flags().StringSliceVar(&k.replication, "replication", nil, "how many copies each data center holds, `DC=N`; by default 3, or one a node where there are fewer")
	c.Flags().Uint32Var(&k.shards, "shards", d.Shards, "`number` of shards, a power of two; a node should serve 16 to 32")
	c.Flags().StringVar(&k.consistency, "consistency", string(d.Consistency), "whose majority has to answer, `global|home-dc`: that of all copies, or of those in the data center that dc= names")
}

// read is what the URL and the flags say.
func (k *keyspaceFlags) read(url string) (cassandra.Config, cassandra.Schema, error) {
	cfg, err := storeURL(url)
	if err != nil {
		return cfg, cassandra.Schema{}, err
	}
	s, err := k.schema(cfg)
	return cfg, s, err
}

// schema is what the flags and the URL say.
func (k *keyspaceFlags) schema(cfg cassandra.Config) (cassandra.Schema, error) {
	s := cassandra.Schema{Keyspace: cfg.Keyspace, Shards: k.shards, Consistency: cassandra.Consistency(k.consistency)}
	for _, text := range k.replication {
		dc, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || dc == "" {
			return s, misuse("--replication %s says no number of copies; write it as in --replication dc1=3,dc2=3", text)
		}
		if s.Replication == nil {
			s.Replication = make(map[string]int)
		}
		if s.Replication[dc] != 0 {
			return s, misuse("--replication names the data center %s twice", dc)
		}
		s.Replication[dc] = n
	}
	if s.Consistency == cassandra.HomeDC {
		if cfg.LocalDC == "" {
			return s, misuse("a store with --consistency home-dc needs a home; name its data center in the URL, as in %s?dc=dc1", cfg)
		}
		s.HomeDC = cfg.LocalDC
	}
	if err := s.Validate(); err != nil {
		return s, misuse("%w", err)
	}
	return s, nil
}

// storeURL reads the URL of a store.
func storeURL(text string) (cassandra.Config, error) {
	cfg, err := cassandra.ParseURL(text)
	if err != nil {
		return cfg, misuse("%w", err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler) // what is wrong is told here
	return cfg, nil
}

// schemaError tells a store that can't be reached from one that is not fit. What
// a cluster is refused on can be asked for again.
func schemaError(ctx context.Context, cfg cassandra.Config, err error) error {
	if ctx.Err() != nil {
		return err
	}
	code := exitFailed
	if _, away := cassandra.Check(ctx, cfg); away != nil {
		code = exitUnavailable
	}
	return fail(code, "%s", causes(err))
}

func schemaApplyCommand(a *app) *cobra.Command {
	var k keyspaceFlags
	var v viewFlags
	c := &cobra.Command{
		Use:   "apply URL",
		Short: "Create the keyspace and its tables, what is missing of them",
		Long: `Creates what is missing of the keyspace, its tables and the store's own record in
them, and says what it did. It changes and drops nothing: what is there and is
otherwise is an error that says how (exit code 1). May be run again.

The number of shards and the consistency are for ever. The number of copies is
changed with ALTER KEYSPACE, and a nodetool repair after it.`,
		Example: `  mesonet schema apply "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"
  mesonet schema apply cassandra://127.0.0.1/mesonet --replication dc1=3 --shards 64
  mesonet schema apply cassandra://127.0.0.1/mesonet --views all
  mesonet schema apply "cassandra://10.0.0.1/mesonet?dc=dc1" --consistency home-dc`,
		Args: arguments("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, s, err := k.read(args[0])
			if err != nil {
				return err
			}
			views, err := v.schema(cfg, s.Replication)
			if err != nil {
				return err
			}
			done, err := s.Apply(cmd.Context(), cfg)
			if err == nil && views != nil {
				var more []string
				more, err = views.Apply(cmd.Context(), cfg)
				done = append(done, more...)
			}
			for _, what := range done {
				fmt.Fprintln(a.out, what)
			}
			switch {
			case err != nil:
				return schemaError(cmd.Context(), cfg, err)
			case len(done) == 0:
				fmt.Fprintln(a.out, "all of it is there already")
			}
			return nil
		},
	}
	k.declare(c)
	v.declare(c)
	return c
}

// viewFlags say which tables are kept for others.
type viewFlags struct{ tables, keyspace string }

func (v *viewFlags) declare(c *cobra.Command) {
	c.Flags().StringVar(&v.tables, "views", "none", "the tables for others to read too, `all|none` or names with commas between")
	c.Flags().StringVar(&v.keyspace, "views-keyspace", "", "`keyspace` of these tables, by default the store's with _views behind it")
}

// schema is what the flags say, nil for no tables.
func (v *viewFlags) schema(cfg cassandra.Config, replication map[string]int) (*cassandra.ViewSchema, error) {
	tables, err := view.Parse(v.tables)
	if err != nil {
		return nil, misuse("--views: %w", err)
	}
	if len(tables) == 0 {
		return nil, nil
	}
	c := view.Beside(cfg.Keyspace, v.keyspace, tables)
	s := &cassandra.ViewSchema{Keyspace: c.Keyspace, Replication: replication, Tables: view.Tables(c)}
	if err := s.Validate(); err != nil {
		return nil, misuse("%w", err)
	}
	return s, nil
}

// schemaChecked is what was found.
type schemaChecked struct {
	Store    string          `json:"store"`
	Fit      bool            `json:"fit"`
	Findings []schemaFinding `json:"findings"`
}

type schemaFinding struct {
	Refused bool   `json:"refused"`
	Text    string `json:"text"`
}

func (s *schemaChecked) table(w io.Writer) {
	for _, f := range s.Findings {
		kind := "warning"
		if f.Refused {
			kind = "refused"
		}
		fmt.Fprintf(w, "%s: %s\n", kind, printable(f.Text))
	}
	if s.Fit {
		fmt.Fprintf(w, "%s is fit for servers\n", s.Store)
	}
}

func schemaCheckCommand(a *app) *cobra.Command {
	var output format
	c := &cobra.Command{
		Use:   "check URL",
		Short: "Look whether a server would take a keyspace, and what is unwise about it",
		Long: `Looks at what a server looks at when it starts: releases and settings of the nodes
of Cassandra, the replication, the tables, and how many replicas can answer. Each
finding says what to do. Nothing is changed. The exit code is 1 when a server would
refuse it, and 4 when it can't be reached.`,
		Example: `  mesonet schema check "cassandra://10.0.0.1,10.0.0.2/mesonet?dc=dc1"
  mesonet schema check cassandra://127.0.0.1/mesonet -o json`,
		Args: arguments("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := storeURL(args[0])
			if err != nil {
				return err
			}
			findings, err := cassandra.Check(cmd.Context(), cfg)
			if err != nil {
				return schemaError(cmd.Context(), cfg, err)
			}
			s := &schemaChecked{Store: cfg.String(), Findings: []schemaFinding{}}
			refused := 0
			for _, f := range findings {
				s.Findings = append(s.Findings, schemaFinding{f.Refused, withoutPackage(oneLine(f.Text))})
				if f.Refused {
					refused++
				}
			}
			slices.SortStableFunc(s.Findings, func(a, b schemaFinding) int { // refusals first
				switch {
				case a.Refused == b.Refused:
					return 0
				case a.Refused:
					return -1
				}
				return 1
			})
			s.Fit = refused == 0
			if err := output.write(a.out, s); err != nil {
				return err
			}
			if !s.Fit {
				return fail(exitFailed, "a server would refuse %s for %s; see above", s.Store, counted(refused, "reason", "reasons"))
			}
			return nil
		},
	}
	output.flag(c)
	return c
}

func schemaPrintCommand(a *app) *cobra.Command {
	var k keyspaceFlags
	c := &cobra.Command{
		Use:   "print URL",
		Short: "Show the CQL that creates the keyspace and its tables",
		Long: `Shows the statements that mesonet schema apply runs, for who creates a keyspace by
hand. Needs no server: of the URL, the keyspace and dc= count. Run mesonet schema
apply afterwards: it writes the store's own record, which is not among them.`,
		Example: `  mesonet schema print cassandra://10.0.0.1/mesonet --replication dc1=3
  mesonet schema print "cassandra://10.0.0.1/mesonet?dc=dc1" | cqlsh 10.0.0.1`,
		Args: arguments("URL"),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, s, err := k.read(args[0])
			if err != nil {
				return err
			}
			if len(s.Replication) == 0 {
				if cfg.LocalDC == "" {
					return misuse("how many copies are there to be? name them with --replication dc1=3, or the data center with ?dc=dc1 for 3 in it")
				}
				s.Replication = map[string]int{cfg.LocalDC: 3}
			}
			text, err := s.CQL()
			if err != nil {
				return err
			}
			fmt.Fprint(a.out, text)
			return nil
		},
	}
	k.declare(c)
	return c
}
