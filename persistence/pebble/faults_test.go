package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/cockroachdb/pebble/v2/vfs/vfstest"

	"github.com/mesonet/mesonet/internal/invariant"
	"github.com/mesonet/mesonet/persistence"
)

// stride is how many points a test goes on by. Under the race detector, which is
// ten times as slow, it looks at some of them, each time at others.
var stride = map[bool]int{false: 1, true: 12}[invariant.Enabled]

// A disk that fails at any one point: what was acknowledged is there when the
// folder is opened again, nothing else is, and the store fails and closes as it
// should. Each operation on files that a run of the script does fails once, in
// each way in which it can; the power goes at each as well.
//
// Mutations seen to fail: write not asking for failed after Pebble's nil;
// guard.change returning the error (the process ends with "unlock of unlocked
// mutex", or Close hangs); guard.change going on after a failure (a sync that
// reports success after one that failed loses what was acknowledged); List and
// Stat handing their errors on; release doing nothing.
func TestFaultAtEveryPoint(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, c := range []struct {
		name string
		set  func(*disk, *nth)
	}{
		{"create", func(d *disk, f *nth) { f.meant, d.fails = ofKind(errorfs.OpCreate, errorfs.OpReuseForWrite), f.at }},
		{"write", func(d *disk, f *nth) { f.meant, d.fails = ofKind(errorfs.OpFileWrite), f.at }},
		{"half a write", func(d *disk, f *nth) { f.meant, d.tears = ofKind(errorfs.OpFileWrite), f.at }},
		{"sync", func(d *disk, f *nth) { f.meant, d.fails = isSync, f.at }},
		{"change of a folder", func(d *disk, f *nth) {
			f.meant, d.fails = ofKind(errorfs.OpRename, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpMkdirAll, errorfs.OpLock), f.at
		}},
		{"open", func(d *disk, f *nth) {
			f.meant, d.fails = ofKind(errorfs.OpOpen, errorfs.OpOpenDir, errorfs.OpStat, errorfs.OpFileStat, errorfs.OpList), f.at
		}},
		{"read", func(d *disk, f *nth) { f.meant, d.fails = ofKind(errorfs.OpFileRead, errorfs.OpFileReadAt), f.at }},
		{"write, with a large frame", func(d *disk, f *nth) { f.meant, d.fails = ofKind(errorfs.OpFileWrite), f.at }},
		{"sync, with a large frame", func(d *disk, f *nth) { f.meant, d.fails = isSync, f.at }},
		{"power", func(d *disk, f *nth) {
			f.meant, f.on, d.fails = func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }, true, f.at
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			large, stride := strings.Contains(c.name, "large"), stride
			if large {
				stride *= 5
			}
			n := 1 + rng.IntN(stride)
			for fired := true; fired; n += stride {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					fired = withFault(t, &script{t: t, large: large}, seed+uint64(n), n%3*50, func(d *disk) *nth {
						f := &nth{n: n}
						c.set(d, f)
						return f
					})
				})
			}
			if n < 20 {
				t.Errorf("the script came to %d points only", n)
			}
		})
	}
}

// The power goes while a folder is opened, and the disk keeps some changes of a
// folder and not others. Mutation seen to fail: guard.Create without the sync
// before a marker (it is left, and the MANIFEST that it names is gone).
func TestPowerLossWhileOpening(t *testing.T) {
	mem := vfs.NewCrashableMem()
	c := newScript(t)
	if err := c.session(mem, 6); err != nil {
		t.Fatal(err)
	}
	for n, met := 1, true; met; n++ {
		for seed := range uint64(max(1, 8/stride)) {
			again := whole(mem)
			d, f := newDisk(again), &nth{n: n, on: true}
			f.meant = func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }
			var left *vfs.MemFS
			f.first = func() {
				left = again.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(n), seed))})
			}
			d.fails = f.at
			if s, err := Open(t.Context(), memConfig(d.fs())); err == nil {
				_ = s.Close() // without power
			}
			if met = left != nil; !met {
				break
			}
			s, err := Open(t.Context(), memConfig(left))
			if err != nil {
				t.Fatalf("operation %d, seed %d: %v", n, seed, err)
			}
			v := c.p.check(t.Context(), s)
			if err := errors.Join(v.said, s.Close()); err != nil || len(v.wrong()) > 0 {
				t.Errorf("operation %d, seed %d: %v, %q", n, seed, err, v.wrong())
			}
		}
	}
}

// A store that has failed lets go of Pebble, which would try again and again, also
// when nobody closes the store. Mutation seen to fail: undertake returning at once.
func TestFailedStoreLetsGo(t *testing.T) {
	d := newDisk(vfs.NewCrashableMem())
	fs, open := vfstest.WithOpenFileTracking(d.fs())
	s, err := Open(t.Context(), memConfig(fs))
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.fails = ofKind(errorfs.OpFileWrite)
	d.mu.Unlock()
	if _, err := s.Ownership().Boot(t.Context(), "n", ""); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("boot: %v", err)
	}
	<-s.buried
	var files bytes.Buffer
	if open(&files); files.Len() > 0 {
		t.Errorf("before Close: %s", &files)
	}
	if err := s.Close(); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("close: %v", err)
	}
}

// A full disk, for every size of it: what fits is there, and when there is room
// again the folder can be used again.
func TestFullDisk(t *testing.T) {
	for room := 0; ; room += 4000 * stride {
		full := false
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			full = withFault(t, &script{t: t}, 0, 100, func(d *disk) *nth {
				d.limited, d.room = true, room
				return &nth{n: 1} // counts nothing; what the script returns tells
			})
		})
		if !full {
			break
		}
	}
}

// withFault runs the script on a disk with a fault, takes the power away, and
// opens what is left. It says whether it came to the fault.
func withFault(t *testing.T, c *script, seed uint64, unsynced int, set func(*disk) *nth) bool {
	mem := vfs.NewCrashableMem()
	crash := func() *vfs.MemFS {
		return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(seed, 0))})
	}
	d := newDisk(mem)
	f := set(d)
	var left *vfs.MemFS
	if f.on {
		f.first = func() { left = crash() }
	}
	fs, open := vfstest.WithOpenFileTracking(d.fs())
	c.begin()
	var err error
	for i := 0; i < 2 && err == nil; i++ {
		err = c.session(fs, 6)
	}
	if left == nil {
		left = crash()
	}
	if err != nil && !strings.Contains(err.Error(), "store") {
		t.Errorf("the error doesn't say which folder: %v", err)
	}
	var files bytes.Buffer
	if open(&files); files.Len() > 0 {
		t.Errorf("after %v:\n%s", err, &files)
	}
	s, openErr := Open(t.Context(), memConfig(left))
	if openErr != nil {
		t.Fatalf("after %v it can't be opened again: %v", err, openErr)
	}
	v := c.p.check(t.Context(), s)
	for _, wrong := range v.wrong() {
		t.Errorf("after %v: %s", err, wrong)
	}
	if err := errors.Join(v.said, c.run(s, 1), s.Close()); err != nil {
		t.Errorf("going on: %v", err)
	}
	return f.seen >= f.n || err != nil
}

// A disk that says of its syncs that they are done, and loses what they were for
// when the power goes: nothing is promised above what it really kept. What is
// there is still what was written, without a hole, and the loss is noticed as
// far as the witness goes that the disk did keep. Mutation seen to fail: hear
// saying nothing.
func TestLyingSyncs(t *testing.T) {
	for _, c := range []struct {
		name  string
		meant func(errorfs.Op) bool
		// kept says that the witness is, so that every loss is noticed.
		kept bool
	}{
		{"logs", inFile(".log", isSync), true},
		{"tables", inFile(".sst", isSync), true},
		{"MANIFEST", inFile("MANIFEST", isSync), true},
		{"the folder of the records", func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, dataFolder) && isSync(op) }, true},
		{"all records", inFile(dataFolder, isSync), true},
		{"the folder", func(op errorfs.Op) bool { return !strings.Contains(op.Path, "/") && isSync(op) }, false},
		{"everything", isSync, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			opened, refused := 0, 0
			for from, lied := 1, true; lied; from += 3 + stride/2 {
				mem := vfs.NewCrashableMem()
				d, f := newDisk(mem), &nth{meant: c.meant, n: from, on: true}
				d.lies = f.at
				s := newScript(t)
				if err := s.session(d.fs(), 4); err != nil {
					t.Fatal(err)
				}
				store, err := Open(t.Context(), memConfig(d.fs()))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(s.run(store, 4), store.testify(true)); err != nil {
					t.Fatal(err)
				}
				left := mem.CrashClone(vfs.CrashCloneCfg{})
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
				lied = f.seen >= from
				if s.p.survive(t, left, c.kept) {
					opened++
				} else {
					refused++
				}
			}
			t.Logf("opened %d times, refused %d times", opened, refused)
			if c.kept && refused == 0 {
				t.Error("nothing was lost")
			}
		})
	}
}

// survive opens what a disk has left that lied. It says whether it could.
func (p *promises) survive(t *testing.T, left *vfs.MemFS, kept bool) bool {
	s, err := Open(t.Context(), memConfig(left))
	if errors.Is(err, persistence.ErrCorrupt) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	v := p.check(t.Context(), s)
	for _, strange := range v.strange {
		t.Error(strange)
	}
	for _, gone := range v.gone {
		if kept {
			t.Errorf("not noticed: %s", gone)
		}
	}
	if err := errors.Join(v.said, s.Close()); err != nil && !errors.Is(err, persistence.ErrCorrupt) {
		t.Error(err)
	}
	return true
}
