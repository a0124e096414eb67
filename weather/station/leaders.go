package station

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/weather"
)

// Leaders asks for the best stations of a network: the wettest, hottest, coldest or
// windiest of a year, a month, a day or an hour.
type Leaders struct {
	Measure weather.MeasureID
	Bucket  Bucket
	// K is the number of places, 1 to MostRanked.
	K int
	// Lowest ranks from below; it is not for amounts.
	Lowest bool
	// All counts erroneous values in.
	All bool
}

// Led is the answer to Leaders, or a part of it: of some shards.
type Led struct {
	// Places are the best, the first first; of two that are equal the one with the
	// lower id.
	Places []Leader
	// Asked is the number of stations that were asked, and Found that of those that
	// have values in the bucket. The others can't have had a place.
	Asked, Found int
	// Unanswered is what could not be asked: of it nothing is in the answer.
	Unanswered []Unanswered
	// Tokens say what the answer rests on, one a shard.
	Tokens []entity.Token
}

// Leader is a station that has a place.
type Leader struct {
	ID string
	Scored
}

// Unanswered is a shard, or one station of it, that could not be asked.
type Unanswered struct {
	Shard   persistence.Shard
	Station string // empty for the whole shard
	Err     error
}

// Network is where shards are looked through and stations are asked, as a node is.
type Network interface {
	entity.Locator
	// FindIn yields the entries that an index has in a shard from one on, in order
	// of key and id.
	FindIn(ctx context.Context, shard persistence.Shard, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
}

// validateLeaders returns the refusal of a question that makes no sense.
func (s *Station) validateLeaders(q *Leaders) error {
	if err := q.Bucket.Validate(); err != nil {
		return err
	}
	if err := checkPlaces(q.K); err != nil {
		return err
	}
	_, err := s.rankable(q.Measure, q.Lowest)
	return err
}

// contest returns what stations are ranked by.
func (s *Station) contest(q *Leaders) weather.Contest {
	switch sums := s.catalogue[q.Measure].Aggregate == weather.AggregateSum; {
	case sums && q.Bucket.Hourly:
		return weather.HourSums
	case sums && q.Bucket.Day != 0:
		return weather.DaySums
	case sums:
		return weather.Sums
	case q.Lowest:
		return weather.Lowest
	}
	return weather.Highest
}

// Leaders answers from some shards; [Leaders.Merge] puts the answers of others beside
// it. It is exact: the index of reaches names the stations with data in the year, or
// the month, and what each can have to show at most. They are asked from the highest
// reach down, until no other can be better than what is found: no more than there are
// places and some, where the bucket is the index's own. Nobody else wakes.
//
// A shard or a station that can't be asked is named in the answer; an error is only a
// question that makes no sense, or the end of ctx. A station whose reach changes while
// a shard is looked through may be passed over.
func (s *Station) Leaders(ctx context.Context, n Network, shards []persistence.Shard, q *Leaders, opts ...entity.Option) (*Led, error) {
	if err := s.validateLeaders(q); err != nil {
		return nil, err
	}
	l := &leading{s: s, n: n, q: q, contest: s.contest(q), opts: opts, led: &Led{}, tokens: make(map[persistence.Shard]persistence.Position)}
	for _, shard := range shards {
		before := *l.led
		before.Places, before.Unanswered = slices.Clone(before.Places), slices.Clip(before.Unanswered)
		err := l.shard(ctx, shard)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: the stations did not answer in time: %w", entity.ErrUnavailable, context.Cause(ctx))
		}
		if err != nil {
			*l.led = before // a part of a shard is none
			l.led.Unanswered = append(l.led.Unanswered, Unanswered{Shard: shard, Err: err})
			delete(l.tokens, shard)
		}
	}
	for shard, position := range l.tokens {
		l.led.Tokens = append(l.led.Tokens, entity.Token{Shard: shard, Position: position})
	}
	slices.SortFunc(l.led.Tokens, func(a, b entity.Token) int { return cmp.Compare(a.Shard, b.Shard) })
	return l.led, nil
}

// Merge puts answers together that are each of shards of their own.
func (q *Leaders) Merge(parts ...*Led) *Led {
	all := &Led{}
	for _, p := range parts {
		all.Places = append(all.Places, p.Places...)
		all.Asked, all.Found = all.Asked+p.Asked, all.Found+p.Found
		all.Unanswered = append(all.Unanswered, p.Unanswered...)
		all.Tokens = append(all.Tokens, p.Tokens...)
	}
	slices.SortFunc(all.Places, q.compare)
	all.Places = all.Places[:min(len(all.Places), q.K)]
	return all
}

// compare orders stations, the best first.
func (q *Leaders) compare(a, b Leader) int {
	byValue := cmp.Compare(b.Value, a.Value)
	if q.Lowest {
		byValue = -byValue
	}
	return cmp.Or(byValue, cmp.Compare(a.ID, b.ID))
}

// leading is an answer that is being made.
type leading struct {
	s       *Station
	n       Network
	q       *Leaders
	contest weather.Contest
	opts    []entity.Option
	led     *Led
	tokens  map[persistence.Shard]persistence.Position
}

// candidate is a station and what it can have to show at most.
type candidate struct {
	id    string
	reach int64
}

const (
	// askedTogether is how many stations are asked at a time: enough to wait for the
	// disk together.
	askedTogether = 64
	// mostNamed is how many stations of a shard may fail before all of it counts as
	// unanswered.
	mostNamed = 100
)

// shard asks the stations of a shard that can have a place. Its error is why the shard
// could not be looked through.
func (l *leading) shard(ctx context.Context, shard persistence.Shard) error {
	candidates, err := l.candidates(ctx, shard)
	if err != nil {
		return err
	}
	failed := 0
	for len(candidates) > 0 {
		n := 0
		for most := min(len(candidates), l.worthwhile()); n < most && l.mayPlace(candidates[n]); {
			n++
		}
		if n == 0 {
			return nil
		}
		asked := candidates[:n]
		candidates = candidates[n:]
		answers, err := l.ask(ctx, asked)
		if err != nil {
			return err
		}
		for _, a := range answers {
			switch {
			case a.err == nil:
				l.take(a)
			case errors.Is(a.err, entity.ErrUnavailable):
				return a.err
			case !isUnknown(a.err):
				if failed++; failed > mostNamed {
					return a.err
				}
				l.led.Unanswered = append(l.led.Unanswered, Unanswered{shard, a.ID, a.err})
			}
		}
	}
	return nil
}

// isUnknown reports whether a station has gone since it was found.
func isUnknown(err error) bool {
	var r *entity.Rejection
	return errors.As(err, &r) && r.Reason == UnknownStation
}

// worthwhile returns how many stations to ask at once: as many as there are places
// left, as each may well have one, but enough to not wait for one after the other.
func (l *leading) worthwhile() int {
	return min(max(l.q.K-len(l.led.Places), askedTogether/8), askedTogether)
}

// mayPlace reports whether a station can have a place, or is needed to know whether
// there is any data.
func (l *leading) mayPlace(c candidate) bool {
	if l.led.Found == 0 {
		return true
	}
	if l.contest.IsOfSums() && c.reach <= 0 {
		return false
	}
	if len(l.led.Places) < l.q.K {
		return true
	}
	last := l.led.Places[l.q.K-1]
	score := l.contest.Score(last.Value)
	return c.reach > score || c.reach == score && c.id < last.ID
}

// candidates returns the stations of a shard with data in the bucket's year or month,
// from the highest reach down.
func (l *leading) candidates(ctx context.Context, shard persistence.Shard) ([]candidate, error) {
	var all []candidate
	b := &l.q.Bucket
	prefix := weather.ReachPrefix(b.Year)
	known := make(map[string]bool)
	if l.q.All { // what is erroneous is in no reach
		first, last := b.months()
		from := entity.Entry{Key: erroneousKey(l.q.Measure, first)}
		for e, err := range l.n.FindIn(ctx, shard, l.s.erroneous, from) {
			if err != nil {
				return nil, err
			}
			if e.Key > erroneousKey(l.q.Measure, last) {
				break
			}
			if !known[e.ID] {
				known[e.ID] = true
				all = append(all, candidate{e.ID, math.MaxInt64})
			}
		}
	}
	for e, err := range l.n.FindIn(ctx, shard, l.s.reaches, entity.Entry{Key: prefix}) {
		if err != nil {
			return nil, err
		}
		if len(e.Key) < len(prefix) || e.Key[:len(prefix)] != prefix {
			break
		}
		r, ok, err := weather.ParseReach(e.Key, l.contest, l.q.Measure)
		if err != nil {
			return nil, fmt.Errorf("%w: the index of reaches has station %s: %w", entity.ErrCorrupt, e.ID, err)
		}
		reach := r.Year()
		if ok && b.Month != 0 {
			reach, ok = r.Month(b.Month)
		}
		if ok && !known[e.ID] {
			all = append(all, candidate{e.ID, reach})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.reach, a.reach), cmp.Compare(a.id, b.id))
	})
	return all, nil
}

// scored is what one station has answered.
type scored struct {
	Leader
	err error
}

// ask asks stations and waits until all have answered, or ctx ends.
func (l *leading) ask(ctx context.Context, some []candidate) ([]scored, error) {
	answers := make([]scored, len(some))
	tokens := make([]entity.Token, len(some))
	done := make(chan struct{}, len(some))
	for i, c := range some {
		question := &Score{Measure: l.q.Measure, Bucket: l.q.Bucket, Lowest: l.q.Lowest, All: l.q.All}
		l.s.Score.Send(ctx, l.n, c.id, question, func(r Scored, t entity.Token, err error) {
			answers[i], tokens[i] = scored{Leader{c.id, r}, err}, t
			done <- struct{}{}
		}, l.opts...)
	}
	for range some {
		select {
		case <-done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	l.led.Asked += len(some)
	for _, t := range tokens {
		if t != (entity.Token{}) {
			l.tokens[t.Shard] = max(l.tokens[t.Shard], t.Position)
		}
	}
	return answers, nil
}

// take gives a station its place, if it has one.
func (l *leading) take(a scored) {
	if a.N == 0 {
		return
	}
	l.led.Found++
	if l.contest.IsOfSums() && a.Value <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(l.led.Places, a.Leader, l.q.compare)
	if at == l.q.K {
		return
	}
	l.led.Places = slices.Insert(l.led.Places, at, a.Leader)
	l.led.Places = l.led.Places[:min(len(l.led.Places), l.q.K)]
}
