package servers

import (
	"fmt"
	"math/big"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// cassandraYAML returns the settings of node i. Names and values are those of
// Cassandra's own conf/cassandra.yaml.
func cassandraYAML(dir string, places []place, i int, dataCenters bool, changed map[string]any) ([]byte, error) {
	settings := map[string]any{
		"cluster_name": "mesonet",
		"partitioner":  "org.apache.cassandra.dht.Murmur3Partitioner",
		// One range a node, of equal size and known before it starts, so that
		// none has to be negotiated.
		"num_tokens":      1,
		"initial_token":   token(i, len(places)),
		"auto_bootstrap":  false,
		"endpoint_snitch": "SimpleSnitch",
		"seed_provider": []any{map[string]any{
			"class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
			"parameters": []any{map[string]any{"seeds": places[0].other()}},
		}},
		"listen_address":         places[i].host.String(),
		"rpc_address":            places[i].host.String(),
		"native_transport_port":  places[i].port,
		"storage_port":           places[i].peer,
		"start_native_transport": true,
		"data_file_directories":  []any{filepath.Join(dir, "data")},
		"commitlog_directory":    filepath.Join(dir, "commitlog"),
		"hints_directory":        filepath.Join(dir, "hints"),
		"saved_caches_directory": filepath.Join(dir, "saved_caches"),
		"cdc_raw_directory":      filepath.Join(dir, "cdc_raw"),
		// Cassandra's default acknowledges up to 10 s before it syncs.
		"commitlog_sync":              "group",
		"commitlog_sync_group_window": "1ms",
		"auto_snapshot":               false, // of tables that are dropped
	}
	if _, ok := changed["commitlog_sync"]; ok {
		delete(settings, "commitlog_sync_group_window") // of group alone
	}
	if dataCenters {
		settings["endpoint_snitch"] = "GossipingPropertyFileSnitch"
	}
	for name, value := range changed {
		if value == nil {
			delete(settings, name)
			continue
		}
		settings[name] = value
	}
	text, err := yaml.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("servers: cassandra.yaml: %w", err)
	}
	return text, nil
}

// token is where the range of node i of n ends, on a ring from -2^63 to 2^63-1.
func token(i, n int) string {
	step := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(int64(n)))
	at := new(big.Int).Mul(step, big.NewInt(int64(i)))
	return at.Sub(at, new(big.Int).Lsh(big.NewInt(1), 63)).Add(at, big.NewInt(1)).String()
}

// logback has everything on standard output, which is the node's log.
const logback = `<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{ISO8601} [%thread] %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT"/></root>
</configuration>
`
