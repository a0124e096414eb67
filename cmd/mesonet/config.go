package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/internal/config"
	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// serverDefaults are what a server does that is told nothing.
func serverDefaults() config.Config {
	d, m := daemon.DefaultConfig(""), mesonet.DefaultCluster()
	return config.Config{
		Listen: d.Listen, Admin: d.Admin, HTTP: d.HTTP,
		Shards: d.Shards, AutoRegister: d.AutoRegister,
		Memory: d.Memory, DropHistory: d.DropHistory, CheckpointBytes: d.CheckpointBytes, PassivateAfter: d.PassivateAfter,
		Cluster:          config.Cluster{Requests: m.Requests, Name: m.Name, Weight: m.Weight},
		Log:              config.Log{Format: "text", Level: slog.LevelInfo},
		StandardMeasures: true,
	}
}

// daemonConfig is a configuration as the daemon takes it.
func daemonConfig(c config.Config) daemon.Config {
	d := daemon.DefaultConfig(c.Data)
	d.Store, d.Node = c.Store, c.Node
	d.Views, d.ViewsKeyspace = c.Views, c.ViewsKeyspace
	d.Listen, d.Admin, d.HTTP = c.Listen, c.Admin, c.HTTP
	d.Shards, d.AutoRegister = c.Shards, c.AutoRegister
	d.Memory, d.DropHistory, d.CheckpointBytes, d.PassivateAfter = c.Memory, c.DropHistory, c.CheckpointBytes, c.PassivateAfter
	d.Catalogue, d.Version = c.Catalogue(), build().Version
	d.Cluster = clusterConfig(c.Cluster)
	return d
}

// checkConfig returns what the daemon says of values. Whether a folder is named,
// and what is measured, is looked at elsewhere.
func checkConfig(c config.Config) error {
	if c.Data != "" && c.Store != "" {
		return errors.New("both a folder (data) and a keyspace (store) are given; a node has its data in one of them: leave the other away")
	}
	if c.Data == "" {
		c.Data = "."
	}
	d := daemonConfig(c)
	d.Catalogue = weather.Standard()
	if err := d.Validate(); err != nil {
		return errors.New(withoutPackage(oneLine(err.Error())))
	}
	return checkMappings(c)
}

// checkMappings returns what is wrong with mappings, for a network that has the
// measures of the same configuration.
func checkMappings(c config.Config) error {
	catalogue := c.Catalogue()
	_, err := config.Mappings(c, func(name string, m ingest.Mapping) error {
		m.Name = name
		if err := m.Validate(catalogue); err != nil {
			return errors.New(strings.TrimPrefix(withoutPackage(err.Error()), "mapping "+name+": "))
		}
		return nil
	})
	return err
}

// configured are the flags of a command that a configuration is for.
type configured struct {
	defaults config.Config
	flags    config.Flags
	file     string
}

// declare declares the flags of a server.
func (o *configured) declare(c *cobra.Command) {
	c.Flags().StringVar(&o.file, "config", "", "`file` of the configuration ("+config.FileVariable+")")
	o.flags.Declare(c.Flags(), o.defaults)
}

// load puts flags, environment and file together.
func (o *configured) load() (*config.Loaded, error) {
	return config.Load(config.Sources{
		Defaults: o.defaults, File: o.file, Environ: os.Environ(), Flags: o.flags.Given(), Check: checkConfig,
	})
}

func configCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "What a server is told by file, environment and flags: print, check",
		Long: `A server takes each setting from a flag, else from the environment, else from a
file that --config or MESONET_CONFIG names, else its default. --log-format,
MESONET_LOG_FORMAT and format below log: in the file are the same setting.`,
		Example: `  mesonet config print --defaults > mesonet.yaml
  mesonet config check mesonet.yaml`,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s print or %[1]s check", c.CommandPath())
		},
	}
	c.AddCommand(configPrintCommand(a), configCheckCommand(a))
	return c
}

func configPrintCommand(a *app) *cobra.Command {
	o := configured{defaults: serverDefaults()}
	var defaults bool
	output := "yaml"
	c := &cobra.Command{
		Use:   "print",
		Short: "Show what a server would work with, and where each value comes from",
		Long: `Shows the configuration that a server with the same flags, environment and file
would have: as a file to begin with, in which comments say what each key is for
and where its value comes from; with -o json as a document with both.`,
		Example: `  mesonet config print
  mesonet config print --defaults > mesonet.yaml
  mesonet config print --config mesonet.yaml --memory 2GiB -o json`,
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			if output != "yaml" && output != "json" {
				return misuse("there is no format %q for a configuration; use yaml or json", output)
			}
			loaded, err := o.printed(defaults)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(a.out, loaded)
			}
			return loaded.WriteYAML(a.out)
		},
	}
	c.Flags().BoolVar(&defaults, "defaults", false, "show the defaults alone")
	c.Flags().StringVarP(&output, "output", "o", output, "`format`: yaml or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions( // fails only for a flag that is not there
		[]string{"yaml", "json"}, cobra.ShellCompDirectiveNoFileComp))
	o.declare(c)
	return c
}

// printed returns what is to be shown.
func (o *configured) printed(defaults bool) (*config.Loaded, error) {
	if !defaults {
		return o.load()
	}
	if len(o.flags.Given()) > 0 || o.file != "" {
		return nil, misuse("--defaults shows what holds without flags and file; leave the others away")
	}
	return config.Load(config.Sources{Defaults: o.defaults})
}

// checked is the answer of a check.
type checked struct {
	File     string `json:"file"`
	Measures int    `json:"measures"`
	Mappings int    `json:"mappings"`
}

func (c checked) table(w io.Writer) {
	mapped := ""
	if c.Mappings > 0 {
		mapped = " and " + counted(c.Mappings, "mapping", "mappings")
	}
	fmt.Fprintf(w, "%s is right; it makes %s%s\n", c.File, counted(c.Measures, "measure", "measures"), mapped)
}

func configCheckCommand(a *app) *cobra.Command {
	var output format
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Look whether a file can be used, without starting anything",
		Long: `Reads a configuration and shows everything that is wrong with it, a line each on
stderr: then the exit code is 2. Flags and environment are left out of it.`,
		Example: `  mesonet config check mesonet.yaml`,
		Args:    arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			loaded, err := config.Load(config.Sources{Defaults: serverDefaults(), File: args[0], Check: checkConfig})
			if err != nil {
				return err
			}
			return output.write(a.out, checked{args[0], len(loaded.Catalogue()), len(loaded.Mappings)})
		},
	}
	output.flag(c)
	return c
}
