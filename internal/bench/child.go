package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// childEnv, in the environment, makes this program a process that does one job
// for another of the same program, as JSON.
const childEnv = "MESONET_BENCH_CHILD"

// job is what a child does.
type job struct {
	Role     string // of roles
	Dir      string // the store's folder
	Shards   uint32
	Stations int
	Each     int // observations a station
	// Hosts and Keyspace say where the store is instead, on Cassandra.
	Hosts    []string
	Keyspace string
}

// roles are the jobs that need a process of their own. A result is sent as JSON.
var roles = map[string]func(ctx context.Context, s *suite, j job, send func(result any) error) error{
	"load":     loadToBeKilled,
	"recover":  recoverToBeKilled,
	"register": registerStations,
	"wake":     wakeStations,
	"actors":   spawnActors,
}

// asChild does the job that the environment names, if it does. It ends early
// when stdin does, which the parent holds open for as long as it lives.
func asChild(stdin io.Reader, stdout, stderr io.Writer) (code int, is bool) {
	text, is := os.LookupEnv(childEnv)
	if !is {
		return 0, false
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the process, as a read from stdin can't be ended
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	if err := doJob(ctx, text, stdout); err != nil {
		say(stderr, "%v\n", err)
		return exitFailed, true
	}
	return exitOK, true
}

func doJob(ctx context.Context, text string, stdout io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fmt.Errorf("%s: %w", childEnv, err)
	}
	role := roles[j.Role]
	if role == nil {
		return fmt.Errorf("%s: there is no role %q", childEnv, j.Role)
	}
	s := &suite{opt: options{shards: j.Shards}}
	return role(ctx, s, j, json.NewEncoder(stdout).Encode)
}

// child is a process that does a job.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.ReadCloser
	stderr bytes.Buffer
}

// startChild starts a process for a job. It is killed when ctx ends, and has to
// be waited for by end or kill.
func startChild(ctx context.Context, j job) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program can't be found, to be run again: %w", err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("this program can't be run again: %w", err)
	}
	return c, nil
}

// result waits for what the child sends.
func (c *child) result(into any) error {
	if err := json.NewDecoder(c.stdout).Decode(into); err != nil {
		return errors.Join(fmt.Errorf("a process for it ended without a result: %w", err), c.kill())
	}
	return nil
}

// kill ends the child as kill -9 does.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return c.wait()
}

// end waits until the child has ended by itself.
func (c *child) end() error {
	if err := c.wait(); err != nil {
		return err
	}
	if !c.cmd.ProcessState.Success() {
		return fmt.Errorf("a process for it failed: %s", c.cmd.ProcessState)
	}
	return nil
}

// wait waits for the end, however it came about, and returns what the child
// said.
func (c *child) wait() error {
	_ = c.cmd.Wait() // how it ended is in ProcessState
	_ = c.stdin.Close()
	if said := strings.TrimSpace(c.stderr.String()); said != "" {
		return fmt.Errorf("a process for it says: %s", said)
	}
	return nil
}

// do starts a process for a job, waits for its result and its end.
func do(ctx context.Context, j job, result any) error {
	c, err := startChild(ctx, j)
	if err != nil {
		return err
	}
	if err := c.result(result); err != nil {
		return err
	}
	return c.end()
}
