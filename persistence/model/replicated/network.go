package replicated

import "slices"

// write is a record on its way to the replicas. Its writer counts who has
// acknowledged it.
type write struct {
	text  string
	put   func(r *replica)
	acked [replicas]bool
	heard func() // tells the writer that the write is durable
}

func (wr *write) acks() int {
	n := 0
	for _, is := range wr.acked {
		if is {
			n++
		}
	}
	return n
}

// isDurable: two of three have it, so that any two have it among them.
func (w *world) isDurable(wr *write) bool {
	return wr.acks() >= 2 || wr.acks() == 1 && w.broken(durableAtOne)
}

// delivery is a write on its way to one replica. A hint is one that the replica
// missed, and gets much later.
type delivery struct {
	write *write
	to    int
	hint  bool
}

// send gives a write to the network. Its process waits to hear of it.
func (p *process) send(wr *write) {
	p.w.tell(p.name, "writes %s", wr.text)
	p.waits = append(p.waits, wr)
	p.resend(wr)
}

// resend sends the same bytes to the replicas that did not acknowledge them.
func (p *process) resend(wr *write) {
	for i := range replicas {
		if !wr.acked[i] {
			p.w.network = append(p.w.network, delivery{write: wr, to: i})
		}
	}
}

// deliver lets a write arrive at a replica, or not.
func (w *world) deliver() bool {
	if len(w.network) == 0 {
		return false
	}
	i := w.rng.IntN(len(w.network))
	d := &w.network[i]
	if d.hint && w.rng.IntN(8) > 0 || d.to == w.slow && w.rng.IntN(30) > 0 {
		return false
	}
	fate := w.rng.IntN(w.losses)
	if fate == 0 && !d.hint {
		d.hint = true
		return true
	}
	arrived := *d
	w.network[i] = w.network[len(w.network)-1]
	w.network = w.network[:len(w.network)-1]
	if fate == 1 {
		w.tell("network", "loses %s to replica %d", arrived.write.text, arrived.to)
		return true
	}
	w.arrive(arrived, fate > 2 && !arrived.hint)
	return true
}

func (w *world) arrive(d delivery, acknowledge bool) {
	d.write.put(w.replicas[d.to])
	if acknowledge {
		d.write.acked[d.to] = true
	}
	w.tell("network", "brings %s to replica %d, acknowledged %v", d.write.text, d.to, acknowledge)
}

// hear tells a process of one of its writes that is durable.
func (p *process) hear() bool {
	i := slices.IndexFunc(p.waits, p.w.isDurable)
	if i < 0 {
		return false
	}
	wr := p.waits[i]
	p.waits = slices.Delete(slices.Clone(p.waits), i, i+1)
	wr.heard()
	return true
}
