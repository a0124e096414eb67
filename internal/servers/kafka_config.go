package servers

import (
	"errors"
	"net/netip"
	"time"
)

// KafkaConfig says which Kafka to start.
type KafkaConfig struct {
	// Dir has all files: data, settings, logs. When it is empty a temporary
	// folder is made, and removed by Stop.
	Dir string
	// Host is the loopback address of the broker. When it is invalid, one is
	// chosen on which nothing listens.
	Host netip.Addr
	// Port is where clients connect. It changes only when nothing is free there
	// and Host is invalid.
	Port uint16
	// HeapMB is the Java heap in MiB.
	HeapMB int
	// Optimize compiles Java code as in production; see [CassandraConfig].
	Optimize bool
	// Settings are of server.properties, each in place of the default; an empty
	// one leaves out what the default sets.
	Settings map[string]string
	// JVMOptions come after all others on the command line.
	JVMOptions []string
	// Background leaves the broker running when this process ends.
	Background bool
	// StartTimeout is what the broker has to come up.
	StartTimeout time.Duration
}

// DefaultKafkaConfig returns a broker for tests.
func DefaultKafkaConfig() KafkaConfig {
	return KafkaConfig{
		Port:         9092, // as in production
		HeapMB:       512,  // enough for tests
		StartTimeout: 2 * time.Minute,
	}
}

// Validate returns what cannot be started.
func (c KafkaConfig) Validate() error {
	return errors.Join(validate(c.Host, c.Port, c.HeapMB, c.StartTimeout)...)
}
