package persistencetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/mesonet/mesonet/persistence"
)

// ErrInjected is what operations return that were made to fail. It is none of
// the errors of package persistence: the outcome of a write is unknown.
var ErrInjected = errors.New("persistencetest: injected fault")

// Fault is one way in which operations on a [Faulty] go wrong. The functions
// that are set say how; those below make faults, the methods narrow one down.
// Several faults can meet one operation: each has its effect, and the first
// error is the outcome.
type Fault struct {
	// Name is what messages call it.
	Name string
	// On says which operations the fault is for; nil: all.
	On func(Op) bool
	// Before is called before the operation reaches the store behind, and may
	// block. An error is the outcome, and the store is not reached.
	Before func(context.Context, Op) error
	// After is called when the store has done what was asked for. An error is
	// the outcome: the reply is lost. For appends it must not block.
	After func(context.Context, Op) error
	// Late lets an append end with an error at once, and gives the frame to
	// the store at [Faulty.Deliver].
	Late bool
	// Write changes a frame on its way into the store, for good.
	Write func(persistence.Frame) persistence.Frame
	// Frame is called with each frame that a read of the log yields, and its
	// number, from 0. An error ends the read.
	Frame func(n int, f persistence.Frame) (persistence.Frame, error)
	// Page is the same for a page that is read, or that a scan yields.
	Page func(persistence.Page) (persistence.Page, error)
	// Pick, if set, draws the fault that an operation meets, nil for none.
	// The fields above are not used then.
	Pick func(Op) *Fault
}

func (f *Fault) err() error { return fmt.Errorf("%w: %s", ErrInjected, f.Name) }

// Only returns a fault for those of f's operations for which cond is true. It is
// asked once an operation, in the order in which they begin.
func (f *Fault) Only(cond func(Op) bool) *Fault {
	g, on := *f, f.On
	g.On = func(op Op) bool { return (on == nil || on(op)) && cond(op) }
	return &g
}

// Of returns a fault for f's operations on one shard.
func (f *Fault) Of(shard persistence.Shard) *Fault {
	return f.Only(func(op Op) bool { return op.Shard == shard })
}

// Nth returns a fault for the n-th of f's operations, from 1.
func (f *Fault) Nth(n int) *Fault {
	seen := 0
	return f.Only(func(Op) bool { seen++; return seen == n })
}

// Times returns a fault for the first n of f's operations.
func (f *Fault) Times(n int) *Fault {
	seen := 0
	return f.Only(func(Op) bool { seen++; return seen <= n })
}

// Fail lets operations fail before they reach the store; all kinds for none.
func Fail(kinds ...OpKind) *Fault {
	f := &Fault{Name: "failed before it took effect", On: is(kinds)}
	f.Before = func(context.Context, Op) error { return f.err() }
	return f
}

// LoseReply lets operations take effect and then fail.
func LoseReply(kinds ...OpKind) *Fault {
	f := &Fault{Name: "the reply was lost", On: is(kinds)}
	f.After = func(context.Context, Op) error { return f.err() }
	return f
}

// Late lets appends fail at once whose frames reach the store when the test
// delivers them, in any order, or never. It is for stores that are not local.
func Late() *Fault {
	return &Fault{Name: "no answer, and the frame is under way", On: is([]OpKind{OpAppend}), Late: true}
}

// Delay gives others a turn before each operation, several turns now and then.
func Delay(seed uint64, kinds ...OpKind) *Fault {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 1))
	return &Fault{Name: "delayed", On: is(kinds), Before: func(context.Context, Op) error {
		mu.Lock()
		turns := rng.IntN(1 << rng.IntN(10))
		mu.Unlock()
		yield(turns)
		return nil
	}}
}

// BreakRead lets reads of the log and scans yield n records and then fail.
func BreakRead(n int) *Fault {
	f := &Fault{Name: "the read broke off", On: is([]OpKind{OpReadLog})}
	f.Frame = func(i int, frame persistence.Frame) (persistence.Frame, error) {
		if i == n {
			return persistence.Frame{}, f.err()
		}
		return frame, nil
	}
	return f
}

// CorruptReads lets reads of the log yield frames with a byte that is not what
// was stored, at a part of the frame from 0 to 1.
func CorruptReads(at float64) *Fault {
	return &Fault{Name: "frames are damaged", On: is([]OpKind{OpReadLog}), Frame: func(_ int, f persistence.Frame) (persistence.Frame, error) {
		return flip(f, at), nil
	}}
}

// CorruptFrames lets appended frames reach the store with a byte changed, and
// reports success: what is stored is damaged, and stays so.
func CorruptFrames(at float64) *Fault {
	return &Fault{Name: "frames are stored damaged", On: is([]OpKind{OpAppend}), Write: func(f persistence.Frame) persistence.Frame {
		return flip(f, at)
	}}
}

func flip(f persistence.Frame, at float64) persistence.Frame {
	data := append([]byte(nil), f.Data...)
	data[min(int(at*float64(len(data))), len(data)-1)] ^= 0x40
	f.Data = data
	return f
}

// CorruptPages lets pages be read as a store reads a cell of which a byte has
// changed: they are corrupt. While the fault is there, so is the damage.
func CorruptPages() *Fault {
	return &Fault{Name: "pages are damaged", On: is([]OpKind{OpReadPage, OpScan}), Page: func(p persistence.Page) (persistence.Page, error) {
		cell := persistence.EncodePage(p)
		cell[len(cell)/2] ^= 0x40
		return persistence.DecodePage(p.Key, cell)
	}}
}

// Random returns a schedule of faults: each operation meets, with a probability
// of rate, one of faults that is for it, drawn by seed. The same seed draws the
// same for the same operations in the same order.
func Random(seed uint64, rate float64, faults ...*Fault) *Fault {
	var mu sync.Mutex
	faults = slices.Clone(faults)
	rng := rand.New(rand.NewPCG(seed, 2))
	return &Fault{Name: "random", Pick: func(op Op) *Fault {
		mu.Lock()
		defer mu.Unlock()
		if rng.Float64() >= rate {
			return nil
		}
		rng.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		for _, f := range faults {
			if f.On == nil || f.On(op) {
				return f
			}
		}
		return nil
	}}
}

// Ordinary returns the faults that every user of a store has to live with:
// errors before and after an operation took effect, delays, reads that break
// off; and frames that come late, if the store is remote.
func Ordinary(seed uint64, remote bool) []*Fault {
	faults := []*Fault{Fail(), LoseReply(), Delay(seed), BreakRead(0), BreakRead(1)}
	if remote {
		faults = append(faults, Late())
	}
	return faults
}
