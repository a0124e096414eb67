package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// Cassandra is a cluster of real nodes on this machine.
type Cassandra struct {
	folder  folder
	nodes   []*Node
	once    sync.Once
	stopped error
}

// StartCassandra starts a cluster and returns when every node serves clients
// and sees every other up. The first time on a machine it installs the jars,
// which takes a minute. When it fails, nothing of it is left running, and the
// error wraps [ErrMissing] where there is no JDK or no Maven.
//
// What a node acknowledges is synced to its disk, unlike Cassandra's default:
// see commitlog_sync in the settings.
func StartCassandra(ctx context.Context, config CassandraConfig) (*Cassandra, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	jars, err := cassandraRelease.jars(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(ctx, config.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cassandra{folder: folder}
	if err := c.start(ctx, config, java, jars); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cassandra) start(ctx context.Context, config CassandraConfig, java, jars string) error {
	places, err := choosePlaces(config.Nodes, config.Host, config.Port, cassandraPeerPort)
	if err != nil {
		return err
	}
	for i := range places {
		node, err := prepareCassandra(c.folder.path, places, i, config)
		if err != nil {
			return err
		}
		node.java = java
		node.args = cassandraArgs(node.dir, jars, i == 0, config)
		c.nodes = append(c.nodes, node)
	}
	// The first is the others' seed.
	if err := c.nodes[0].Start(ctx); err != nil {
		return err
	}
	if err := each(c.nodes[1:], func(n *Node) error { return n.Start(ctx) }); err != nil {
		return err
	}
	return each(c.nodes, func(n *Node) error {
		var up []string
		for i, other := range c.nodes {
			if other != n {
				up = append(up, fmt.Sprintf("InetAddress /%s is now UP", places[i].other()))
			}
		}
		return n.await(ctx, n.process(), 0, up)
	})
}

// rackFile says where a node is, to the snitch that reads it.
const rackFile = "cassandra-rackdc.properties"

// cassandraPeerPort is where nodes listen for each other.
const cassandraPeerPort = 7000

// prepareCassandra writes the files of node i.
func prepareCassandra(dir string, places []place, i int, config CassandraConfig) (*Node, error) {
	node := &Node{
		name:       "Cassandra node " + places[i].client(),
		address:    places[i].client(),
		dir:        filepath.Join(dir, "node"+strconv.Itoa(i+1)),
		ready:      []string{"Starting listening for CQL"},
		passing:    "Unable to gossip with any peers",
		background: config.Background,
		slack:      config.TimerSlack,
		timeout:    config.StartTimeout,
	}
	settings, err := cassandraYAML(node.dir, places, i, len(config.DataCenters) > 0, config.Settings)
	if err != nil {
		return nil, err
	}
	// The JVM needs its temporary folder to be there.
	if err := os.MkdirAll(filepath.Join(node.dir, "tmp"), 0o700); err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	files := map[string][]byte{"cassandra.yaml": settings, "logback.xml": []byte(logback)}
	if len(config.DataCenters) > 0 {
		files[rackFile] = []byte("dc=" + config.DataCenters[i] + "\nrack=rack1\n")
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(node.dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("servers: %w", err)
		}
	}
	return node, nil
}

// Addresses are where clients connect, host:port of each node, also of those
// that do not run.
func (c *Cassandra) Addresses() []string {
	var addresses []string
	for _, n := range c.nodes {
		addresses = append(addresses, n.Address())
	}
	return addresses
}

// Nodes are the processes of the cluster; the first is the others' seed.
func (c *Cassandra) Nodes() []*Node { return slices.Clone(c.nodes) }

// Stop ends all nodes, waits for them, and removes a temporary folder. Nodes
// with a folder that is kept write down first what they have in memory. Later
// calls do nothing more and return the same.
func (c *Cassandra) Stop() error {
	c.once.Do(func() { c.stopped = stop(c.folder, c.nodes) })
	return c.stopped
}

func stop(folder folder, nodes []*Node) error {
	err := each(nodes, func(n *Node) error {
		if folder.temporary {
			return n.Kill()
		}
		return n.Stop()
	})
	return errors.Join(err, folder.close())
}

// each calls f for all nodes at a time and waits for the calls.
func each(nodes []*Node, f func(*Node) error) error {
	errs := make([]error, len(nodes))
	var calls sync.WaitGroup
	for i, n := range nodes {
		calls.Go(func() { errs[i] = f(n) })
	}
	calls.Wait()
	return errors.Join(errs...)
}
