package actors_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Every System that a test makes must take its workers and timers with it.
// Mutation: close does not wait for the workers → this fails.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
