package cassandra

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/internal/servers/serverstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(serverstest.Main(m)) }
