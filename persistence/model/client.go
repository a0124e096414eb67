package model

// verb is what a request wants.
type verb string

const (
	add    verb = "add"
	remove verb = "delete"
	ask    verb = "read"
)

// verdict is how a request ends.
type verdict string

const (
	accepted verdict = "accepted" // a command's events are in the log
	rejected verdict = "rejected" // a command changed nothing: refused, or nothing to do
	answered verdict = "answered" // a question
	unknown  verdict = "unknown"  // perhaps, perhaps not
)

// request is a command or a question.
type request struct {
	client *client
	entity entityID
	verb   verb
	needs  pageSet   // that the decision reads
	adds   []pageSet // that each event of the command touches
	after  position  // that the client's session had come to
}

// outcome is what a client is told.
type outcome struct {
	verdict verdict
	// pages are the contents of those that the decision needed, after it.
	pages [pages]ids
	// version is how many events of the entity's history they show.
	version int
	// token is the position that the client's session has come to.
	token position
}

// client asks one thing at a time.
type client struct {
	w       *world
	name    string
	busy    bool
	session position
}

// send puts a request into an entity's mailbox.
func (c *client) send(r *request) bool {
	if c.busy || c.w.shard == nil {
		return false
	}
	c.busy = true
	r.client, r.after = c, c.session
	p := &c.w.shard.places[r.entity]
	p.mailbox = append(p.mailbox, r)
	c.w.tell(c.name, "asks %s to %s, on %s, touching %v", r.entity, r.verb, r.needs, r.adds)
	return true
}

func (c *client) hear(r *request, o outcome) {
	c.busy = false
	c.w.tell(c.name, "hears from %s: %s %v, after %d events", r.entity, o.verdict, o.pages, o.version)
	if o.verdict == unknown {
		return
	}
	if o.token < c.session {
		c.w.fail("the session of %s goes back from %s to %s", c.name, c.session, o.token)
	}
	c.session = o.token
	c.w.checker.isTold(r, o)
}
