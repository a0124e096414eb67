// Command run starts a real Cassandra or Kafka, or a cluster of mesonet on that
// Cassandra, in the background, and stops it.
//
//	run cassandra [-nodes 3]    on 127.0.0.1:9042, and 127.0.0.2 and so on
//	run kafka                   on 127.0.0.1:9092
//	run cluster [-nodes 3] [-mesonet bin/mesonet] [-store URL] [-host ADDRESS]
//	                            on 127.0.0.1:7210, :7211 and so on; shows what
//	                            becomes of a node that is killed
//	run cassandra stop
//	run kafka stop
//	run cluster stop
//	run install                 JDK 17, Maven and the jars, where missing
//	run check                   what is missing
//
// The targets cassandra, kafka, cluster, those with -stop, and needs of make call it. Data, logs and the ids of the processes are in the folder .servers of
// the working directory; data stays there when a server is stopped, and is
// found again at the next start. One server of a kind runs at a time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mesonet/mesonet/internal/servers"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// folder has all that is left between two runs.
const folder = ".servers"

var errUsage = errors.New("usage: run cassandra [-nodes N] | run kafka | run cassandra stop | run kafka stop | run cluster [-nodes N] [-mesonet PROGRAM] [-store URL] [-host ADDRESS] | run cluster stop | run install | run check")

func run(ctx context.Context, args []string, output io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	kind, rest := args[0], args[1:]
	switch kind {
	case "install":
		return servers.Install(ctx, output)
	case "check":
		return servers.Check(ctx)
	case "cassandra", "kafka", "cluster":
	default:
		return errUsage
	}
	if len(rest) == 1 && rest[0] == "stop" {
		return stop(kind, output)
	}
	flags := flag.NewFlagSet(kind, flag.ContinueOnError)
	nodes, c := 1, &members{program: filepath.Join("bin", "mesonet"), store: clusterURL, host: clusterHost, output: output}
	switch kind {
	case "cluster":
		nodes = 3
		flags.StringVar(&c.program, "mesonet", c.program, "the program")
		flags.StringVar(&c.store, "store", c.store, "a keyspace of Cassandra")
		flags.StringVar(&c.host, "host", c.host, "where the servers listen, an address of this machine")
		fallthrough
	case "cassandra":
		flags.IntVar(&nodes, "nodes", nodes, "size of the cluster")
	}
	if err := flags.Parse(rest); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errUsage
	}
	if kind == "cluster" {
		return c.start(ctx, nodes)
	}
	return start(ctx, kind, nodes, output)
}

func start(ctx context.Context, kind string, nodes int, output io.Writer) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	record, err := readRecord(kind)
	if err != nil {
		return err
	}
	if running := record.running(); len(running) > 0 {
		say(output, "%s is already running: processes %v\n", kind, running)
		explain(kind, record.Addresses, output)
		return nil
	}
	say(output, "starting %s; the first time its jars are installed, which takes a minute\n", kind)
	record, err = launch(ctx, kind, nodes)
	if err != nil {
		return err
	}
	if err := record.write(kind); err != nil {
		return errors.Join(err, record.stop())
	}
	explain(kind, record.Addresses, output)
	return nil
}

// launch starts servers that stay when this process ends.
func launch(ctx context.Context, kind string, nodes int) (record, error) {
	host := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if kind == "kafka" {
		config := servers.DefaultKafkaConfig()
		config.Dir, config.Host, config.Background = filepath.Join(folder, kind), host, true
		k, err := servers.StartKafka(ctx, config)
		if err != nil {
			return record{}, err
		}
		return record{Addresses: k.Addresses(), Processes: []process{identify(k.Node)}}, nil
	}
	config := servers.DefaultCassandraConfig()
	// Data of three nodes is not that of one.
	config.Dir = filepath.Join(folder, fmt.Sprintf("%s-%d", kind, nodes))
	config.Nodes, config.Host, config.Background = nodes, host, true
	c, err := servers.StartCassandra(ctx, config)
	if err != nil {
		return record{}, err
	}
	r := record{Addresses: c.Addresses()}
	for _, n := range c.Nodes() {
		r.Processes = append(r.Processes, identify(n))
	}
	return r, nil
}

func identify(n *servers.Node) process { return process{PID: n.PID(), Dir: filepath.Dir(n.LogFile())} }

func stop(kind string, output io.Writer) error {
	r, err := readRecord(kind)
	if err != nil {
		return err
	}
	if len(r.running()) == 0 {
		say(output, "%s is not running\n", kind)
		return removeRecord(kind)
	}
	if err := r.stop(); err != nil {
		return err
	}
	place := folder
	if kind == "cluster" {
		place = "Cassandra"
	}
	say(output, "%s is stopped; its data stays in %s\n", kind, place)
	return removeRecord(kind)
}

// say writes for people; what their terminal did not take is lost with it.
func say(output io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(output, format, args...) }

func explain(kind string, addresses []string, output io.Writer) {
	say(output, "%s serves %s; logs are in %s\n", kind, strings.Join(addresses, ", "), folder)
	if kind == "cassandra" {
		host, port, _ := strings.Cut(addresses[0], ":")
		say(output, "  mesonet: mesonet server --store cassandra://%s/mesonet\n", strings.Join(addresses, ","))
		say(output, "  cqlsh:   cqlsh %s %s\n", host, port)
	}
	say(output, "  stop:    make %s-stop\n", kind)
}
