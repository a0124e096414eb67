package replicated

const (
	nodes = 3
	// The last process is a second one of the first node.
	processes = nodes + 1
)

// process is one run after the other of a node.
type process struct {
	w    *world
	name string
	node int

	up  bool
	inc int
	// still: it does nothing before this step, and then goes on as if no time
	// had passed.
	still int
	// deaf: its checks get no answer before this step.
	deaf  int
	clock int
	rate  int // of the clock

	tasks []*task
	waits []*write // that it wants to hear of
	shard *shard   // that it has open
	// fenced is, by node, the incarnation that it takes for fenced.
	fenced map[int]int
}

// stands: nothing happens in it now.
func (p *process) stands() bool { return p.still > p.w.step && !p.w.calm }

// isDeaf: checks get no answer now.
func (p *process) isDeaf() bool { return p.deaf > p.w.step && !p.w.calm }

// boot raises the incarnation of the node, which fences the node's own past. It
// is this process's only if the row shows its token: another process of the node
// may have been faster, and a reply may have been lost.
func (p *process) boot(t *task) {
	w := p.w
	for {
		row := t.readNode(p.node)
		token := w.newToken()
		v := applied
		if w.broken(bootWithoutRaise) && row.inc > 0 {
			row.inc--
		} else {
			v = t.raiseNode(p.node, row.inc, token)
		}
		if v == uncertain {
			now := t.readNode(p.node)
			if now.inc == row.inc+1 && (now.token == token || w.broken(bootWithoutToken)) {
				v = applied
			}
		}
		if v == applied {
			p.up, p.inc = true, row.inc+1
			w.tell(p.name, "is up, as incarnation %d of node %d", p.inc, p.node)
			w.checker.booted(p)
			return
		}
	}
}

// fence raises the incarnation of another node. When the outcome is uncertain a
// SERIAL read settles it; who claims looks for itself in any case.
func (p *process) fence(t *task, node int) {
	seen := t.readNode(node).inc
	p.w.tell(p.name, "fences node %d, incarnation %d", node, seen)
	v := t.raiseNode(node, seen, 0)
	if v != refused && p.w.broken(trustUncertainFence) {
		p.fenced[node] = seen
	}
	if v == uncertain {
		t.readNode(node)
	}
}

// die ends the process: what it had in memory is gone, what it sent is not.
func (p *process) die(how string) {
	p.w.tell(p.name, "%s", how)
	if p.shard != nil {
		p.shard.close("its process ends")
	}
	for _, t := range p.tasks {
		t.dead = true
	}
	p.up, p.waits, p.fenced = false, nil, map[int]int{}
}
