package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mesonet/mesonet/internal/daemon"
	"github.com/mesonet/mesonet/internal/sampledata"
)

// update writes what came out into the scripts, where they compare with it:
//
//	go test ./cmd/mesonet -run TestScripts -update
var update = flag.Bool("update", false, "write what came out into the scripts")

// TestScripts runs testdata/*.txtar, each against a node of its own, whose
// address is in MESONET_ADDR, and that of its metrics in ADMIN. These files are
// there:
//
//	sample.csv.gz  a year of two stations
//	cut.csv.gz     the same, with its end missing
//	two.csv        the catalogue's lines of these two
//	isd, isd.zip, sample.tsv, sample.ndjson  the year in other forms
//
// and besides the commands of testscript there are
//
//	exits CODE COMMAND...  runs a command that has to end with that exit code
//	json FILE              checks that FILE (or stdout) is one JSON document
//	lines FILE COUNT       checks how many lines FILE (or stdout) has; COUNT is a
//	                       number, or a regular expression for one
//	next FOLDER [by NODE]  starts a server of the next release, see nextRelease
//	samples                writes the year in other forms: isd, a folder, isd.zip,
//	                       sample.tsv and sample.ndjson
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup:               setUpScript,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"next":    nextRelease,
			"json":    isJSON,
			"lines":   hasLines,
			"samples": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(writeSamples(ts.MkAbs("."))) },
		},
	})
}

func setUpScript(env *testscript.Env) error {
	cfg := daemon.DefaultConfig(filepath.Join(env.WorkDir, ".node"))
	cfg.Listen, cfg.Admin, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Shards = 4
	cfg.Logger = slog.New(slog.DiscardHandler)
	node, err := daemon.Start(context.Background(), cfg)
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := stop(context.Background(), node); err != nil {
			fmt.Fprintln(os.Stderr, "a script's node did not stop in order:", err)
		}
	})
	env.Setenv("MESONET_ADDR", node.Addr())
	env.Setenv("ADMIN", node.AdminAddr())
	env.Setenv("HTTP", node.HTTPAddr())
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("NODE", filepath.Join(env.WorkDir, ".node"))
	two, err := twoStations()
	if err != nil {
		return err
	}
	archive := sampledata.ObservationsArchive()
	return errors.Join(
		writeSamples(env.Cd),
		os.WriteFile(env.Cd+"/sample.csv.gz", archive, 0o600),
		os.WriteFile(env.Cd+"/cut.csv.gz", archive[:len(archive)/2], 0o600),
		os.WriteFile(env.Cd+"/two.csv", two, 0o600))
}

// twoStations returns the catalogue's lines of the stations of the sample.
func twoStations() ([]byte, error) {
	all, err := sampledata.Stations()
	if err != nil {
		return nil, err
	}
	var two []byte
	for line := range bytes.Lines(all) {
		if bytes.HasPrefix(line, []byte(sampledata.NewYork)) || bytes.HasPrefix(line, []byte(sampledata.SanFrancisco)) {
			two = append(two, line...)
		}
	}
	return two, nil
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("the exit code is %d, want %d", got, want)
	}
}

func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: json FILE")
	}
	text := ts.ReadFile(args[0])
	if !json.Valid([]byte(text)) {
		ts.Fatalf("%s is not JSON:\n%s", args[0], text)
	}
}

func hasLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE COUNT")
	}
	got := strings.Count(ts.ReadFile(args[0]), "\n")
	if matched, err := regexp.MatchString("^("+args[1]+")$", strconv.Itoa(got)); err != nil || !matched {
		ts.Fatalf("%s has %d lines, want %s", args[0], got, args[1])
	}
}
