package replicated

// claim takes the shard: it ends the epoch that is, begins the next, and opens
// it. What is not open is claimed, also by who owns it: an epoch is opened once,
// by the claim that made it.
func (p *process) claim(t *task) {
	w := p.w
	row := t.readShard()
	if !p.mayClaim(t, row) {
		return
	}
	if w.broken(reopenEpoch) && row.owner == p.node && row.inc == p.inc {
		p.reopen(t, row)
		return
	}
	from := t.readCheckpoint()
	if from.epoch() > row.epoch {
		return // the row has changed since
	}
	tail := t.readTail(row, from)
	if !tail.whole && w.broken(missingIsDamage) {
		p.missing(t, row, tail)
		return
	}
	if moved := t.readCheckpoint() != from; moved && !w.broken(noSecondRead) && !w.broken(claimBlindToDeletion) {
		w.note("a claim starts over: the checkpoint moved")
		return
	}
	if !tail.whole {
		p.missing(t, row, tail)
		return
	}
	token := w.newToken()
	next := row.claimed(p.node, p.inc, tail.end, token)
	w.tell(p.name, "claims epoch %d, sealing the one before at %s", next.epoch, tail.end)
	v := t.claimShard(row, next)
	if v == uncertain {
		is := t.readShard()
		mine := is.epoch == next.epoch && is.token == token
		if w.broken(claimWithoutToken) {
			mine = is.epoch == next.epoch && is.owner == p.node && is.inc == p.inc
		}
		w.noteIf(mine, "a claim turns out to have been applied")
		if mine {
			next.low = is.low
			v = applied
		}
	}
	if v == applied {
		p.open(next, tail)
	}
}

// mayClaim: the shard is nobody's, or one's own and not open, or its owner has
// been fenced, as a SERIAL read shows.
func (p *process) mayClaim(t *task, row shardRow) bool {
	w := p.w
	if row.owner == nobody || row.owner == p.node && row.inc == p.inc {
		return true
	}
	switch {
	case w.broken(claimUnfenced):
		return w.rng.IntN(5) == 0 || t.readNode(row.owner).inc > row.inc
	case w.broken(trustUncertainFence) && p.fenced[row.owner] >= row.inc:
		return true
	case w.broken(claimAfterPlainRead) && !w.calm:
		return t.readCopies(row.owner) > row.inc
	}
	return t.readNode(row.owner).inc > row.inc
}

// tail is the log from a checkpoint on.
type tail struct {
	from   position
	frames []frame
	end    position
	// whole: no frame is missing below a seal.
	whole bool
}

// readTail reads each sealed epoch to its seal, the current one to its first
// gap.
func (t *task) readTail(row shardRow, from position) tail {
	w := t.p.w
	begin := from
	if w.broken(readFromBeginning) {
		begin = firstOf(min(from.epoch(), row.epoch))
	}
	found := t.readFrames(begin)
	tl := tail{from: from, whole: true}
	for epoch := begin.epoch(); epoch <= row.epoch; epoch++ {
		seal, sealed := row.seals[epoch]
		at := max(begin, firstOf(epoch))
		for !sealed || at < seal || w.broken(readPastSeal) {
			f, ok := found[at]
			if !ok && !sealed && w.broken(sealBehindGap) {
				f, ok = nextFrame(found, at)
			}
			if !ok {
				break
			}
			if f.begin >= from {
				tl.frames = append(tl.frames, f)
			}
			at = f.end
		}
		if sealed && at < seal && !w.broken(readFromBeginning) {
			tl.whole = false
			return tl
		}
		tl.end = at
	}
	return tl
}

// nextFrame returns the next frame of the epoch, behind a gap.
func nextFrame(found map[position]frame, at position) (next frame, ok bool) {
	for begin, f := range found {
		if begin >= at && begin.epoch() == at.epoch() && (!ok || begin < next.begin) {
			next, ok = f, true
		}
	}
	return next, ok
}

// missing: a frame below a seal was not there. Unless it has been deleted
// meanwhile, by an owner who is still at it, it is lost.
func (p *process) missing(t *task, row shardRow, tl tail) {
	if is := t.readShard(); is.same(row) || p.w.broken(missingIsDamage) {
		p.w.fail("%s finds a frame missing from %s on, below a seal of %s", p.name, tl.from, row)
	}
}

// open begins the epoch that this process has claimed.
func (p *process) open(row shardRow, tl tail) {
	s := &shard{
		w: p.w, p: p, row: row, epoch: row.epoch,
		next: firstOf(row.epoch), validated: firstOf(row.epoch), confirmed: -1, checked: never,
		checkpoint: mark{tl.from, tl.from}, low: row.low,
	}
	for _, f := range tl.frames {
		s.frames = append(s.frames, f)
		for _, e := range f.events {
			place := &s.places[e.entity]
			place.tail = append(place.tail, e)
		}
	}
	p.shard = s
	p.w.tell(p.name, "opens epoch %d, with %d frames from %s to %s", row.epoch, len(tl.frames), tl.from, tl.end)
	p.w.checker.opened(s, tl)
}

// reopen goes on in an epoch that is one's own: a mutation.
func (p *process) reopen(t *task, row shardRow) {
	tl := t.readTail(row, t.readCheckpoint())
	if !tl.whole {
		return
	}
	p.open(row, tl)
	p.shard.next = max(tl.end, firstOf(row.epoch))
	p.shard.validated = p.shard.next
}
