package journal

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/internal/invariant"
	"github.com/mesonet/mesonet/persistence"
)

// Waiter is told how a wait ended.
type Waiter interface {
	// Settled is called once: with nil when what was waited for is
	// acknowledged, with an error when it never will be by this shard. It
	// must not block.
	Settled(err error)
}

// Record is an event to append.
type Record struct {
	// Type must live as long as the shard and is compared by address.
	Type *persistence.EventType
	// Payload is copied.
	Payload []byte
}

// Writer is an entity's place in the frames of a shard: it remembers the
// entity's entry in the dictionary of the frame being filled, so that appending
// looks nothing up. It belongs to one shard and is used by one goroutine at a
// time.
type Writer struct {
	kind, id string
	frame    uint64 // number of the frame that index is for, 0 for none
	index    uint32
}

// NewWriter returns the writer of an entity.
func NewWriter(kind, id string) *Writer {
	w := MakeWriter(kind, id)
	return &w
}

// MakeWriter is NewWriter for a writer that is a part of something else. It must
// not be copied once it was used.
func MakeWriter(kind, id string) Writer { return Writer{kind: kind, id: id} }

// Shard is the log of one shard in one epoch, open for appends.
type Shard struct {
	j     *Journal
	shard persistence.Shard
	epoch persistence.Epoch

	// acked is the position below which everything is acknowledged. It only
	// rises, and only mu's holder raises it.
	acked atomic.Uint64
	// gone is set once lost is.
	gone atomic.Bool

	mu sync.Mutex
	// next is the position of the next event.
	next persistence.Position
	// frames are those not yet acknowledged, oldest first, without gaps from
	// acked to next. The first is under way if flying, the last is being
	// filled unless it is under way or full.
	frames []*frame
	flying bool
	// bulk is who waits to append, and until when.
	bulk gathering
	// queued: the shard waits for its turn, or has it.
	queued  bool
	waiting int    // bytes in frames that are not under way
	made    uint64 // frames begun so far, to number them
	// tail are the acknowledged frames from the checkpoint on, oldest first.
	tail      []span
	tailBytes int
	// checkpoint is the durable one: the log below may be deleted.
	checkpoint persistence.Position
	dropped    persistence.Position // below it the log has been deleted
	lost       error

	// lowering has room for one who raises the low mark, or hands the shard over.
	lowering chan struct{}
}

// span is the place of a frame in the tail.
type span struct {
	begin persistence.Position
	bytes int
}

// frame is a group commit in the making.
type frame struct {
	number     uint64
	first, end persistence.Position
	builder    *persistence.FrameBuilder
	kinds      []string
	types      []typeEntry
	waiters    []Waiter
	bytes      int
	full       bool
	urgent     bool // some of it is no bulk
	sent       time.Time
}

type typeEntry struct {
	typ  *persistence.EventType
	kind uint32
}

var builders = sync.Pool{New: func() any { return new(persistence.FrameBuilder) }}

// Number returns the shard's number.
func (s *Shard) Number() persistence.Shard { return s.shard }

// Epoch returns the epoch that s is open in.
func (s *Shard) Epoch() persistence.Epoch { return s.epoch }

// Acked returns the position below which everything is acknowledged.
func (s *Shard) Acked() persistence.Position { return persistence.Position(s.acked.Load()) }

// Next returns the position that the next event will have.
func (s *Shard) Next() persistence.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// Err returns why the shard is lost, nil while it is not.
func (s *Shard) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// Full returns ErrOverloaded while more bytes wait to be written than may.
// Ask before a command is decided: its state is evolved by the time its events
// are appended, and Append refuses nothing for lack of room.
func (s *Shard) Full() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting >= s.j.cfg.ShardBytes {
		return fmt.Errorf("%w: %d bytes wait in shard %d", ErrOverloaded, s.waiting, s.shard)
	}
	return nil
}

// CheckSize returns ErrTooLarge for records that Append would refuse.
func (s *Shard) CheckSize(records []Record) error {
	size := 0
	for _, r := range records {
		size += len(r.Payload)
	}
	if size > s.j.cfg.AppendBytes || len(records) > persistence.MaxFrameEvents {
		return fmt.Errorf("%w: %d events of %d bytes, at most %d bytes are taken at once", ErrTooLarge, len(records), size, s.j.cfg.AppendBytes)
	}
	return nil
}

// Append puts records into the log, in one frame, and returns the position
// after them. It only fails when the shard is lost, or with ErrTooLarge. They
// are acknowledged when a Wait for that position says so.
func (s *Shard) Append(w *Writer, records []Record) (persistence.Position, error) {
	return s.append(w, records, false)
}

// AppendBulk is Append of what is in no hurry: it may wait for more, see
// [Config.Gather].
func (s *Shard) AppendBulk(w *Writer, records []Record) (persistence.Position, error) {
	return s.append(w, records, true)
}

func (s *Shard) append(w *Writer, records []Record, bulk bool) (persistence.Position, error) {
	if err := s.CheckSize(records); err != nil {
		return 0, err
	}
	s.mu.Lock()
	if s.lost != nil {
		s.mu.Unlock()
		return 0, s.lost
	}
	f := s.filling(records)
	before := f.bytes
	f.add(w, records)
	s.waiting += f.bytes - before
	s.next += persistence.Position(len(records))
	f.end = s.next
	end := s.next
	f.urgent = f.urgent || !bulk
	wake := s.wants()
	s.mu.Unlock()
	if wake {
		s.j.enqueue(s)
	}
	return end, nil
}

// wants reports whether the shard has to be given a turn, and notes that it has been.
// Called with mu held.
func (s *Shard) wants() bool {
	if s.queued || s.flying || len(s.frames) == 0 || s.bulk.waits && !s.hurries() {
		return false
	}
	s.queued = true
	return true
}

// hurries reports whether a frame has to go though bulk gathers. Called with mu held.
func (s *Shard) hurries() bool {
	return s.frames[0].urgent || len(s.frames) > 1 || s.waiting >= s.j.cfg.ShardBytes/hurryPart
}

// hurryPart is the part of the bytes that may wait in a shard, of which no more wait for
// bulk to gather.
const hurryPart = 4

// filling returns the frame that records go into.
func (s *Shard) filling(records []Record) *frame {
	if n := len(s.frames); n > 0 && (n > 1 || !s.flying) {
		f := s.frames[n-1]
		size := f.builder.Size()
		for _, r := range records {
			size += len(r.Payload) + 16 // a record's own numbers, and its entity's name within reason
		}
		if !f.full && size <= persistence.MaxFrameSize/2 && int(f.builder.Count())+len(records) <= persistence.MaxFrameEvents {
			return f
		}
		f.full = true
	}
	s.made++
	f := &frame{number: s.made, first: s.next, end: s.next, builder: builders.Get().(*persistence.FrameBuilder)}
	s.frames = append(s.frames, f)
	return f
}

// add enters records of w's entity.
func (f *frame) add(w *Writer, records []Record) {
	if w.frame != f.number {
		w.frame, w.index = f.number, f.builder.Entity(f.kind(w.kind), w.id)
	}
	for _, r := range records {
		f.builder.Add(w.index, f.typ(r.Type), r.Payload)
	}
	f.bytes = f.builder.Size()
}

// kind and typ return a name's entry in the frame's dictionary. There are few
// of either, so a walk beats a map.
func (f *frame) kind(name string) uint32 {
	for i, k := range f.kinds {
		if k == name {
			return uint32(i)
		}
	}
	f.kinds = append(f.kinds, name)
	return f.builder.Kind(name)
}

func (f *frame) typ(t *persistence.EventType) uint32 {
	for i := range f.types {
		if f.types[i].typ == t {
			return uint32(i)
		}
	}
	k := f.kind(t.Kind)
	f.types = append(f.types, typeEntry{t, k})
	return f.builder.Type(k, t.Name, t.Version)
}

// send is the shard's turn: its oldest frame goes to the store.
func (s *Shard) send() {
	s.mu.Lock()
	if s.lost != nil || len(s.frames) == 0 {
		s.queued = false
		s.mu.Unlock()
		s.j.landed(s, false)
		return
	}
	invariant.Assert(!s.flying, "shard %d sends a frame while one is under way", s.shard)
	s.flying, s.bulk.storing = true, true
	f := s.frames[0]
	f.full = true
	s.waiting -= f.bytes
	s.mu.Unlock()

	row, err := f.builder.Build(s.shard, f.first)
	f.builder.Reset()
	builders.Put(f.builder)
	f.builder = nil
	if err != nil {
		s.j.acks.push(completion{s, f, err})
		return
	}
	f.sent = time.Now()
	stored := s.j.underWay()
	s.j.store.Log().Append(s.j.ctx, row, func(err error) {
		took := time.Since(f.sent)
		if l := s.j.cfg.Listener.FrameDurable; l != nil && err == nil {
			l(s.shard, int(row.Count), len(row.Data), took)
		}
		stored(took)
		s.gather()
		s.j.acks.push(completion{s, f, err})
	})
}

// acknowledge raises acked over f: it is durable, and checked.
func (s *Shard) acknowledge(f *frame) {
	s.mu.Lock()
	if s.lost != nil {
		s.mu.Unlock()
		s.j.landed(s, false)
		return
	}
	invariant.Assert(len(s.frames) > 0 && s.frames[0] == f && s.Acked() <= f.first,
		"shard %d acknowledges a frame at %s out of turn", s.shard, f.first)
	s.frames[0] = nil
	s.frames = s.frames[1:]
	s.flying = false
	s.acked.Store(uint64(f.end))
	s.tail = append(s.tail, span{f.first, f.bytes})
	s.tailBytes += f.bytes
	s.queued = false
	more := s.wants()
	waiters := f.waiters
	f.waiters = nil
	s.mu.Unlock()
	s.j.landed(s, more)
	s.letGo()
	for _, w := range waiters {
		w.Settled(nil)
	}
}

// GiveUp makes the shard take nothing more, because of what its user has found: a
// page of a later epoch, which says that another node has the shard. What it
// showed may be told to nobody.
func (s *Shard) GiveUp(err error) { s.lose(fmt.Errorf("%w: %w", ErrShardLost, err)) }

// lose makes the shard take nothing more and settles all waiters with err.
func (s *Shard) lose(err error) {
	s.mu.Lock()
	if s.lost != nil {
		s.mu.Unlock()
		return
	}
	s.lost = err
	s.gone.Store(true)
	var waiters []Waiter
	for _, f := range s.frames {
		waiters = append(waiters, f.waiters...)
		f.waiters = nil
	}
	s.frames, s.waiting = nil, 0
	if s.bulk.rest != nil {
		s.bulk.rest.Stop()
	}
	s.mu.Unlock()
	s.gathered()
	if l := s.j.cfg.Listener.ShardLost; l != nil {
		l(s.shard, err)
	}
	for _, w := range waiters {
		w.Settled(err)
	}
}

// Wait settles w once everything below p is acknowledged: at once when it is.
func (s *Shard) Wait(p persistence.Position, w Waiter) {
	if s.Acked() >= p {
		w.Settled(nil)
		return
	}
	if waits, err := s.join(p, w); !waits {
		w.Settled(err)
	}
}

// join adds w to the waiters of the frame that p is in. When there is nothing
// to wait for it returns false and how the wait ended.
func (s *Shard) join(p persistence.Position, w Waiter) (waits bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.Acked() >= p:
		return false, nil
	case s.lost != nil:
		return false, s.lost
	case p > s.next:
		return false, fmt.Errorf("%w: %s of shard %d, which has come to %s", ErrAhead, p, s.shard, s.next)
	}
	for _, f := range s.frames {
		if p <= f.end {
			f.waiters = append(f.waiters, w)
			return true, nil
		}
	}
	invariant.Assert(false, "shard %d has no frame for %s, acked %s, next %s", s.shard, p, s.Acked(), s.next)
	return false, fmt.Errorf("%w: no frame holds %s", ErrShardLost, p)
}

// Confirm settles w once everything below p is acknowledged and an ownership
// check that began after this call has succeeded. It is for answers that rest
// on what others wrote: an acknowledgement of p alone may come from a check
// that began before the question (I5).
func (s *Shard) Confirm(p persistence.Position, w Waiter) {
	if s.Acked() >= p {
		s.j.acks.confirm(s, w)
		return
	}
	s.Wait(p, confirmation{s, w})
}

// Recall settles w once everything below p is acknowledged: at once when it is,
// and the last ownership check is not older than Config.CheckAge. It is for
// answers from memory to a caller who asks for no more; his token sees to it that
// he never goes back. Without a recent check it is Confirm.
func (s *Shard) Recall(p persistence.Position, w Waiter) {
	switch {
	case s.Acked() < p:
		s.Wait(p, w)
	case !s.j.acks.recent():
		s.j.acks.confirm(s, w)
	case s.gone.Load():
		w.Settled(s.Err())
	default:
		w.Settled(nil)
	}
}

type confirmation struct {
	s *Shard
	w Waiter
}

func (c confirmation) Settled(err error) {
	if err != nil {
		c.w.Settled(err)
		return
	}
	c.s.j.acks.confirm(c.s, c.w)
}
