package pebble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

const scriptShards = 3

// script writes to a store: frames, pages, claims and deletions, so much and so
// mixed that logs are rotated and tables written and merged. It ends at the first
// error, which it returns.
type script struct {
	t    testing.TB
	p    *promises
	rng  *rand.Rand
	seqs [scriptShards]uint64
	step int
	// calm: nothing is flushed or deleted. large: one frame is larger than what
	// Pebble's table in memory takes, and goes another way through it.
	calm, large bool
}

func newScript(t testing.TB) *script {
	c := &script{t: t}
	c.begin()
	return c
}

func (c *script) begin() { c.p, c.rng = newPromises(), rand.New(rand.NewPCG(1, 2)) }

// session opens the store, runs a part of the script and closes it.
func (c *script) session(fs vfs.FS, steps int) error {
	s, err := Open(c.t.Context(), memConfig(fs))
	if err != nil {
		return err
	}
	err = c.run(s, steps)
	if errors.Is(err, persistence.ErrFailed) {
		if err := c.p.boot(s, "n"); !errors.Is(err, persistence.ErrFailed) {
			c.t.Errorf("a boot of a store that has failed: %v", err)
		}
	}
	return errors.Join(err, s.Close())
}

func (c *script) run(s *Store, steps int) error {
	if err := c.p.boot(s, "n"); err != nil {
		return err
	}
	return c.steps(s, steps)
}

func (c *script) steps(s *Store, steps int) error {
	for range steps {
		c.step++
		if err := c.one(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *script) one(s *Store) error {
	if c.step%7 == 1 { // each shard's next epoch
		for n := range persistence.Shard(scriptShards) {
			if err := c.p.claim(s, n, persistence.At(c.p.shard(n).kept.Epoch, c.seqs[n])); err != nil {
				return err
			}
			c.seqs[n] = 0
		}
	}
	size := 150
	if c.calm {
		size = 1000
	}
	outcomes := make(chan error, scriptShards)
	for n := range persistence.Shard(scriptShards) {
		at := persistence.At(c.p.shard(n).kept.Epoch, c.seqs[n])
		c.seqs[n] += 2
		text := c.text(size << c.rng.IntN(7))
		if c.large && c.step == 3 && n == 0 {
			text = c.text(300_000)
		}
		c.p.append(s, persistencetest.Frame(c.t, n, at, 2, text), func(err error) { outcomes <- err })
	}
	errs := []error{c.p.write(s, c.page(0), c.page(1), c.page(2))}
	for range scriptShards {
		errs = append(errs, <-outcomes)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	switch {
	case c.calm:
	case c.step%5 == 2:
		return c.flush(s)
	case c.step%5 == 4:
		shard := persistence.Shard(c.rng.IntN(scriptShards))
		row := c.p.shard(shard).kept
		return c.p.forget(s, shard, persistence.At(row.Epoch, c.seqs[shard]/2))
	}
	return nil
}

// page returns a new version of one of a few pages, deleted now and then.
func (c *script) page(n persistence.Shard) persistence.Page {
	return persistence.Page{
		Key:      persistence.PageKey{Shard: n, Kind: "k", ID: fmt.Sprint(c.rng.IntN(3)), Page: "p"},
		Position: persistence.At(persistence.FirstEpoch, uint64(c.step)), Version: 1,
		Deleted: c.rng.IntN(8) == 0, Data: []byte(c.text(200)),
	}
}

// text is of a length, and can't be compressed.
func (c *script) text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return string(b)
}

// flush writes the table in memory to a file, and merges what is there.
func (c *script) flush(s *Store) error {
	ctx := context.Background()
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.db.Flush(); err != nil {
		return err
	}
	if c.rng.IntN(2) == 0 {
		return s.db.Compact(ctx, []byte{0}, []byte{255}, false)
	}
	return s.failed()
}
