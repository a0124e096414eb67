package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/rollcall"
	"github.com/mesonet/mesonet/internal/sampledata"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

const (
	// clusterURL is the keyspace of the cluster, on the Cassandra that run starts,
	// where nothing else is asked for, and clusterHost is where its servers listen.
	clusterURL, clusterHost = "cassandra://127.0.0.1:9042/mesonet_cluster", "127.0.0.1"
	// mostServers is how many servers have ports of their own.
	mostServers = 9
	// startWithin is how long a server may take to be ready.
	startWithin = 2 * time.Minute
)

// server is a mesonet server of the cluster.
type server struct {
	name, dir, addr, admin, gossip string

	pid   int
	ended chan struct{} // closed when it has; nil when an earlier run started it
	*client.Client
}

// members are the servers of a cluster, on one host, and the program that they run.
type members struct {
	program, store, host string

	output io.Writer
	nodes  []*server
}

// start starts servers that stay when this process ends, and kills one.
func (c *members) start(ctx context.Context, nodes int) error {
	if nodes < 2 || nodes > mostServers {
		return fmt.Errorf("a cluster to lose one of has 2 to %d servers, not %d", mostServers, nodes)
	}
	known, err := readRecord("cluster")
	if err != nil {
		return err
	}
	if running := known.running(); len(running) > 0 {
		return fmt.Errorf("a cluster is running already: processes %v; stop it with: make cluster-stop", running)
	}
	for i := range nodes {
		s := &server{name: fmt.Sprintf("node-%d", i+1), addr: c.address(7210 + i), admin: c.address(7310 + i), gossip: c.address(7001 + i)}
		s.dir = filepath.Join(folder, "cluster", s.name)
		c.nodes = append(c.nodes, s)
	}
	if err := c.command(ctx, "schema", "apply", c.store); err != nil {
		return err
	}
	for i := range c.nodes {
		if err := c.launch(ctx, i); err != nil {
			return errors.Join(err, c.record().stop(), removeRecord("cluster"))
		}
	}
	defer c.close()
	if err := c.show(ctx); err != nil {
		return fmt.Errorf("%w; the servers run on, stop them with: make cluster-stop", err)
	}
	c.invite()
	return nil
}

func (c *members) address(port int) string { return net.JoinHostPort(c.host, strconv.Itoa(port)) }

// command runs mesonet until it ends.
func (c *members) command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Stdout, cmd.Stderr = c.output, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", c.program, strings.Join(args, " "), err)
	}
	return nil
}

// launch starts a server and waits until it is ready.
func (c *members) launch(ctx context.Context, i int) (err error) {
	s := c.nodes[i]
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	var join []string
	for _, other := range c.nodes {
		if other != s {
			join = append(join, other.gossip)
		}
	}
	settings := fmt.Sprintf("store: %s\nnode: %s\nlisten: %s\nadmin: %s\nhttp: %s\ncluster:\n  gossip: %s\n  requests: %s\n  join: %s\n",
		c.store, s.name, s.addr, s.admin, c.address(7410+i), s.gossip, c.address(7011+i), strings.Join(join, ","))
	file := filepath.Join(s.dir, "mesonet.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd := exec.Command(c.program, "server", "--config", file) //nolint:noctx // it stays
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.pid, s.ended = cmd.Process.Pid, make(chan struct{})
	go func() { // as long as this process, or the server
		_ = cmd.Wait()
		close(s.ended)
	}()
	if err := c.record().write("cluster"); err != nil {
		return err
	}
	if s.Client == nil {
		cfg := client.DefaultConfig(s.addr)
		cfg.AttemptTimeout, cfg.Retry.Attempts = 0, 1 // an ask that fails is to be seen
		if s.Client, err = client.Dial(cfg); err != nil {
			return err
		}
	}
	return s.ready(ctx, log.Name())
}

// record is what a later run has to know.
func (c *members) record() (r record) {
	for _, s := range c.nodes {
		if s.pid != 0 {
			r.Addresses = append(r.Addresses, s.addr)
			r.Processes = append(r.Processes, process{PID: s.pid, Dir: s.dir})
		}
	}
	return r
}

// ready waits until a server says that it is.
func (s *server) ready(ctx context.Context, log string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("%s is not ready after %s; see %s", s.name, startWithin, log))
	defer cancel()
	return rollcall.Poll(ctx, func(ctx context.Context) (bool, error) {
		select {
		case <-s.ended:
			return false, fmt.Errorf("%s has ended; see %s", s.name, log)
		default:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/readyz", http.NoBody)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	})
}

func (c *members) close() {
	for _, s := range c.nodes {
		if s.Client != nil {
			_ = s.Close()
		}
	}
}

// fill loads the sample through the first server, unless it is there.
func (c *members) fill(ctx context.Context) error {
	known, err := c.nodes[0].Stations().GetStation(ctx, &mesonetv1.GetStationRequest{Station: sampledata.NewYork})
	if err == nil && known.GetStation().GetObservations() > 0 {
		return nil
	}
	stations, readings := filepath.Join(folder, "cluster", sampledata.StationsName), filepath.Join(folder, "cluster", sampledata.ObservationsName)
	if err := errors.Join(os.WriteFile(stations, sampledata.StationsArchive(), 0o600), os.WriteFile(readings, sampledata.ObservationsArchive(), 0o600)); err != nil {
		return err
	}
	return c.command(ctx, "load", "--addr", c.nodes[0].addr, "--stations", stations, readings)
}

// ids are those of all stations.
func (c *members) ids(ctx context.Context) (all []string, err error) {
	r := &mesonetv1.ListStationsRequest{PageSize: 1000}
	for {
		page, err := c.nodes[0].Stations().ListStations(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, s := range page.GetStations() {
			all = append(all, s.GetId())
		}
		if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
			return all, nil
		}
	}
}

// shards says whose the shards are, and waits until each has the node that it belongs
// to.
func (c *members) shards(ctx context.Context) ([]string, error) {
	return rollcall.Owners(ctx, mesonetv1.NewClusterServiceClient(c.nodes[0].Conn()))
}
