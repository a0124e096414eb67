package cassandra

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

func TestMain(m *testing.M) {
	// The driver waits 10 s for a host that is up again, its session closed or not.
	const waits = "github.com/apache/cassandra-gocql-driver/v2.(*Session).handleNodeUp"
	goleak.VerifyTestMain(serverstest.Main(m), goleak.IgnoreAnyFunction(waits))
}
