package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/spelling"
)

// app is what all commands share: the streams.
type app struct {
	in  io.Reader
	out *checkedWriter
	err io.Writer
}

const defaultAddr = "127.0.0.1:" + remote.DefaultPort

const rootHelp = `mesonet keeps the readings of weather stations and answers questions about them.

A node keeps its data in a folder or in Cassandra; other commands are its clients.`

const exitCodes = `
Exit codes:
  0    done
  1    failed
  2    wrong usage; nothing was sent
  3    no such station, or no data for the period
  4    the server, or Cassandra, cannot be reached, or cannot answer now: try again
  5    done in part: some readings, stations or questions were refused or malformed
  6    a store is damaged
  130  interrupted
`

// newRoot returns the command mesonet with all below it.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "mesonet",
		Short: "A network of weather stations that remember",
		Long:  rootHelp,
		Example: `  mesonet demo                                 see it work in a minute
  mesonet server --data ./mesonet-data         run a node
  mesonet precip 725030:14732 2008             ask it something
  mesonet top temperature 725030:14732 2008    and something else`,
		Version:       build().Version,
		SilenceErrors: true, // report shows them, in one line
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("mesonet {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(root.UsageTemplate() + `{{if not .HasParent}}` + exitCodes + `{{end}}`)
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run a node:"},
		&cobra.Group{ID: "fill", Title: "Fill it:"},
		&cobra.Group{ID: "ask", Title: "Ask it:"},
	)
	for _, c := range []struct {
		group   string
		command *cobra.Command
	}{
		{"run", demoCommand(a)},
		{"run", serverCommand(a)},
		{"run", configCommand(a)},
		{"run", storeCommand(a)},
		{"run", schemaCommand(a)},
		{"run", shardCommand(a)},
		{"run", clusterCommand(a)},
		{"run", entityCommand(a)},
		{"fill", loadCommand(a)},
		{"fill", stationCommand(a)},
		{"fill", observeCommand(a)},
		{"fill", retractCommand(a)},
		{"fill", quarantineCommand(a)},
		{"ask", currentCommand(a)},
		{"ask", observationsCommand(a)},
		{"ask", temperatureCommand(a)},
		{"ask", hiLowCommand(a)},
		{"ask", precipCommand(a)},
		{"ask", topCommand(a)},
		{"ask", topStationsCommand(a)},
		{"ask", skyCommand(a)},
		{"ask", windCommand(a)},
		{"ask", statisticsCommand(a)},
		{"ask", measuresCommand(a)},
		{"ask", askCommand(a)},
		{"", versionCommand(a)},
	} {
		c.command.GroupID = c.group
		root.AddCommand(c.command)
	}
	root.SetHelpCommand(helpCommand())
	root.InitDefaultCompletionCmd()
	return root
}

// helpCommand is cobra's, but a topic that does not exist is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about a command",
		Example: "  mesonet help load",
		RunE: func(c *cobra.Command, args []string) error {
			topic, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(c.Root(), strings.Join(args, " "))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// noCommand refuses what is left of the arguments of a command that only has
// others below it.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(c, args[0])
}

func unknownCommand(c *cobra.Command, name string) error {
	names := make([]string, 0, len(c.Commands()))
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			names = append(names, below.Name())
		}
	}
	if like := spelling.Closest(name, names); like != "" {
		return misuse("there is no command %q; did you mean: %s %s", c.CommandPath()+" "+name, c.CommandPath(), like)
	}
	return misuse("there is no command %q; after %s comes one of: %s", c.CommandPath()+" "+name, c.CommandPath(), strings.Join(names, ", "))
}

// flagError makes the parser's error one of usage, with a suggestion.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if like := spelling.Closest(unknown.GetSpecifiedName(), names); like != "" {
			return misuse("there is no flag --%s; did you mean --%s? see: %s --help", unknown.GetSpecifiedName(), like, c.CommandPath())
		}
	}
	return misuse("%w; see: %s --help", err, c.CommandPath())
}

// arguments asks for exactly those arguments, by name.
func arguments(names ...string) cobra.PositionalArgs { return argumentsBetween(len(names), names...) }

// argumentsBetween asks for the first least of those arguments, and takes the
// others too.
func argumentsBetween(least int, names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		_, example, _ := strings.Cut(c.Example, "mesonet")
		example, _, _ = strings.Cut(example, "\n")
		switch {
		case len(args) < least:
			return misuse("missing: %s; for example: mesonet%s", strings.Join(names[len(args):least], " "), example)
		case len(args) > len(names):
			return misuse("%q is one argument too many; for example: mesonet%s", args[len(names)], example)
		}
		return nil
	}
}

// connection is the flags of a command that asks a server.
type connection struct {
	addr         string
	timeout      time.Duration
	linearizable bool
}

// flags declares the ones of all clients.
func (n *connection) flags(c *cobra.Command) {
	addr := os.Getenv("MESONET_ADDR")
	if addr == "" {
		addr = defaultAddr
	}
	c.Flags().StringVar(&n.addr, "addr", addr, "`address` of the server, or of several: a,b,c (MESONET_ADDR)")
	c.Flags().DurationVar(&n.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
}

// readFlags declares those of questions besides.
func (n *connection) readFlags(c *cobra.Command) {
	n.flags(c)
	c.Flags().BoolVar(&n.linearizable, "linearizable", false, "answer only after a check that began after the question")
}

func (n *connection) dial() (*client, error) {
	if n.timeout <= 0 {
		return nil, misuse("a timeout of %v leaves no time for an answer; write --timeout 10s", n.timeout)
	}
	return dial(n.addr, n.timeout, n.linearizable)
}

// checkedWriter remembers the first write that failed, so that an answer that
// was not delivered (a full disk) is not taken for one that was.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("the output could not be written (%w); check the disk or pipe it goes to", err)
	}
	return n, err
}
