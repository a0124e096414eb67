package pebble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mesonet/mesonet/persistence"
)

// Damage to any file of the folder: it is refused, or all is there, or what is
// damaged says so when it is read. Never is something missing without a word,
// and never is the damage made worse by looking at it.
//
// Mutations seen to fail: look not counting (damage to the MANIFEST, and a log
// file that is gone, leave out what was acknowledged); tally.add never beginning
// a leaf, or giving none to a write alone; look not hearing; look opening to use
// (the folder changes); DataCorruption not marking the store failed.
func TestDamage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, state := range []struct {
		name string
		make func(t *testing.T) (*vfs.MemFS, *promises)
	}{
		{"killed", killed},
		{"killed with logs", killedWithLogs},
		{"stopped", stopped},
	} {
		t.Run(state.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			fs, p := state.make(t)
			for _, file := range filesOf(t, fs) {
				damages := []damage{{"gone", func(fs *vfs.MemFS, file string) error { return fs.Remove(file) }}}
				points := 2
				if strings.HasSuffix(file, ".log") {
					points = 1 // Pebble takes its time to look for the bit
				}
				for range points {
					at := rng.Float64()
					damages = append(damages,
						damage{fmt.Sprintf("a bit at %.4f", at), spoil(at, func(b []byte) { b[0] ^= 1 << rng.IntN(8) })},
						damage{fmt.Sprintf("a block of zeroes at %.4f", at), spoil(at, func(b []byte) { clear(b[:min(512, len(b))]) })},
						damage{fmt.Sprintf("cut at %.4f", at), cut(at)})
				}
				for _, d := range damages {
					if stride > 1 && d.name != "gone" && rng.IntN(stride) > 0 {
						continue
					}
					t.Run(path.Base(file)+"/"+d.name, func(t *testing.T) { d.check(t, whole(fs), file, p) })
				}
			}
		})
	}
}

type damage struct {
	name string
	do   func(fs *vfs.MemFS, file string) error
}

func (d damage) check(t *testing.T, fs *vfs.MemFS, file string, p *promises) {
	if err := d.do(fs, file); err != nil {
		t.Fatal(err)
	}
	before := fs.String()
	s, err := Open(t.Context(), memConfig(fs))
	if err != nil {
		if says := err.Error(); !errors.Is(err, persistence.ErrCorrupt) && !errors.Is(err, persistence.ErrFormat) ||
			!strings.Contains(says, "folder") && !strings.Contains(says, "store/") || !strings.Contains(says, "restore") && !strings.Contains(says, "use the version") {
			t.Errorf("refused with %v, which doesn't say what is corrupt and what to do", err)
		}
		// What is only found while tables are merged fails a store in use.
		if after := fs.String(); after != before && !errors.Is(err, persistence.ErrFailed) {
			t.Errorf("the folder was refused (%v) and has changed to\n%s\nfrom\n%s", err, after, before)
		}
		return
	}
	v := p.check(t.Context(), s)
	for _, wrong := range v.wrong() {
		t.Errorf("opened without a word: %s", wrong)
	}
	if v.said != nil && !errors.Is(v.said, persistence.ErrCorrupt) {
		t.Errorf("reading what is damaged: %v", v.said)
	}
	if err := s.Close(); err != nil && !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("closing: %v", err)
	}
}

// killed returns the folder of a store that is in use, with a new witness.
func killed(t *testing.T) (*vfs.MemFS, *promises) {
	return inUse(t, 1<<20, func(c *script, s *Store) error { return c.run(s, 9) })
}

// killedWithLogs has three logs whose writes are in no table yet. Pebble's tables
// in memory begin small, and are written when they come to half of their size.
func killedWithLogs(t *testing.T) (*vfs.MemFS, *promises) {
	return inUse(t, 8<<20, func(c *script, s *Store) error {
		c.calm = true
		err := errors.Join(c.run(s, 1), c.flush(s)) // another way to come to the first of them
		for logs := int64(1); logs < 3 && err == nil; logs = s.db.Metrics().WAL.Files {
			err = c.steps(s, 5)
		}
		return errors.Join(err, c.steps(s, 5))
	})
}

func inUse(t *testing.T, memTable uint64, use func(*script, *Store) error) (*vfs.MemFS, *promises) {
	mem := vfs.NewCrashableMem()
	c := newScript(t)
	if err := c.session(mem, 6); err != nil {
		t.Fatal(err)
	}
	cfg := memConfig(mem)
	cfg.MemTable = memTable
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(use(c, s), s.testify(true)); err != nil {
		t.Fatal(err)
	}
	fs := whole(mem)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, c.p
}

func stopped(t *testing.T) (*vfs.MemFS, *promises) {
	mem := vfs.NewCrashableMem()
	c := newScript(t)
	if err := errors.Join(c.session(mem, 6), c.session(mem, 9)); err != nil {
		t.Fatal(err)
	}
	return mem, c.p
}

// whole returns a copy of a file system.
func whole(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

// filesOf returns the files of the store in their order.
func filesOf(t *testing.T, fs *vfs.MemFS) []string {
	t.Helper()
	var files []string
	for _, dir := range []string{"store", "store/" + dataFolder} {
		names, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name != dataFolder && name != lockFile {
				files = append(files, path.Join(dir, name))
			}
		}
	}
	slices.Sort(files)
	return files
}

// spoil changes the bytes from a part of a file on.
func spoil(at float64, change func([]byte)) func(*vfs.MemFS, string) error {
	return func(fs *vfs.MemFS, file string) error {
		b, err := fs.UnsafeGetFileDataBuffer(file)
		if err == nil && len(b) > 0 {
			change(b[int(at*float64(len(b))):])
		}
		return err
	}
}

// cut takes away the end of a file.
func cut(at float64) func(*vfs.MemFS, string) error {
	return func(fs *vfs.MemFS, file string) error {
		b, err := fs.UnsafeGetFileDataBuffer(file)
		if err != nil {
			return err
		}
		return writeFile(fs, file, b[:int(at*float64(len(b)))])
	}
}
