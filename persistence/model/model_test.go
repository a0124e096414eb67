package model

import (
	"bytes"
	"flag"
	"fmt"
	"testing"
)

var (
	seedFlag      = flag.Uint64("seed", 1, "the schedule that TestSchedule plays")
	mutationFlag  = flag.String("mutation", "", "the mutation that TestSchedule plays it with, or the only one that TestRates counts")
	schedulesFlag = flag.Int("schedules", 1000, "how many schedules TestProtocol plays")
	ratesFlag     = flag.Int("rates", 0, "how many schedules TestRates plays with each mutation")
)

// Schedules from seed 1 on break no promise, and all that matters happens in
// them.
func TestProtocol(t *testing.T) {
	happened := map[string]int{}
	for seed := range uint64(*schedulesFlag) {
		w := run(seed+1, none, nil)
		if w.violation != "" {
			t.Fatalf("seed %d: %s\n%s", seed+1, w.violation, again(seed+1, none))
		}
		for what, n := range w.happened {
			happened[what] += n
		}
	}
	t.Logf("summary: %d schedules", *schedulesFlag)
	for _, what := range worthSeeing() {
		t.Logf("%8d  %s", happened[what], what)
		if happened[what] == 0 {
			t.Errorf("in no schedule: %s", what)
		}
	}
}

// worthSeeing lists what must happen in some schedule.
func worthSeeing() []string {
	list := []string{
		"a checkpoint is rounded down",
		"a copy waits until it is validated",
		"a crash leaves a part of a write",
		"a deletion waits for a page that is not in memory",
		"a frame comes after its epoch was sealed",
		"a page comes for a former incarnation",
		"a page gives way to a newer one",
		"a tombstone keeps a late page away",
	}
	for _, a := range actions {
		list = append(list, a.name)
	}
	return list
}

func again(seed uint64, bug mutation) string {
	args := fmt.Sprintf("-run TestSchedule -seed %d", seed)
	if bug != none {
		args += " -mutation " + string(bug)
	}
	return "to see it step by step: go test ./persistence/model " + args + " -v"
}

// TestSchedule plays one schedule and prints it, with -v.
func TestSchedule(t *testing.T) {
	bug := mutation(*mutationFlag)
	if bug != none && !isMutation(bug) {
		t.Fatalf("there is no mutation %q; mutation.go has a list", bug)
	}
	out := t.Output()
	if !testing.Verbose() {
		out = nil
	}
	if w := run(*seedFlag, bug, out); w.violation != "" {
		t.Error(w.violation)
	}
}

// A seed says all.
func TestSameSeedSameSchedule(t *testing.T) {
	for seed := range uint64(20) {
		var one, two bytes.Buffer
		run(seed, none, &one)
		run(seed, none, &two)
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Errorf("seed %d gives two schedules", seed)
		}
	}
}
