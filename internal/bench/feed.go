package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// message is a run of one station on its way.
type message struct {
	station string
	run     weather.Run
	// number and due are whose fill sets them: to know the message again.
	number int
	due    time.Time

	observe station.Observe // of run
}

// newMessages returns some messages of so many observations each, next to each
// other in memory, as a parser makes them from a batch of lines.
func newMessages(some, rows int) []message {
	messages := make([]message, some)
	times := make([]weather.Minute, some*rows)
	values := make([]weather.Value, some*rows*measures)
	columns := make([][]weather.Value, some*measures)
	for i := range columns {
		columns[i], values = values[:rows:rows], values[rows:]
	}
	for i := range messages {
		m := &messages[i]
		m.run.Times, times = times[:rows:rows], times[rows:]
		m.run.Columns, columns = columns[:measures:measures], columns[measures:]
		m.observe.Run = &m.run
	}
	return messages
}

// stream is what to feed a node with.
type stream struct {
	// rows is the number of observations of each message.
	rows int
	// inFlight is how many observations may be under way.
	inFlight int
	// fill makes the next message, or says that there is none.
	fill func(m *message) bool
	// acked, unless nil, is told of a message that is acknowledged. It is
	// called from any goroutine, many at a time.
	acked func(m *message)
	// register makes stations known by their first observation.
	register bool
	// batch is how many messages are sent at once; 0 is for as many as a batch of an
	// ingest stream has.
	batch int
}

// feed sends the messages of a stream until there are no more or ctx ends, and
// returns when all that were sent are acknowledged: how many observations these
// had. This is the only place from which observations are sent.
func feed(ctx context.Context, n *node, s stream) (observations int, err error) {
	var failed atomic.Pointer[error]
	var ended atomic.Bool // asked before each message: cheaper than ctx
	defer context.AfterFunc(ctx, func() { ended.Store(true) })()

	most := max(1, s.inFlight/s.rows)
	some := max(1, min(batchMessages, 16384/s.rows, most)) // messages at a time
	if s.batch > 0 {
		some = min(some, s.batch)
	}
	room := semaphore.NewWeighted(int64(most))
	for !ended.Load() { // and not longer; but what is begun is ended
		if err := room.Acquire(always, int64(some)); err != nil {
			return 0, err
		}
		messages := newMessages(some, s.rows)
		ids, commands := make([]string, 0, some), make([]*station.Observe, 0, some)
		for i := range messages {
			m := &messages[i]
			if ended.Load() || !s.fill(m) {
				room.Release(int64(some - i))
				ended.Store(true)
				break
			}
			m.observe.AutoRegister = s.register
			ids, commands = append(ids, m.station), append(commands, &m.observe)
			observations += s.rows
		}
		n.stations.Observe.SendAll(always, n, ids, commands, func(i int, _ station.Observed, _ entity.Token, err error) {
			switch {
			case err != nil:
				failure := err // here, so that no err else is on the heap
				failed.CompareAndSwap(nil, &failure)
				ended.Store(true)
			case s.acked != nil:
				s.acked(&messages[i])
			}
			room.Release(1)
		}, entity.Bulk())
	}
	if err := room.Acquire(always, int64(most)); err != nil {
		return 0, err
	}
	if p := failed.Load(); p != nil {
		return 0, *p
	}
	return observations, nil
}

// batchMessages is how many messages are sent at once, as a batch of an ingest
// stream is.
const batchMessages = 1024

// rounds is a stream without an end: every message of another station, round and
// round, and each round further on in time.
type rounds struct {
	sample   sample
	stations []string
	next     int // message
}

func newRounds(stations int) (*rounds, error) {
	sample, err := readings()
	if err != nil {
		return nil, err
	}
	return &rounds{sample: sample, stations: stationIDs(stations)}, nil
}

// fill makes the next message.
func (r *rounds) fill(m *message) bool {
	i := r.next % len(r.stations)
	round := r.next / len(r.stations)
	r.next++
	m.station = r.stations[i]
	r.sample.fill(&m.run, i, round*m.run.Len(), 1)
	return true
}
