package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Kafka is one real broker on this machine, which is its own controller.
type Kafka struct {
	*Node

	folder  folder
	once    sync.Once
	stopped error
}

// StartKafka starts a broker and returns when it serves clients. The first time
// on a machine it installs the jars. When it fails, nothing of it is left
// running, and the error wraps [ErrMissing] where there is no JDK or no Maven.
func StartKafka(ctx context.Context, config KafkaConfig) (*Kafka, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	jars, err := kafkaRelease.jars(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(ctx, config.Dir)
	if err != nil {
		return nil, err
	}
	k, err := startKafka(ctx, config, java, jars, folder.path)
	if err != nil {
		return nil, errors.Join(err, folder.close())
	}
	k.folder = folder
	return k, nil
}

// kafkaPeerPort is where the controller listens.
const kafkaPeerPort = 9093

func startKafka(ctx context.Context, config KafkaConfig, java, jars, dir string) (*Kafka, error) {
	places, err := choosePlaces(1, config.Host, config.Port, kafkaPeerPort)
	if err != nil {
		return nil, err
	}
	properties := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(properties, kafkaProperties(dir, places[0], config.Settings), 0o600); err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	if err := formatKafka(ctx, dir, java, jars, properties); err != nil {
		return nil, err
	}
	args := append(jvmArgs(dir, config.HeapMB, config.Optimize),
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
	)
	args = append(args, config.JVMOptions...)
	node := &Node{
		name:       "Kafka broker " + places[0].client(),
		address:    places[0].client(),
		dir:        dir,
		java:       java,
		args:       append(args, "-cp", filepath.Join(jars, "*"), "kafka.Kafka", properties),
		ready:      []string{"Kafka Server started"},
		background: config.Background,
		timeout:    config.StartTimeout,
	}
	if err := node.Start(ctx); err != nil {
		return nil, err
	}
	return &Kafka{Node: node}, nil
}

// formatKafka gives a new broker the identity of its cluster, which is always
// the same: nothing is known of it outside this machine.
func formatKafka(ctx context.Context, dir, java, jars, properties string) error {
	_, err := os.Stat(filepath.Join(dir, "data", "meta.properties"))
	if err == nil {
		return nil // formatted by an earlier start
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("servers: %w", err)
	}
	args := append(jvmArgs(dir, minHeapMB, false), "-cp", filepath.Join(jars, "*"),
		"kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", properties)
	output, err := exec.CommandContext(ctx, java, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("servers: Kafka's storage tool: %w; correct what it complains of:\n%s", err, lastLines(string(output)))
	}
	return nil
}

// kafkaProperties returns the settings of the broker. Names and values are
// those of Kafka's own config/server.properties.
func kafkaProperties(dir string, at place, changed map[string]string) []byte {
	settings := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         "1@" + at.other(),
		"listeners":                                        "PLAINTEXT://" + at.client() + ",CONTROLLER://" + at.other(),
		"advertised.listeners":                             "PLAINTEXT://" + at.client(),
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.listener.names":                        "CONTROLLER",
		"inter.broker.listener.name":                       "PLAINTEXT",
		"log.dirs":                                         filepath.Join(dir, "data"),
		"group.initial.rebalance.delay.ms":                 "0", // no others come
		"offsets.topic.num.partitions":                     "1",
		"transaction.state.log.num.partitions":             "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.replication.factor":         "1",
		"share.coordinator.state.topic.replication.factor": "1",
	}
	maps.Copy(settings, changed)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if settings[name] != "" {
			fmt.Fprintf(&text, "%s=%s\n", name, settings[name])
		}
	}
	return []byte(text.String())
}

// Addresses are where clients connect: the one broker.
func (k *Kafka) Addresses() []string { return []string{k.Address()} }

// Stop ends the broker, waits for it, and removes a temporary folder. Later
// calls do nothing more and return the same. What is to be started again is
// ended by Kill.
func (k *Kafka) Stop() error {
	k.once.Do(func() { k.stopped = stop(k.folder, []*Node{k.Node}) })
	return k.stopped
}
