package config

import (
	"log/slog"
	"time"

	"github.com/mesonet/mesonet/weather"
)

// Config is what a server can be told. Its defaults are those of the packages
// that use the values, see Sources.
type Config struct {
	// Data is the folder of the store, "" when none is named.
	Data string
	// Store is the URL of the store of a cluster, instead of a folder, and Node
	// the node's name in it; both may be "".
	Store, Node string
	// Views are the tables that are kept beside a store on Cassandra, and
	// ViewsKeyspace where, "" for the default.
	Views         []string
	ViewsKeyspace string
	// Listen is the address of the API, Admin that of health and metrics, and
	// HTTP that of the API as JSON; the latter two may be "" for none.
	Listen, Admin, HTTP string
	// Shards is the number of shards of a store that is created.
	Shards uint32
	// AutoRegister takes readings of stations that nobody has registered.
	AutoRegister bool
	// Memory is about how many bytes the node may take, 0 for no limit.
	Memory int64
	// DropHistory deletes the log that no start needs.
	DropHistory bool
	// CheckpointBytes is how long the tail of a shard's log may grow.
	CheckpointBytes int
	// PassivateAfter is when what nobody needed leaves memory, 0 for never.
	PassivateAfter time.Duration
	// Cluster is how the node takes part in a cluster.
	Cluster Cluster
	// Log is about the program's own log.
	Log Log
	// StandardMeasures says that the catalogue begins with weather.Standard.
	StandardMeasures bool
	// Measures follow in the catalogue, in this order.
	Measures []Measure
	// Mappings of columns, by name, for loading files; see Mappings.
	Mappings map[string]Mapping
}

// Log is how a program logs.
type Log struct {
	Format string // text or json
	Level  slog.Level
}

// Cluster says how a node takes part in a cluster; see mesonet.Cluster.
type Cluster struct {
	// Gossip is where to listen for gossip, "" for a node that stands alone; Requests
	// for requests of other nodes, and Advertise the host by which they reach both.
	Gossip, Requests, Advertise string
	// Join are the addresses of other nodes.
	Join []string
	// Name is the cluster's, Zone where the node is, and Weight how many shards it
	// takes in proportion to others.
	Name, Zone string
	Weight     uint32
	// KeyFile has the keys of gossip; CA, Cert and Key the certificates of requests.
	KeyFile, CA, Cert, Key string
	// Plain lets both go without.
	Plain bool
}

// Catalogue returns all measures: the standard ones, unless they are left out,
// and those that are declared.
func (c Config) Catalogue() weather.Catalogue {
	var all weather.Catalogue
	if c.StandardMeasures {
		all = weather.Standard()
	}
	for _, m := range c.Measures {
		m.Measure.ID = weather.MeasureID(len(all))
		all = append(all, m.Measure)
	}
	return all
}
