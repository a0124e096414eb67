package ingest

import (
	"errors"
	"slices"
	"time"
)

// lane is the way of one station's runs to the sink. It keeps their order: when
// one has to be sent again, so have all after it, for they may correct what it
// holds. As TCP's go-back-N does, the lane then waits until no run is away, and
// sends all from the first failure on. What took effect the first time is a
// duplicate the second, and counted once.
type lane struct {
	station string
	parcels []*parcel // in order; the first has not been settled
	away    int       // given to the sender and not answered
	resting bool      // one must be sent again, and nothing new before it
	paused  bool      // waiting to do so
	pauses  int       // in a row, without a run settled
	since   time.Time // the first of these pauses
	due     time.Time // the end of this one
	err     error     // why it rests
}

// parcel is a run on its way.
type parcel struct {
	lane    *lane
	run     located
	settled bool // answered, for good
	counted bool // its outcome is in the summary
}

func (p *parcel) rows() int { return p.run.Run.Len() }

// divisible reports whether an outcome asks for the halves of a run.
func (p *parcel) divisible(o Outcome) bool {
	return errors.Is(o.Err, ErrReading) && !errors.Is(o.Err, ErrRetry) && p.rows() > 1 && !p.counted
}

// add puts a run at the end, and reports whether it may be sent at once.
func (l *lane) add(run located) (*parcel, bool) {
	p := &parcel{lane: l, run: run}
	l.parcels = append(l.parcels, p)
	if l.resting {
		return p, false
	}
	l.away++
	return p, true
}

// answer notes what became of a parcel that was away. It reports whether the
// outcome is one to count.
func (l *lane) answer(p *parcel, o Outcome) bool {
	l.away--
	if errors.Is(o.Err, ErrRetry) {
		l.resting, l.err = true, o.Err
		p.settled = false
		return false
	}
	p.settled = true
	first := !p.counted
	p.counted = true
	return first
}

// split puts two halves in the place of a parcel that was away and was refused
// for one of its readings. They are sent at once when all that is away is back,
// and all behind them again, to keep the order. As all runs that were refused are
// split together, that happens as often as a run can be halved.
func (l *lane) split(p *parcel) {
	l.away--
	l.resting = true
	first, second := p.run.halves()
	i := slices.Index(l.parcels, p)
	l.parcels = slices.Replace(l.parcels, i, i+1, &parcel{lane: l, run: first}, &parcel{lane: l, run: second})
}

// settle takes the parcels out that are settled, as are all before them, and
// returns how many observations they held. Each is given to done.
func (l *lane) settle(done func(*parcel)) (rows int) {
	for len(l.parcels) > 0 && l.parcels[0].settled {
		done(l.parcels[0])
		rows += l.parcels[0].rows()
		l.parcels[0] = nil
		l.parcels = l.parcels[1:]
		l.pauses = 0
	}
	return rows
}

// idle reports whether nothing is on its way.
func (l *lane) idle() bool { return len(l.parcels) == 0 }

// pause begins to wait before the next attempt, when all that was away is back;
// it reports whether it did.
func (l *lane) pause(now time.Time, first, most time.Duration) bool {
	if !l.resting || l.paused || l.away > 0 {
		return false
	}
	l.paused = true
	if l.err == nil {
		l.since, l.due = now, now
		return true
	}
	if l.pauses == 0 {
		l.since = now
	}
	wait := first
	for range l.pauses {
		wait = min(2*wait, most)
	}
	l.pauses = min(l.pauses+1, 64)
	l.due = now.Add(wait)
	return true
}

// resume ends the pause and returns all that is to be sent, in order.
func (l *lane) resume() []*parcel {
	l.resting, l.paused, l.err = false, false, nil
	l.away = len(l.parcels)
	for _, p := range l.parcels {
		p.settled = false
	}
	return append([]*parcel(nil), l.parcels...)
}
