package transport

import (
	"bytes"
	"testing"
)

func waiting(l lane, n int, body int) []item {
	var all []item
	for range n {
		all = append(all, item{
			frame: frame{what: request, lane: l, total: body, body: make([]byte, body)},
			size:  body + perMessage, end: never,
		})
	}
	return all
}

func (o *outbox) pushAll(all []item) {
	for _, it := range all {
		o.push(it)
	}
}

// bytesOf are those of each lane in a batch, and whether all that is urgent comes
// before all that is bulk.
func bytesOf(t *testing.T, b []byte) (n [lanes]int, sorted bool) {
	t.Helper()
	sorted = true
	for len(b) > 0 {
		f, rest, err := readFrame(b, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if f.lane == urgent && n[bulk] > 0 {
			sorted = false
		}
		n[f.lane] += len(b) - len(rest)
		b = rest
	}
	return n, sorted
}

// What is urgent goes first and has nearly all of a batch; bulk has its share, however
// much is urgent, and all that is left over. Batches are as long as they may be.
// Seen to fail when fill begins with bulk, and without bulkShare.
func TestLanesShareABatch(t *testing.T) {
	const size = 8000
	for _, test := range []struct {
		name               string
		urgent, bulk       int // messages
		leastUrgent, least int // bytes
	}{
		{"both have plenty", 1000, 1000, size * 7 / 8, size / bulkShare},
		{"little is urgent", 3, 1000, 300, size - 500},
		{"little is bulk", 1000, 3, size - 500, 300},
		{"only urgent", 1000, 0, size, 0},
		{"only bulk", 0, 1000, 0, size},
	} {
		t.Run(test.name, func(t *testing.T) {
			var o outbox
			o.pushAll(waiting(bulk, test.bulk, 100))
			o.pushAll(waiting(urgent, test.urgent, 100))
			b := o.fill(nil, size, open{})
			n, sorted := bytesOf(t, b)
			if n[urgent] < test.leastUrgent || n[bulk] < test.least {
				t.Errorf("%d urgent bytes, want %d, and %d of bulk, want %d", n[urgent], test.leastUrgent, n[bulk], test.least)
			}
			if len(b) < size || len(b) > size+maxHeader+100 {
				t.Errorf("a batch of %d bytes, want %d", len(b), size)
			}
			if !sorted && test.name != "little is bulk" {
				t.Error("bulk came before what is urgent")
			}
		})
	}
}

// A long message of one lane does not hold up the other.
// Seen to fail when a piece fills the rest of every batch.
func TestLongMessageGivesWay(t *testing.T) {
	var o outbox
	o.pushAll(waiting(bulk, 1, 1<<20))
	b := o.fill(nil, 1000, open{})
	if n, _ := bytesOf(t, b); n[bulk] < 1000 {
		t.Fatalf("%d bytes of the long message, alone", n[bulk])
	}
	o.pushAll(waiting(urgent, 3, 100))
	b = o.fill(nil, 1000, open{})
	if n, sorted := bytesOf(t, b); n[urgent] < 300 || !sorted {
		t.Errorf("%d urgent bytes beside it", n[urgent])
	}
}

// A batch never has more than a node takes, whatever its settings.
func TestBatchFits(t *testing.T) {
	const size = maxBatch - maxHeader
	var o outbox
	for _, n := range []int{0, 1, 100, size - 5, size, size + 1, 3 * size} {
		o.pushAll(waiting(urgent, 50, n%1000))
		o.pushAll(waiting(bulk, 2, n))
	}
	for !o.empty() {
		if b := o.fill(nil, size, open{}); len(b) > maxBatch {
			t.Fatalf("a batch of %d bytes", len(b))
		}
	}
	for _, n := range []int{0, 1, 127, 128, 1 << 14, 1<<14 - 1, maxBatch} {
		b := append(*newBatch(newBatchPool(1024)), make([]byte, n)...)
		setLength(b)
		var e envelope
		if err := e.parse(b); err != nil || !bytes.Equal(e.frames, b[framesPrefix:]) {
			t.Errorf("%d bytes come back as %d, %v", n, len(e.frames), err)
		}
	}
}

// Late items go, wherever they stand; of one that was begun the other end is told, and
// the rest stays in order.
func TestTakeLate(t *testing.T) {
	var o outbox
	all := waiting(bulk, 5, 100)
	for i := range all {
		all[i].number, all[i].kind = uint64(i), uint8(i)
		if i%2 == 0 {
			all[i].end = 5
		}
	}
	o.pushAll(all)
	a := assembly{limit: 1000}
	var got []frame
	read := func(size int) {
		var err error
		if got, err = a.read(o.fill(nil, size, open{}), got, request); err != nil {
			t.Fatal(err)
		}
	}
	read(50) // the first is begun
	if late, next := o.takeLate(4, nil); len(late) != 0 || next != 5 {
		t.Fatalf("%d late, next %d", len(late), next)
	}
	late, next := o.takeLate(5, nil)
	if len(late) != 3 || next != never || o.bytes() != 2*(100+perMessage) {
		t.Fatalf("%d late, next %d, %d bytes are left", len(late), next, o.bytes())
	}
	read(10_000)
	if len(got) != 2 || got[0].kind != 1 || got[1].kind != 3 || !o.empty() {
		t.Fatalf("got %+v", got)
	}
}
