package shard

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/persistence"
)

var (
	seedFlag = flag.Uint64("shard.seed", 0, "run this schedule alone")
	runsFlag = flag.Int("shard.runs", 30, "how many random schedules to run")
)

// Random schedules of machines around a store that loses answers: processes that crash,
// restart and drain, splits, wrong deaths, a store that is away, clocks that run, jump
// and stop. One that fails is run again with -shard.seed.
//
// Mutations: fence without the heartbeat, or without gossip; take what is not fenced;
// take while draining, or out of touch; hand over to who does not serve; no limit of
// takes, or of hand-overs; no look at what is another's; what is one's own taken only
// as its target; words told once; a refusal that its owner is not told.
func TestRandom(t *testing.T) {
	if *seedFlag != 0 {
		randomSchedule(t, *seedFlag)
		return
	}
	runs := *runsFlag
	if testing.Short() {
		runs = 10
	}
	for seed := uint64(1); seed <= uint64(runs); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomSchedule(t, seed) })
	}
}

func randomSchedule(t *testing.T, seed uint64) {
	w := newWorld(t, seed, 32)
	w.fuzzy = true
	n := 3 + w.rand.IntN(5)
	var cfgs []Config
	for i := range n {
		cfg := DefaultConfig(persistence.NodeID(fmt.Sprintf("n%d", i+1)), w.shards)
		if w.rand.IntN(8) == 0 {
			cfg.Weight = uint32(w.rand.IntN(3) * 50)
		}
		cfgs = append(cfgs, cfg)
	}
	for _, cfg := range cfgs {
		p := w.start(cfg)
		p.setClock(Millis(w.rand.IntN(100_000)), 1, false)
		w.run(Millis(w.rand.IntN(3) * w.rand.IntN(4000)))
	}
	for range 25 {
		w.disturb()
		w.run(Millis(w.rand.IntN(6000)))
	}
	w.mend(cfgs)
	w.run(150_000)
	w.checkSettled()
	w.fuzzy = false
	w.run(10_000)
	before, acts := w.store.claims+w.store.fences, len(w.acts)
	w.run(60_000)
	if w.store.claims+w.store.fences != before {
		t.Errorf("in a cluster where nothing happens:\n%s", strings.Join(w.acts[acts:], "\n"))
	}
	s := w.store
	if most := 2*s.changes + s.unknown + s.refused; s.claims > most {
		t.Errorf("%d conditional changes of shards, for %d of owner, %d refused, %d of which nobody knew: that is more than %d",
			s.claims, s.changes, s.refused, s.unknown, most)
	}
	if s.refused > 10+s.changes/4 || s.fences > 2*s.accepted+2+s.unknown {
		t.Errorf("%d changes of shards were refused, for %d of owner; %d of %d fences were of use", s.refused, s.changes, s.accepted, s.fences)
	}
	t.Logf("%d nodes: %d conditional changes of shards for %d of owner, %d refused; %d fences, %d accepted; %d answers lost",
		n, s.claims, s.changes, s.refused, s.fences, s.accepted, s.unknown)
}

// disturb lets something happen.
func (w *world) disturb() {
	ids := w.ids()
	pick := func() *proc { return w.procs[ids[w.rand.IntN(len(ids))]] }
	p, o := pick(), pick()
	pair := [2]persistence.NodeID{p.id, o.id}
	switch w.rand.IntN(16) {
	case 0, 1:
		if p.up {
			p.kill()
		}
	case 2, 3, 4:
		if !p.up {
			w.start(p.cfg)
		}
	case 5:
		p.stop()
	case 6:
		p.away = true
	case 7:
		for _, id := range ids {
			w.procs[id].away = false
		}
	case 8:
		for _, id := range ids {
			w.procs[id].away = w.procs[id].away || w.rand.IntN(3) > 0
		}
	case 9:
		w.blind[pair] = p != o
	case 10:
		clear(w.blind)
	case 11:
		var sides [2][]persistence.NodeID
		for _, id := range ids {
			i := w.rand.IntN(2)
			sides[i] = append(sides[i], id)
		}
		w.split(sides[:]...)
	case 12:
		w.cut[pair] = p != o
	case 13:
		clear(w.cut)
	case 14:
		p.setClock(p.clock()+Millis(w.rand.IntN(20_000))-5000, 0.5+1.5*w.rand.Float64(), w.rand.IntN(4) == 0)
	case 15:
		if p.up {
			p.step(Move{persistence.Shard(w.rand.IntN(int(w.shards))), o.id})
		}
	}
}

// mend ends all that disturbs, and starts who is down.
func (w *world) mend(cfgs []Config) {
	clear(w.cut)
	clear(w.blind)
	for _, cfg := range cfgs {
		p := w.procs[cfg.Node]
		p.away = false
		p.setClock(p.clock(), 1, false)
		if !p.up && w.rand.IntN(2) == 0 {
			w.start(cfg)
		}
	}
}
