package model

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// mutants lists the mutations, each with a seed by which it is caught, and in
// how many of 10,000 schedules it is. When the model changes the seeds of the
// rare ones have to be found again, by TestRates.
var mutants = []struct {
	mutation mutation
	seed     uint64
	caught   int
}{
	{ackWritten, 17, 1191},
	{flushWritten, 3, 1158},
	{lastWriteWins, 76, 149},
	{deleteWithoutTombstone, 137, 74},
	{readUnsyncedPage, 2621, 9},
	{readUnsyncedFrame, 176, 48},
	{readUnsyncedCheckpoint, 2973, 2},
	{splitCommand, 7, 3950},
	{acceptAtOnce, 1, 8015},
	{rejectAtOnce, 9, 1392},
	{answerAtOnce, 4, 2324},
	{forgetSession, 2, 9013},
	{readPastSeal, 37, 651},
	{reopenEpoch, 12, 1065},
	{keepState, 3, 2595},
	{keepGate, 1, 2215},
	{keepCopies, 1, 1705},
	{redoAlways, 1, 9101},
	{redoAbove, 2, 8763},
	{compareNew, 3, 8106},
	{guessPosition, 3, 6696},
	{forgetPending, 1, 8715},
	{loadTwice, 1, 8889},
	{loadOfFormerLife, 1216, 27},
	{evictDirty, 1, 8134},
	{evictUnacknowledged, 3, 873},
	{passivateUnvalidated, 3, 2539},
	{passivateUnacknowledged, 4, 274},
	{passivatePending, 1, 4033},
	{stampLastEvent, 1, 9905},
	{stampAppended, 20, 1693},
	{stampLate, 10, 4369},
	{flushUnvalidated, 3, 3820},
	{flushClearsAll, 3, 2851},
	{forgetAsleep, 1, 7634},
	{forgetDirty, 1, 9536},
	{forgetCrashed, 2, 2588},
	{checkpointAppended, 54, 219},
	{checkpointInFrame, 4, 2640},
	{flushIssued, 1, 5604},
	{lowAboveCheckpoint, 1, 9324},
	{lowBeforeCheckpoint, 26, 262},
	{dropBeforeLow, 59, 111},
	{wakeWithoutTail, 1, 9551},
	{restartFromPages, 2, 3294},
	{restartEarly, 4, 886},
	{deleteForgetsStored, 3, 2809},
	{deleteForgetsUnstored, 2, 6542},
}

// alternatives are as safe as the protocol on one node.
var alternatives = []mutation{stampLastEnd, stampFormerEpoch, waitForQuiet}

// Each mutation breaks a promise, in the schedule of its seed or one soon after.
func TestMutations(t *testing.T) {
	const within = 20
	for _, m := range mutants {
		t.Run(string(m.mutation), func(t *testing.T) {
			for seed := m.seed; seed < m.seed+within; seed++ {
				if w := run(seed, m.mutation, nil); w.violation != "" {
					t.Logf("seed %d: %s; %s", seed, w.violation, again(seed, m.mutation))
					return
				}
			}
			t.Errorf("not caught by %d schedules from seed %d on; it was by %d of 10,000: find a seed with -run TestRates -rates 10000 -v",
				within, m.seed, m.caught)
		})
	}
}

func TestAlternatives(t *testing.T) {
	for _, m := range alternatives {
		for seed := range uint64(200) {
			if w := run(seed+1, m, nil); w.violation != "" {
				t.Errorf("%s is no alternative: seed %d: %s\n%s", m, seed+1, w.violation, again(seed+1, m))
			}
		}
	}
}

// No mutation is left out.
func TestEveryMutation(t *testing.T) {
	source, err := os.ReadFile("mutation.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`mutation = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !isMutation(mutation(name[1])) {
			t.Errorf("%s is in no table", name[1])
		}
	}
}

func isMutation(m mutation) bool {
	for _, known := range mutants {
		if known.mutation == m {
			return true
		}
	}
	return slices.Contains(alternatives, m)
}

// TestRates counts, with -rates, how many schedules catch each mutation.
func TestRates(t *testing.T) {
	if *ratesFlag == 0 {
		t.Skip("it takes minutes; run it with -rates 10000")
	}
	for _, m := range mutants {
		if *mutationFlag != "" && m.mutation != mutation(*mutationFlag) {
			continue
		}
		var caught []uint64
		for seed := range uint64(*ratesFlag) {
			if w := run(seed+1, m.mutation, nil); w.violation != "" {
				caught = append(caught, seed+1)
			}
		}
		t.Logf("%-24s %5d of %d, by seeds %d …", m.mutation, len(caught), *ratesFlag, caught[:min(3, len(caught))])
	}
}
