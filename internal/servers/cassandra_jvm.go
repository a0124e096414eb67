package servers

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cassandraInternals are the packages of the JDK that Cassandra reaches into:
// those of its own conf/jvm17-server.options, and some of bin/cassandra's time.
var cassandraInternals = strings.Fields(`
	java.base/java.io
	java.base/java.lang
	java.base/java.lang.module
	java.base/java.lang.ref
	java.base/java.lang.reflect
	java.base/java.math
	java.base/java.net
	java.base/java.nio
	java.base/java.util
	java.base/java.util.concurrent
	java.base/java.util.concurrent.atomic
	java.base/jdk.internal.loader
	java.base/jdk.internal.math
	java.base/jdk.internal.misc
	java.base/jdk.internal.module
	java.base/jdk.internal.ref
	java.base/jdk.internal.reflect
	java.base/jdk.internal.util.jar
	java.base/sun.nio.ch
	java.base/sun.security.ssl
	java.management.rmi/com.sun.jmx.remote.internal.rmi
	java.management/com.sun.jmx.mbeanserver
	java.management/javax.management
	java.rmi/sun.rmi.registry
	java.rmi/sun.rmi.server
	java.rmi/sun.rmi.transport
	java.rmi/sun.rmi.transport.tcp
	java.sql/java.sql
	jdk.management/com.sun.management.internal
`)

// cassandraArgs is the command line of a node whose files are in dir. JMX has
// no port: nothing here uses it, and a port more is one more to collide.
func cassandraArgs(dir, jars string, seed bool, config CassandraConfig) []string {
	args := append(jvmArgs(dir, config.HeapMB, config.Optimize),
		"-Xss512k",
		"-javaagent:"+filepath.Join(jars, "jamm-0.4.0.jar"),
		"-Djdk.attach.allowAttachSelf=true",
		"-Djava.security.manager=allow", // of user-defined functions; needed from Java 18 on
		"-Dio.netty.tryReflectionSetAccessible=true",
		"-Dcassandra.config=file://"+filepath.Join(dir, "cassandra.yaml"),
		"-Dcassandra.storagedir="+dir,
		"-Dcassandra-rackdc.properties=file://"+filepath.Join(dir, rackFile), // read with DataCenters
		"-Dcassandra-foreground=yes",
		"-Dlogback.configurationFile="+filepath.Join(dir, "logback.xml"),
		// Nodes of one machine know of each other at once.
		"-Dcassandra.skip_wait_for_gossip_to_settle=0",
		"-Dcassandra.ring_delay_ms="+strconv.FormatInt(ringDelay(seed).Milliseconds(), 10),
	)
	for _, name := range cassandraInternals {
		args = append(args, "--add-opens", name+"=ALL-UNNAMED", "--add-exports", name+"=ALL-UNNAMED")
	}
	args = append(args, config.JVMOptions...)
	return append(args, "-cp", filepath.Join(jars, "*"), "org.apache.cassandra.service.CassandraDaemon")
}

// ringDelay bounds how long a node asks the others for what they know before it
// joins. One that is no seed gives up after twice that time ("Unable to gossip
// with any peers"), which a busy machine makes long; it asks every 5 s and goes on
// with the first answer, so that it never waits for the end. The seed does, when
// all nodes start at a time: nobody answers, and it goes on alone.
func ringDelay(seed bool) time.Duration {
	if seed {
		return 100 * time.Millisecond
	}
	return 15 * time.Second
}

// jvmArgs are those of either server. What libraries unpack goes to the
// server's own folder, and nothing of a process is shared through /tmp, so that
// one that is killed leaves nothing elsewhere.
func jvmArgs(dir string, heapMB int, optimize bool) []string {
	tmp := filepath.Join(dir, "tmp")
	args := []string{
		fmt.Sprintf("-Xmx%dm", heapMB),
		"-XX:-UsePerfData",
		"-XX:+ExitOnOutOfMemoryError",
		"-Djava.io.tmpdir=" + tmp,
		"-Djna.tmpdir=" + tmp,
	}
	if !optimize {
		args = append(args, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
	}
	return args
}
