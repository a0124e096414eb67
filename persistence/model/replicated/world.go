package replicated

import (
	"fmt"
	"io"
	"math/rand/v2"
)

const clients = 4

// world is one schedule: registers and replicas, a network, processes, clients,
// and chance.
type world struct {
	rng  *rand.Rand
	bug  mutation
	out  io.Writer // takes the transcript, nil for none
	step int

	nodes    [nodes]nodeRow
	row      shardRow
	late     []func() bool // changes that will be tried, whoever asked for them
	replicas [replicas]*replica
	network  []delivery

	processes []*process
	clients   []*client
	messages  []message
	commands  map[int]command // by event

	checker *checker

	// What is drawn for the schedule.
	honest bool // clocks go right
	double bool // one node may run twice
	losses int  // one in so many deliveries is lost, another late, another not acknowledged
	doubts int  // one in so many changes is lost, another late, another not acknowledged
	stalls int  // after one in so many of its steps, a task waits long for an answer
	slow   int  // a replica that is hard to reach, or none

	calm      bool // nothing goes wrong any more
	tokens    int
	lastEvent int
	violation string
	// happened counts steps by what was done, and things worth noting.
	happened map[string]int
}

func newWorld(seed uint64, bug mutation, out io.Writer) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0)), bug: bug, out: out,
		row:      shardRow{owner: nobody, seals: map[int]position{}},
		commands: map[int]command{}, happened: map[string]int{},
	}
	w.checker = newChecker(w)
	for i := range w.replicas {
		w.replicas[i] = newReplica(w)
	}
	for i := range processes {
		p := &process{w: w, name: fmt.Sprintf("process %d", i), node: i % nodes, rate: 1, fenced: map[int]int{}}
		w.processes = append(w.processes, p)
	}
	for i := range clients {
		w.clients = append(w.clients, &client{w: w, number: i, name: fmt.Sprintf("client %d", i), careless: i%2 == 1})
	}
	w.honest, w.double = w.rng.IntN(2) == 0, w.rng.IntN(3) == 0
	w.losses = []int{8, 24, 100}[w.rng.IntN(3)]
	w.doubts = []int{6, 20, 60}[w.rng.IntN(3)]
	w.stalls = []int{20, 200, 2000}[w.rng.IntN(3)]
	w.slow = w.rng.IntN(2 * replicas)
	return w
}

func (w *world) broken(m mutation) bool { return w.bug == m }

// fail notes the first violation; those that follow may come from it.
func (w *world) fail(format string, args ...any) {
	if w.violation == "" {
		w.violation = fmt.Sprintf(format, args...)
		w.tell("VIOLATION", "%s", w.violation)
	}
}

// tell adds a line to the transcript.
func (w *world) tell(who, format string, args ...any) {
	if w.out != nil {
		_, _ = fmt.Fprintf(w.out, "%4d  %-9s  %s\n", w.step, who, fmt.Sprintf(format, args...))
	}
}

func (w *world) note(what string) { w.happened[what]++ }

func (w *world) noteIf(is bool, what string) {
	if is {
		w.note(what)
	}
}

func (w *world) newToken() int {
	w.tokens++
	return w.tokens
}

// newCommand returns the id of the event that a command causes.
func (w *world) newCommand(c command) int {
	w.lastEvent++
	w.commands[w.lastEvent] = c
	return w.lastEvent
}

// somebody draws a process, most often one that has the shard open.
func (w *world) somebody() *process {
	if open := w.open(); len(open) > 0 && w.rng.IntN(8) > 0 {
		return open[w.rng.IntN(len(open))].p
	}
	return w.processes[w.rng.IntN(processes)]
}

// open returns the shard as everybody has it who has it open.
func (w *world) open() []*shard {
	var open []*shard
	for _, p := range w.processes {
		if p.shard != nil {
			open = append(open, p.shard)
		}
	}
	return open
}
