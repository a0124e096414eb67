package servers

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// A broker through its life.
func TestKafka(t *testing.T) {
	require(t)
	tmp := isolate(t)
	k, err := StartKafka(t.Context(), DefaultKafkaConfig())
	must(t, err)
	t.Cleanup(func() { must(t, k.Stop()) })
	checkAPIVersions(t, k.Addresses()[0])
	must(t, k.Kill())
	must(t, k.Start(t.Context()))
	checkAPIVersions(t, k.Addresses()[0])
	pid := k.PID()
	must(t, k.Stop())
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Stop: %v; want none", pid, err)
	}
	if names := left(t, tmp); len(names) > 0 {
		t.Errorf("left after Stop: %q", names)
	}
}

func TestKafkaWrongSetting(t *testing.T) {
	require(t)
	config := DefaultKafkaConfig()
	config.Settings = map[string]string{"process.roles": "brocker"}
	k, err := StartKafka(t.Context(), config)
	if err == nil {
		must(t, k.Stop())
		t.Fatal("started with a role that does not exist")
	}
	if !strings.Contains(err.Error(), "brocker") {
		t.Errorf("Kafka's complaint is not in the error:\n%v", err)
	}
}
