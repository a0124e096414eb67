package replicated

import "slices"

// verb is what a request wants.
type verb string

const (
	add verb = "add to"
	ask verb = "ask" // from memory
	// linear asks for an answer that is linearizable.
	linear verb = "ask for the newest of"
)

// verdict is how a request ends.
type verdict string

const (
	accepted verdict = "accepted" // a command's event is in the log
	rejected verdict = "rejected" // a command changed nothing, so far
	answered verdict = "answered" // a question
	unknown  verdict = "unknown"  // perhaps, perhaps not
)

// request is a command or a question. It may be sent several times, and arrive
// more often than that.
type request struct {
	client  *client
	entity  entityID
	verb    verb
	command command
	both    bool
	token   position // of the client's session
	done    bool
	tries   int
	sent    int // in which step, last
	expect  expectation
}

// call is a request as it came to an owner.
type call struct {
	request *request
	arrived int // the step in which it did
}

// outcome is what a client is told.
type outcome struct {
	verdict verdict
	pages   [pages]ids
	token   position
}

// message is a copy of a request on its way to a process.
type message struct {
	to      *process
	request *request
}

// client asks one thing at a time, of any process.
type client struct {
	w       *world
	number  int
	name    string
	command int // the number of the newest
	request *request
	session position
	shown   [entities]position // the newest state of each that it heard of
	// careless: it sends no tokens, so that its session may go back.
	careless bool
}

// send sends a new request, or the one that it waits for once more.
func (c *client) send() bool {
	if c.request == nil {
		c.request = c.w.newRequest(c)
		c.request.expect = c.w.checker.asked(c.request)
	}
	r := c.request
	if r.tries > 0 && c.w.step < r.sent+40 {
		return false
	}
	r.sent = c.w.step
	if r.tries++; r.tries > 6 {
		c.w.tell(c.name, "gives up on %s", r)
		c.finish(r)
		return true
	}
	to := c.w.somebody()
	c.w.tell(c.name, "sends %s to %s", r, to.name)
	c.w.messages = append(c.w.messages, message{to, r})
	return true
}

// finish ends a request; what is still said of it is heard by nobody.
func (c *client) finish(r *request) {
	r.done = true
	if c.request == r {
		c.request = nil
	}
}

// hear takes a reply, unless it is lost on its way or nobody waits for it.
func (c *client) hear(s *shard, r reply) {
	if r.request.done {
		return
	}
	if !c.w.calm && c.w.rng.IntN(6) == 0 {
		c.w.tell("network", "loses the reply to %s", r.request)
		return
	}
	c.w.tell(c.name, "hears of %s: %s %v, token %s", r.request, r.verdict, r.pages, r.token)
	c.finish(r.request)
	if r.verdict == unknown {
		return
	}
	if !c.careless {
		c.session = max(c.session, r.token)
	}
	c.w.checker.isTold(s, r)
}

// takeMessage lets a request arrive.
func (w *world) takeMessage() bool {
	if len(w.messages) == 0 {
		return false
	}
	i := w.rng.IntN(len(w.messages))
	m := w.messages[i]
	if m.to.stands() {
		return false
	}
	if w.rng.IntN(8) > 0 { // otherwise a copy comes late
		w.messages = slices.Delete(w.messages, i, i+1)
	}
	s := m.to.shard
	if s == nil || s.parked || m.request.done && m.request.verb != add {
		return true
	}
	p := &s.places[m.request.entity]
	if len(p.mailbox) < 6 {
		p.mailbox = append(p.mailbox, call{m.request, w.step})
	}
	return true
}

// newRequest draws what a client asks for.
func (w *world) newRequest(c *client) *request {
	r := &request{client: c, entity: entityID(w.rng.IntN(entities)), verb: add, token: c.session, both: w.rng.IntN(2) == 0}
	switch w.rng.IntN(8) {
	case 0, 1, 2:
		r.verb = ask
	case 3:
		r.verb = linear
	default:
		c.command++
	}
	r.command = command{c.number, c.command}
	return r
}

// refuses is the domain: some rule about the state.
func (w *world) refuses(r *request, events int) bool { return (events+r.command.number)%4 == 0 }
