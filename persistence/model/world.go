package model

import (
	"fmt"
	"io"
	"math/rand/v2"
)

// world is one schedule: a store, a shard, its clients, and chance.
type world struct {
	rng  *rand.Rand
	bug  mutation
	out  io.Writer // takes the transcript, nil for none
	step int

	store   *store
	shard   *shard // nil while it is not open
	opening *opening
	former  *shard // that this process gave up
	reads   []read
	clients []*client
	checker *checker

	hot       entityID // half of the requests are for it
	lastID    int      // of an event
	violation string
	// happened counts steps by what was done, and things worth noting: a
	// schedule in which nothing happens proves nothing.
	happened map[string]int
}

func newWorld(seed uint64, bug mutation, out io.Writer) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0)), bug: bug, out: out,
		happened: map[string]int{},
	}
	w.store, w.checker = newStore(w), &checker{w: w}
	w.hot = entityID(w.rng.IntN(entities))
	for i := range 4 {
		w.clients = append(w.clients, &client{w: w, name: fmt.Sprintf("client %d", i+1)})
	}
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

// newRequest draws what a client asks for.
func (w *world) newRequest() *request {
	r := &request{entity: w.hot, verb: add, needs: w.somePages()}
	if w.rng.IntN(2) == 0 {
		r.entity = entityID(w.rng.IntN(entities))
	}
	switch n := w.rng.IntN(16); {
	case n < 4:
		r.verb = ask
	case n < 6:
		r.verb = remove
	case n < 7:
		r.adds = []pageSet{0} // remembered, and in no page
	case n < 10:
		r.adds = []pageSet{w.somePages(), w.somePages()}
	default:
		r.adds = []pageSet{w.somePages()}
	}
	return r
}

// somePages draws one page or two.
func (w *world) somePages() pageSet {
	var s pageSet
	s.add(w.rng.IntN(pages))
	s.add(w.rng.IntN(pages))
	return s
}

// newEvents returns what a command that is accepted remembers.
func (w *world) newEvents(r *request) []event {
	first := w.lastID + 1
	if r.verb == remove {
		w.lastID++
		return []event{{entity: r.entity, id: first, deletes: true, command: first, siblings: 1}}
	}
	var events []event
	for _, touches := range r.adds {
		w.lastID++
		events = append(events, event{entity: r.entity, id: w.lastID, touches: touches, command: first, siblings: len(r.adds)})
	}
	return events
}
