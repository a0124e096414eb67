package shard

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/mesonet/mesonet/persistence"
)

// The stories are what becomes of a cluster to which something happens: each command
// is followed by what the machines want done. Routes and words to others are left
// out; "show" has what came of them. With -rewrite they are written anew.
//
// Mutations, beside those of the other tests: no grace for who has lost touch, or not
// counted from one's own return; an owner that gossip does not know gone at once; a
// split without a wait; sight that need not be mutual; a tie that stops nobody, or both;
// lost by one failed check; a newcomer that is not told; an incarnation that is over
// serves; a pin forgotten; no settling.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{t: t}
		datadriven.RunTest(t, path, s.do)
		s.w.run(60_000)
		s.w.checkSettled()
	})
}

type story struct {
	t     *testing.T
	w     *world
	lines []string
	last  string // time and node of the last line
}

func (s *story) do(t *testing.T, d *datadriven.TestData) string {
	w := s.w
	s.lines, s.last = nil, ""
	var ids []persistence.NodeID
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			ids = append(ids, persistence.NodeID(a.Key))
		}
	}
	each := func(do func(p *proc)) {
		for _, id := range ids {
			if w.procs[id] == nil {
				d.Fatalf(t, "no node %s", id)
			}
			do(w.procs[id])
		}
	}
	pairs := func(m map[[2]persistence.NodeID]bool, is bool) {
		m[[2]persistence.NodeID{ids[0], ids[1]}] = is
	}
	switch d.Cmd {
	case "world":
		var shards int
		d.ScanArgs(t, "shards", &shards)
		s.w = newWorld(t, 1, uint32(shards))
		s.w.trace = s.record
		return ""
	case "start":
		for _, id := range ids {
			cfg := DefaultConfig(id, w.shards)
			if d.HasArg("weight") {
				var weight int
				d.ScanArgs(t, "weight", &weight)
				cfg.Weight = uint32(weight)
			}
			w.start(cfg)
		}
	case "run":
		n, err := strconv.Atoi(string(ids[0]))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		w.run(Millis(n))
	case "kill":
		each((*proc).kill)
	case "stop":
		each((*proc).stop)
	case "away": // the store, from these nodes
		each(func(p *proc) { p.away = true })
	case "back":
		each(func(p *proc) { p.away = false })
	case "blind": // the first is told by its gossip that the second is dead
		pairs(w.blind, true)
	case "cut": // nothing comes from the first to the second
		pairs(w.cut, true)
	case "split":
		var sides [][]persistence.NodeID
		for _, line := range strings.Split(d.Input, "\n") {
			var side []persistence.NodeID
			for _, id := range strings.Fields(line) {
				side = append(side, persistence.NodeID(id))
			}
			sides = append(sides, side)
		}
		w.split(sides...)
	case "heal":
		clear(w.cut)
		clear(w.blind)
	case "move":
		var shard int
		var at, to string
		d.ScanArgs(t, "shard", &shard)
		d.ScanArgs(t, "at", &at)
		d.ScanArgs(t, "to", &to)
		w.procs[persistence.NodeID(at)].step(Move{persistence.Shard(shard), persistence.NodeID(to)})
	case "show":
		s.show()
	default:
		d.Fatalf(t, "no command %s", d.Cmd)
	}
	return strings.Join(append(s.lines, ""), "\n")
}

// record writes down what a machine wants done, the effects of one moment in a line.
func (s *story) record(p *proc, _ Input, e Effect) {
	switch e.(type) {
	case nil, Route, Tell:
		return
	}
	at := fmt.Sprintf("%6d %s: ", s.w.now, p.id)
	if at == s.last {
		s.lines[len(s.lines)-1] += ", " + e.String()
		return
	}
	s.last = at
	s.lines = append(s.lines, at+e.String())
}

// show writes who serves what, what is said of it, and what it took.
func (s *story) show() {
	w := s.w
	for _, id := range w.ids() {
		p := w.procs[id]
		if !p.up {
			s.lines = append(s.lines, fmt.Sprintf("%s is down", id))
			continue
		}
		var open, parked []string
		for i := range w.shards {
			shard := persistence.Shard(i)
			if p.open[shard] != 0 && !p.fenced() {
				open = append(open, fmt.Sprint(i))
			}
			if p.routes[shard].Node == "" {
				parked = append(parked, fmt.Sprint(i))
			}
		}
		line := fmt.Sprintf("%s/%d %s serves [%s]", id, p.inc, p.state, strings.Join(open, " "))
		if len(parked) > 0 {
			line += fmt.Sprintf(", requests for [%s] wait", strings.Join(parked, " "))
		}
		s.lines = append(s.lines, line)
	}
	st := &w.store
	s.lines = append(s.lines, fmt.Sprintf("conditional changes: %d of shards for %d of owner, %d refused; %d fences", st.claims, st.changes, st.refused, st.fences))
}

// One machine is told one thing after the other, and answers each with what it wants
// done.
//
// Mutations, beside those of the other tests: a read that does not show one's own
// heartbeat counts; a node that said goodbye is believed against the store, or serves
// when it is seen again; old news of gossip; no rest; no hold-off; a hand-over to who is
// not reached, or whose heartbeat stands still; a move that is not answered; drained
// while something is under way; a place that became free waits for a tick; time goes
// back.
func TestMachine(t *testing.T) {
	datadriven.Walk(t, "testdata/machine", func(t *testing.T, path string) {
		var m *Machine
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "machine":
				var shards int
				d.ScanArgs(t, "shards", &shards)
				cfg := DefaultConfig("n1", uint32(shards))
				for _, of := range []struct {
					name string
					set  func(int)
				}{
					{"weight", func(n int) { cfg.Weight = uint32(n) }},
					{"takes", func(n int) { cfg.Takes = n }},
					{"handovers", func(n int) { cfg.HandOvers = n }},
				} {
					if d.HasArg(of.name) {
						var n int
						d.ScanArgs(t, of.name, &n)
						of.set(n)
					}
				}
				var err error
				if m, err = New(cfg); err != nil {
					return err.Error() + "\n"
				}
				return ""
			case "step":
				var out strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					in, err := parseInput(line)
					if err != nil {
						d.Fatalf(t, "%v", err)
					}
					if in.String() != line {
						d.Fatalf(t, "%q is written as %q", line, in)
					}
					for _, e := range m.Step(in) {
						fmt.Fprintln(&out, e)
					}
				}
				return out.String()
			case "snapshot":
				return m.Snapshot().String()
			}
			d.Fatalf(t, "no command %s", d.Cmd)
			return ""
		})
	})
}

// parseInput reads the line that an input's String gives.
func parseInput(line string) (Input, error) {
	plain := strings.NewReplacer("/", " ", ":", " ", "lost touch", "lost-touch").Replace(line)
	is := func(format string, to ...any) bool {
		n, err := fmt.Sscanf(plain, format, to...)
		return err == nil && n == len(to)
	}
	var (
		now          Millis
		n            persistence.NodeID
		inc          persistence.Incarnation
		shard        persistence.Shard
		epoch        persistence.Epoch
		weight       uint32
		word         string
		owner, given = Owner{Pinned: strings.HasSuffix(line, " pinned")}, HandedOver{Outcome: Given}
	)
	switch {
	case line == "joined gossip":
		return JoinedGossip{}, nil
	case line == "checked ok", line == "checked failed":
		return Checked{line == "checked ok"}, nil
	case line == "drain":
		return Drain{}, nil
	case is("tick %d", &now):
		return Tick{now}, nil
	case is("joined store as incarnation %d", &inc):
		return JoinedStore{inc}, nil
	case is("seen %s %d %s weight %d", &n, &inc, &word, &weight):
		for state, name := range stateNames {
			if name == strings.ReplaceAll(word, "-", " ") {
				return Seen{Member{n, inc, State(state), weight}}, nil
			}
		}
	case is("gone %s %d %s", &n, &inc, &word):
		return Gone{n, inc, word == "left"}, nil
	case is("link %s %s", &n, &word):
		return Link{n, word == "up"}, nil
	case is("raised %s %d", &n, &inc):
		return Raised{n, inc}, nil
	case is("fence failed %s", &n):
		return FenceFailed{n}, nil
	case is("opened %d epoch %d", &shard, &epoch):
		return Opened{shard, epoch}, nil
	case is("take failed %d", &shard):
		return TakeFailed{shard}, nil
	case is("lost %d", &shard):
		return Lost{shard}, nil
	case is("handed over %d to %s %d epoch %d", &given.Shard, &given.To, &given.Incarnation, &given.Epoch):
		return given, nil
	case is("handed over %d to %s %s", &shard, &n, &word):
		for outcome, name := range outcomeNames {
			if name == word {
				return HandedOver{Shard: shard, To: n, Outcome: Outcome(outcome)}, nil
			}
		}
	case is("owner %d %s %d epoch %d", &owner.Shard, &owner.Node, &owner.Incarnation, &owner.Epoch):
		return owner, nil
	case is("refused %d %s %d epoch %d", &owner.Shard, &owner.Node, &owner.Incarnation, &owner.Epoch):
		return Refused{owner}, nil
	case is("move %d to %s", &shard, &n):
		return Move{shard, n}, nil
	case strings.HasPrefix(line, "beats "):
		return parseBeats(strings.Fields(line)[1:])
	}
	return nil, fmt.Errorf("no input %q", line)
}

func parseBeats(rows []string) (in Beats, err error) {
	for _, row := range rows {
		var b Beat
		row, sees, _ := strings.Cut(strings.TrimSuffix(row, ")"), "(")
		if _, err := fmt.Sscanf(strings.NewReplacer("/", " ", ":", " ").Replace(row), "%s %d %d", &b.Node, &b.Incarnation, &b.Count); err != nil {
			return in, fmt.Errorf("heartbeat %q: %w", row, err)
		}
		for _, n := range strings.FieldsFunc(sees, func(r rune) bool { return r == ',' }) {
			b.Sees = append(b.Sees, persistence.NodeID(n))
		}
		in.Rows = append(in.Rows, b)
	}
	return in, nil
}
