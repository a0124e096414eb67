package entity_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// A chronicle is a kind of three pages, of which the log tells everything: each event
// says which command wrote it and which part of that it is, and what an answer saw
// says of which events, in which order. A command whose events include a deletion
// begins with one that says whose it is.
var (
	chronicle = entity.NewKind("chronicle")
	folios    = entity.Pages(chronicle, "folio", entity.PageCodec[*folio]{
		Version: 1,
		New:     func(name string) (*folio, error) { return &folio{number: folioNumber(name)}, nil },
		Append: func(dst []byte, f *folio) []byte {
			dst = binary.BigEndian.AppendUint64(append(dst, byte(f.number)), f.sum.digest)
			return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, f.sum.events), f.last)
		},
		Decode: func(_ uint32, b []byte) (*folio, error) {
			if len(b) != 17 {
				return nil, errors.New("a folio is cut")
			}
			return &folio{
				number: int(b[0]),
				sum:    sum{digest: binary.BigEndian.Uint64(b[1:]), events: binary.BigEndian.Uint32(b[9:])},
				last:   binary.BigEndian.Uint32(b[13:]),
			}, nil
		},
		Size: func(*folio) int { return folioBytes },
	}, func(dst []string, event any) []string {
		for _, p := range event.(postings) {
			if name := folioNames[p.folio()]; !slices.Contains(dst, name) {
				dst = append(dst, name)
			}
		}
		return dst
	}, func(f *folio, event any) {
		for _, p := range event.(postings) {
			if p.folio() == f.number {
				f.add(p)
			}
		}
	})
	// byNumber has the number of the last command on the first folio.
	byNumber = entity.IndexOf(chronicle, "number", folios, func(event any) bool {
		all, ok := event.(postings)
		return ok && slices.ContainsFunc(all, func(p posting) bool { return p.folio() == 0 })
	}, func(dst []string, f *folio) []string {
		if f.number == 0 {
			dst = append(dst, numberKey(f.last))
		}
		return dst
	})
	// post remembers what it is told to, if anything, and says what was there.
	post = entity.CommandOn(chronicle, func(dst []entity.PageRef, o order) []entity.PageRef { return o.look.needs(dst) },
		func(v *entity.View, o order) (entity.Events, sight, error) {
			seen := o.look.at(v)
			if o.refuse {
				return nil, sight{}, entity.Reject("%v", seen).Because("TOLD_TO")
			}
			var events entity.Events
			for part := range o.parts {
				if part > 0 && part == o.erase {
					events = append(events, entity.Delete())
				} else {
					events = append(events, postings{{o.number, part, o.parts}})
				}
			}
			return events, seen, nil
		})
	audit = entity.QueryOn(chronicle, func(dst []entity.PageRef, l look3) []entity.PageRef { return l.needs(dst) },
		func(v *entity.View, l look3) (sight, error) { return l.at(v), nil })
)

func init() {
	entity.Event(chronicle, "posted", entity.EventCodec[postings]{
		Version: 1,
		Append: func(dst []byte, all postings) []byte {
			for _, p := range all {
				dst = append(binary.BigEndian.AppendUint32(dst, p.number), p.part, p.parts)
			}
			return dst
		},
		Decode: func(_ uint32, b []byte) (postings, error) { return postingsOf(nil, b) },
		Join: func(into postings, _ uint32, b []byte) (postings, bool, error) {
			if len(into) == 5 {
				return nil, false, nil
			}
			all, err := postingsOf(into, b)
			return all, true, err
		},
	})
}

// folioBytes is what a folio is said to take: so much that a few dozen chronicles are
// more than the least memory holds.
const folioBytes = 12 << 10

var folioNames = []string{"a", "b", "c"}

func folioNumber(name string) int { return slices.Index(folioNames, name) }

func numberKey(n uint32) string { return fmt.Sprintf("%08d", n) }

// posting is an event, on one folio. Several of them may be joined.
type posting struct {
	number      uint32 // of the command
	part, parts uint8  // of the command, deletions included
}

type postings []posting

func (p posting) folio() int { return int(p.number+uint32(p.part)) % len(folioNames) }

func postingsOf(into postings, b []byte) (postings, error) {
	for ; len(b) >= 6; b = b[6:] {
		into = append(into, posting{binary.BigEndian.Uint32(b), b[4], b[5]})
	}
	if len(b) > 0 {
		return nil, errors.New("a posting is cut")
	}
	return into, nil
}

// order is a command: so many events, of which one may be a deletion, not the
// first.
type order struct {
	number uint32
	parts  uint8
	erase  uint8 // which part, 0 for none
	refuse bool
	look   look3
}

// look3 says which folios an answer looks at, by their bits.
type look3 uint8

func (l look3) needs(dst []entity.PageRef) []entity.PageRef {
	for i, name := range folioNames {
		if l&(1<<i) != 0 {
			dst = append(dst, folios.At(name))
		}
	}
	return dst
}

func (l look3) at(v *entity.View) (seen sight) {
	for i, name := range folioNames {
		if l&(1<<i) == 0 {
			continue
		}
		if f, ok := folios.In(v, name); ok {
			seen[i] = f.sum
		}
	}
	return seen
}

// folio is a page.
type folio struct {
	number int
	sum    sum
	last   uint32
}

func (f *folio) add(p posting) {
	f.sum.add(p)
	f.last = p.number
}

// sum stands for events in their order.
type sum struct {
	digest uint64
	events uint32
}

func (s *sum) add(p posting) {
	s.digest = s.digest*0x9e3779b97f4a7c15 + uint64(p.number)<<16 + uint64(p.part)<<8 + uint64(p.parts)
	s.events++
}

// sight is what an answer saw of the folios.
type sight [3]sum

// account is a chronicle as its events say: the dumb twin.
type account struct {
	folios [3]folio
	listed bool
}

func (a *account) apply(e chronicleEvent) {
	if e.deletes {
		*a = account{}
		return
	}
	a.folios[e.folio()].add(e.posting)
	a.listed = true
}

func (a *account) seen(l look3) (seen sight) {
	for i := range a.folios {
		if l&(1<<i) != 0 {
			seen[i] = a.folios[i].sum
		}
	}
	return seen
}

// entry returns the account's entry in the index, "" for none.
func (a *account) entry() string {
	if a.folios[0].sum.events == 0 {
		return ""
	}
	return numberKey(a.folios[0].last)
}

// chronicleEvent is an event in the log.
type chronicleEvent struct {
	posting
	deletes bool
	at      persistence.Position
}

// chronicleLog reads the events of all chronicles, as the log has them.
func chronicleLog(ctx context.Context, t *testing.T, store persistence.Store) map[string][]chronicleEvent {
	t.Helper()
	all := make(map[string][]chronicleEvent)
	for n := range persistence.Shard(store.Info().Shards) {
		s, ok, err := inspect.Open(ctx, store, n, func(f inspect.Finding) { t.Error(f) })
		if err != nil || !ok {
			t.Fatalf("shard %d can't be read: %v", n, err)
		}
		log, err := s.Log(ctx, func(_ persistence.Frame, records []persistence.Record) error {
			for _, r := range records {
				e := chronicleEvent{at: r.Position, deletes: r.Type.Name != "posted"}
				if !e.deletes {
					one, err := postingsOf(nil, r.Payload)
					if err != nil || len(one) != 1 {
						return fmt.Errorf("the event at %s is %v, %w", r.Position, one, err)
					}
					e.posting = one[0]
				}
				all[r.ID] = append(all[r.ID], e)
			}
			return nil
		})
		if err != nil || !log.Whole {
			t.Errorf("the log of shard %d can't be read, whole %t: %v", n, log.Whole, err)
		}
	}
	return all
}
