package entity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/persistence"
)

// Calls that another node's host answers go there as bytes, those of one entity
// that are linked as one packet, and come back as one. A packet is
//
//	version, flags, shard, kind, handler, id, milliseconds left, position, n, n × command
//
// and its answer n × (status, ...), see appendOutcome. Handlers go by the name of
// the Go type of their command.
//
// Rejected: numbers for handlers, agreed on when nodes meet. They save ten bytes
// of a hundred, and make the order in which a kind is declared part of a contract.

const packetVersion = 1

// packetRoom is enough for a packet with a short command, and outcomeRoom for an
// outcome with a short value.
const packetRoom, outcomeRoom = 160, 48

const (
	flagBulk = 1 << iota
	flagLinearizable
)

// Packet is calls that are on their way to another node. Exactly one of its
// methods is to be called, once.
type Packet struct {
	calls []*Call
	one   [1]*Call // where calls are, when it is one
}

// Pack appends a call, and those linked to it, to dst as one packet for
// [Host.Serve] of the node that has their shard. With an error the calls have
// ended with it.
func (c *Call) Pack(dst []byte) ([]byte, *Packet, error) {
	p := &Packet{}
	p.calls = p.one[:0]
	if dst == nil {
		dst = make([]byte, 0, packetRoom)
	}
	for next := c; next != nil; {
		p.calls = append(p.calls, next)
		next, next.next, next.run = next.next, nil, nil
	}
	var flags byte
	if c.bulk {
		flags |= flagBulk
	}
	if c.linearizable {
		flags |= flagLinearizable
	}
	left := uint64(0)
	if end, ok := c.Deadline(); ok {
		left = uint64(max(1, time.Until(end).Milliseconds()))
	}
	dst = append(dst, packetVersion, flags)
	dst = binary.AppendUvarint(dst, uint64(c.shard))
	dst = appendText(dst, c.handler.kind.name)
	dst = appendText(dst, c.handler.name)
	dst = appendText(dst, c.id)
	dst = binary.AppendUvarint(dst, left)
	dst = binary.AppendUvarint(dst, uint64(c.after))
	dst = binary.AppendUvarint(dst, uint64(len(p.calls)))
	for i, one := range p.calls {
		if one.handler != c.handler || one.id != c.id || one.after != c.after {
			return nil, nil, p.end(fmt.Errorf("entity: calls that are linked differ: %s and %s", one.ID(), c.ID()))
		}
		var err error
		if dst, err = appendSized(dst, func(dst []byte) ([]byte, error) { return c.handler.wire.appendCommand(dst, p.calls[i]) }); err != nil {
			return nil, nil, p.end(fmt.Errorf("entity: %s can't be sent to the node that has %s: %w", c.handler.name, c.ID(), err))
		}
	}
	return dst, p, nil
}

// Len is how many calls there are.
func (p *Packet) Len() int { return len(p.calls) }

// end ends all calls with an error of this program, and returns it.
func (p *Packet) end(err error) error {
	for _, c := range p.calls {
		c.finish(Token{}, err)
	}
	return err
}

// Unsent ends the calls as not having reached the other node.
func (p *Packet) Unsent(err error) {
	for _, c := range p.calls {
		c.finish(Token{}, fmt.Errorf("%w: %w: %s: %w", ErrUnavailable, ErrNotServed, c.ID(), ours(err)))
	}
}

// Overloaded ends the calls as not sent, because too much is on its way.
func (p *Packet) Overloaded(err error) {
	for _, c := range p.calls {
		c.finish(Token{}, fmt.Errorf("%w: %s: %w", ErrOverloaded, c.ID(), ours(err)))
	}
}

// Broken ends the calls as sent, without an answer: of commands nobody knows
// whether they took effect.
func (p *Packet) Broken(err error) {
	for _, c := range p.calls {
		if c.handler.query { // it may be asked again
			c.finish(Token{}, fmt.Errorf("%w: %w: %s: %w", ErrUnavailable, ErrNotServed, c.ID(), ours(err)))
			continue
		}
		c.finish(Token{}, fmt.Errorf("%w: %s: %w", ErrUnknown, c.ID(), ours(err)))
	}
}

// Answered ends the calls with what the other node's host has answered. With an
// error that was no answer, and they end as by Broken.
func (p *Packet) Answered(answer []byte) error {
	d := decoding{b: answer}
	var one [1]outcome
	outcomes := one[:]
	if len(p.calls) > 1 {
		outcomes = make([]outcome, len(p.calls))
	}
	for i := range outcomes {
		outcomes[i] = d.outcome()
	}
	if err := d.end(); err != nil {
		err = fmt.Errorf("entity: malformed answer: %w", err)
		p.Broken(err)
		return err
	}
	var bad error
	for i, c := range p.calls {
		o := outcomes[i]
		if o.err == nil {
			if err := c.handler.wire.complete(c, o.value); err != nil {
				bad = fmt.Errorf("entity: malformed reply to %s: %w", c.handler.name, err)
				(&Packet{calls: p.calls[i : i+1]}).Broken(bad)
				continue
			}
		}
		c.position = o.position
		t := Token{c.shard, o.position}
		if !o.seen {
			t = Token{}
		}
		c.finish(t, o.err)
	}
	return bad
}

// Serve answers a packet that another node's [Call.Pack] made. answer is called
// once, from any goroutine, unless there is an error: then that was no packet. It
// does not block, and does not keep b.
func (h *Host) Serve(b []byte, answer func([]byte)) error {
	in, calls, err := h.unpack(b, answer)
	if err != nil {
		return fmt.Errorf("entity: malformed call: %w", err)
	}
	if calls == nil { // answered already
		return nil
	}
	if in.left > 1 {
		run := &callRun{calls: calls[0], last: calls[len(calls)-1], length: int32(len(calls))}
		for i, c := range calls[:len(calls)-1] {
			c.next = calls[i+1]
		}
		calls[0].run = run
	}
	h.Deliver(calls[0])
	return nil
}

// ServeNot answers a packet as [Host.Serve] does of a shard that is not served here,
// for the reason given, which should match [ErrNotServed].
func (h *Host) ServeNot(b []byte, answer func([]byte), why error) error {
	_, calls, err := h.unpack(b, answer)
	if err != nil {
		return fmt.Errorf("entity: malformed call: %w", err)
	}
	for _, c := range calls {
		c.Refuse(why)
	}
	return nil
}

// unpack makes the calls of a packet.
func (h *Host) unpack(b []byte, answer func([]byte)) (*inbound, []*Call, error) {
	d := decoding{b: b}
	if v := d.byte(); d.err == nil && v != packetVersion {
		return nil, nil, fmt.Errorf("version %d, this program reads %d", v, packetVersion)
	}
	flags := d.byte()
	shard, kind, name, id := d.uint(), d.bytes(), d.bytes(), d.text()
	left, after, n := d.uint(), d.uint(), d.uint()
	switch {
	case d.err != nil:
		return nil, nil, d.err
	case shard >= uint64(len(h.shards)):
		return nil, nil, fmt.Errorf("there is no shard %d: they are 0 to %d", shard, len(h.shards)-1)
	case n == 0 || n > RunCalls:
		return nil, nil, fmt.Errorf("%d calls in one packet, not 1 to %d", n, RunCalls)
	case CheckID(id) != nil:
		return nil, nil, CheckID(id)
	}
	in := &inbound{left: int32(n), answer: answer}
	calls := in.call[:0]
	if in.outcomes = in.outcome[:]; n > 1 {
		in.outcomes, calls = make([][]byte, n), make([]*Call, 0, n)
	}
	k := h.kinds[string(kind)]
	var handler *handler
	if k != nil {
		handler = k.handlers[string(name)]
	}
	if handler == nil {
		refusal := appendOutcome(nil, nil, Token{}, fmt.Errorf("%w: this node has no kind %q that takes %s; is it of another version?", ErrUnknownKind, kind, name))
		answer(slices.Concat(slices.Repeat([][]byte{refusal}, int(n))...))
		return in, nil, nil
	}
	if h.ShardOf(ID{k.name, id}) != persistence.Shard(shard) {
		return nil, nil, fmt.Errorf("%s/%s is not of shard %d", kind, id, shard)
	}
	deadline := int64(0)
	if left > 0 {
		deadline = time.Now().Add(time.Duration(min(left, maxLeft)) * time.Millisecond).UnixNano()
	}
	for i := range int(n) {
		command := d.bytes()
		if d.err != nil {
			return nil, nil, d.err
		}
		c, err := handler.wire.serve(command, in, i)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		c.id, c.shard, c.after, c.deadline = id, persistence.Shard(shard), persistence.Position(after), deadline
		c.bulk, c.linearizable = flags&flagBulk != 0, flags&flagLinearizable != 0
		calls = append(calls, c)
	}
	return in, calls, d.end()
}

// maxLeft bounds how long somebody may wait for an answer, in milliseconds.
const maxLeft = 1 << 40

// inbound is a packet of another node that is being answered.
type inbound struct {
	left     int32
	ended    atomic.Int32
	outcomes [][]byte
	answer   func([]byte)
	// Where outcomes and calls are, when it is one.
	outcome [1][]byte
	call    [1]*Call
}

func (in *inbound) done(i int, outcome []byte) {
	in.outcomes[i] = outcome
	switch n := in.ended.Add(1); {
	case n < in.left:
	case in.left == 1:
		in.answer(outcome)
	default:
		in.answer(slices.Concat(in.outcomes...))
	}
}

// Statuses of an outcome. They are a contract between versions.
const (
	statusValue    = iota // token, reply
	statusRejected        // token, code, reason, message
	statusRefused         // token, message: an error of the kind's own
	statusUnknown         // message, as for all that follow
	statusUnavailable
	statusMoved // ... shard, node, address, epoch
	statusNotServed
	statusOverloaded
	statusCrashed
	statusCorrupt // ... position, by an event
	statusUnknownKind
	statusFailed // anything else
)

// sentinels are the errors that travel as a status and their message.
var sentinels = []struct {
	status byte
	err    error
}{ // what is more special comes first
	{statusCorrupt, ErrCorrupt},
	{statusCrashed, ErrCrashed},
	{statusOverloaded, ErrOverloaded},
	{statusUnknownKind, ErrUnknownKind},
	{statusNotServed, ErrNotServed},
	{statusUnavailable, ErrUnavailable},
	{statusUnknown, ErrUnknown},
}

// AppendOutcome appends a value, or an error, for another node, where
// [DecodeOutcome] reads it.
func AppendOutcome(dst, value []byte, err error) []byte {
	return appendOutcome(dst, value, Token{}, err)
}

// DecodeOutcome reads what AppendOutcome wrote. The error is the one of the other
// node, or says that b is malformed: then malformed is true.
func DecodeOutcome(b []byte) (value []byte, malformed bool, err error) {
	d := decoding{b: b}
	o := d.outcome()
	if err := d.end(); err != nil {
		return nil, true, fmt.Errorf("entity: malformed answer: %w", err)
	}
	return o.value, false, o.err
}

// appendOutcome appends what became of a call.
func appendOutcome(dst, value []byte, t Token, err error) []byte {
	position := func(status byte) []byte {
		return binary.AppendUvarint(append(dst, status), uint64(t.Position))
	}
	var rejection *Rejection
	var moved *MovedError
	switch {
	case err == nil:
		return append(binary.AppendUvarint(position(statusValue), uint64(len(value))), value...)
	case errors.As(err, &rejection):
		dst = append(position(statusRejected), byte(rejection.Code))
		return appendText(appendText(dst, rejection.Reason), rejection.Message)
	case errors.As(err, &moved):
		dst = appendText(append(dst, statusMoved), err.Error())
		dst = binary.AppendUvarint(dst, uint64(moved.Shard))
		dst = appendText(appendText(dst, string(moved.To)), moved.Address)
		return binary.AppendUvarint(dst, uint64(moved.Epoch))
	}
	for _, s := range sentinels {
		if !errors.Is(err, s.err) {
			continue
		}
		dst = appendText(append(dst, s.status), err.Error())
		if s.status == statusCorrupt {
			var c CorruptError
			if found, ok := errors.AsType[*CorruptError](err); ok {
				c = *found
			}
			dst = binary.AppendUvarint(dst, uint64(c.Position))
			dst = append(dst, flagOf(c.Event))
			dst = appendText(dst, causeOf(&c))
		}
		return dst
	}
	if t != (Token{}) {
		return appendText(position(statusRefused), err.Error())
	}
	return appendText(append(dst, statusFailed), err.Error())
}

func flagOf(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func causeOf(c *CorruptError) string {
	if c.Cause == nil {
		return ""
	}
	return c.Cause.Error()
}

// outcome is what became of a call at another node.
type outcome struct {
	value    []byte
	position persistence.Position
	seen     bool // there is a token
	err      error
}

// remoteError is an error of another node.
type remoteError struct {
	text string
	is   []error
}

func (e *remoteError) Error() string { return e.text }

// Unwrap returns what it is.
func (e *remoteError) Unwrap() []error { return e.is }

// outcome reads what appendOutcome wrote.
func (d *decoding) outcome() (o outcome) {
	status := d.byte()
	switch status {
	case statusValue, statusRejected, statusRefused:
		o.position, o.seen = persistence.Position(d.uint()), true
	}
	switch status {
	case statusValue:
		o.value = d.bytes()
	case statusRejected:
		o.err = &Rejection{Code: Code(d.byte()), Reason: d.text(), Message: d.text()}
	case statusMoved:
		e := &remoteError{text: d.text()}
		moved := &MovedError{Shard: persistence.Shard(d.uint()), To: persistence.NodeID(d.text()), Address: d.text(), Epoch: persistence.Epoch(d.uint())}
		e.is = []error{ErrUnavailable, moved}
		o.err = e
	case statusCorrupt:
		e := &remoteError{text: d.text()}
		corrupt := &CorruptError{Position: persistence.Position(d.uint()), Event: d.byte() == 1}
		corrupt.Cause = errors.New(d.text())
		e.is = []error{ErrCorrupt, corrupt}
		o.err = e
	case statusRefused, statusFailed:
		o.err = errors.New(d.text())
	case statusNotServed:
		o.err = &remoteError{text: d.text(), is: []error{ErrUnavailable, ErrNotServed}}
	default:
		for _, s := range sentinels {
			if s.status == status {
				o.err = &remoteError{text: d.text(), is: []error{s.err}}
				return o
			}
		}
		d.fail(fmt.Errorf("outcome %d is none", status))
	}
	return o
}

// appendText appends a text with its length.
func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendSized appends what f appends, with its length before it.
func appendSized(dst []byte, f func([]byte) ([]byte, error)) ([]byte, error) {
	at := len(dst)
	dst, err := f(append(dst, 0)) // room for a length that takes a byte, as most do
	if err != nil {
		return dst[:min(at, len(dst))], err
	}
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst, nil
	}
	var length [binary.MaxVarintLen64]byte
	return slices.Replace(dst, at, at+1, length[:binary.PutUvarint(length[:], uint64(n))]...), nil
}

// decoding reads bytes that anybody may have sent. After an error all it reads is
// zero.
type decoding struct {
	b   []byte
	err error
}

var errShort = errors.New("it ends too early")

func (d *decoding) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoding) byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	b := d.b[0]
	d.b = d.b[1:]
	return b
}

func (d *decoding) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

// bytes returns a part of what is read.
func (d *decoding) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoding) text() string { return string(d.bytes()) }

// end returns an error unless all was read.
func (d *decoding) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail(fmt.Errorf("%d bytes too many", len(d.b)))
	}
	return d.err
}
