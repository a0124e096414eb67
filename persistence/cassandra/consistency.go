package cassandra

import (
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Consistency says how many replicas have to answer. It is chosen when the store
// is created, and recorded in it: two nodes with two opinions would each have a
// quorum that knows nothing of the other's.
type Consistency string

const (
	// Global asks a quorum of all replicas, wherever they are. An acknowledged
	// command survives the loss of a data center; a write waits for the
	// nearest others.
	Global Consistency = "global"
	// HomeDC asks a quorum within one data center, in which all nodes are. The
	// others are copies that lag behind.
	HomeDC Consistency = "home-dc"
)

// levels are Cassandra's consistency levels for plain and serial operations.
type levels struct{ quorum, serial gocql.Consistency }

func (c Consistency) levels() levels {
	if c == HomeDC {
		return levels{gocql.LocalQuorum, gocql.LocalSerial}
	}
	return levels{gocql.Quorum, gocql.Serial}
}

func (c Consistency) validate() error {
	if c != Global && c != HomeDC {
		return fmt.Errorf("cassandra: consistency is %q, and must be %q or %q", string(c), Global, HomeDC)
	}
	return nil
}
