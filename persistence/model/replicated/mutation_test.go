package replicated

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// mutants lists the mutations that random schedules catch soon, each with a seed
// by which it is caught, and in how many of 200 schedules it is. When the model
// changes, its seeds give other schedules: find new ones with
//
//	go test ./persistence/model/replicated -run TestFind -find 20000 -v
//
// and write a scene (scenes_test.go) for what takes more than a few hundred.
var mutants = []struct {
	mutation mutation
	seed     uint64
	caught   int
}{
	{durableAtOne, 3, 14},
	{readAtOne, 1, 75},
	{logWithoutRepair, 6, 24},
	{pageWithoutRepair, 57, 3},
	{lastWriteWins, 2, 5},
	{deleteByClock, 7, 43},
	{bootWithoutRaise, 1, 38},
	{bootWithoutToken, 51, 3},
	{claimUnfenced, 2, 64},
	{trustUncertainFence, 12, 5},
	{reopenEpoch, 2, 38},
	{claimWhileOpen, 1, 76},
	{readFromBeginning, 1, 119},
	{sealBehindGap, 51, 2},
	{claimUnconditionally, 1, 135},
	{readPastSeal, 2, 71},
	{retryWithMore, 1, 74},
	{ackUnchecked, 4, 77},
	{acceptUnvalidated, 1, 138},
	{rejectUnvalidated, 46, 1},
	{answerUnvalidated, 1, 32},
	{moveUndrained, 35, 14},
	{moveToNobody, 4, 10},
	{moveForgetsLow, 4, 53},
	{flushUnvalidated, 7, 77},
	{passivateUnvalidated, 1, 156},
	{passivateUnacknowledged, 10, 22},
	{checkpointOverAsleep, 2, 139},
	{checkpointOverUnacknowledged, 2, 13},
	{deleteBeforeLow, 1, 200},
	{executeAgain, 1, 189},
}

// alternatives are as safe as the protocol.
var alternatives = []mutation{
	noSecondRead, noLowCondition, conditionEpochOnly, repeatUnchecked, ignoreLaterCheckpoint, lowUnderAnyEpoch, stampOfPage,
}

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
			t.Errorf("not caught by %d schedules from seed %d on; it was by %d of 200: find a seed with -run TestFind -find 20000 -v",
				within, m.seed, m.caught)
		})
	}
}

// Alternatives break no promise, in random schedules and in the scenes of others.
func TestAlternatives(t *testing.T) {
	for _, m := range alternatives {
		for seed := range uint64(*alternativesFlag) {
			if w := run(seed+1, m, nil); w.violation != "" {
				t.Fatalf("%s is no alternative: seed %d: %s\n%s", m, seed+1, w.violation, again(seed+1, m))
			}
		}
		for of := range scenes {
			for seed := range uint64(10) {
				if w := play(seed, m, of, nil); w.violation != "" {
					t.Fatalf("%s is no alternative: in the scene of %s, seed %d: %s", m, of, seed, w.violation)
				}
			}
		}
	}
}

// No mutation is left out, or in two places.
func TestEveryMutation(t *testing.T) {
	for _, m := range mutationsOf(t) {
		if n := places(m); n != 1 {
			t.Errorf("%s is in %d tables", m, n)
		}
	}
}

// mutationsOf returns the names in mutation.go.
func mutationsOf(t *testing.T) []mutation {
	source, err := os.ReadFile("mutation.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []mutation
	for _, name := range regexp.MustCompile(`mutation = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, mutation(name[1]))
	}
	return all
}

func places(m mutation) int {
	n := 0
	for _, known := range mutants {
		if known.mutation == m {
			n++
		}
	}
	if scenes[m] != nil {
		n++
	}
	if slices.Contains(alternatives, m) {
		n++
	}
	return n
}

// chosen returns the mutation that -mutation names, or all.
func chosen(t *testing.T) []mutation {
	if *mutationFlag != "" {
		return []mutation{mutation(*mutationFlag)}
	}
	return mutationsOf(t)
}

// TestFind prints, with -find, the first seed from -seed on that catches each
// mutation.
func TestFind(t *testing.T) {
	if *findFlag == 0 {
		t.Skip("it takes minutes; run it with -find 20000")
	}
	for _, m := range chosen(t) {
		what := "nothing"
		seed, end := *seedFlag, *seedFlag+*findFlag
		for ; seed < end && what == "nothing"; seed++ {
			if w := run(seed, m, nil); w.violation != "" {
				what = w.violation
			}
		}
		t.Logf("%-30s %6d  %s", m, seed-1, what)
	}
}

// TestRates counts, with -rates, how many schedules catch each mutation.
func TestRates(t *testing.T) {
	if *ratesFlag == 0 {
		t.Skip("it takes minutes; run it with -rates 200")
	}
	for _, m := range chosen(t) {
		caught := 0
		for seed := range *ratesFlag {
			if w := run(seed+1, m, nil); w.violation != "" {
				caught++
			}
		}
		t.Logf("%-30s %5d of %d", m, caught, *ratesFlag)
	}
}
