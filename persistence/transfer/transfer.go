package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// Errors of Copy, wrapped with what happened where.
var (
	// ErrDamaged: the source is damaged; found was told of it.
	ErrDamaged = errors.New("transfer: the source is damaged")
	// ErrChanged: somebody has changed the source since the copy was begun.
	ErrChanged = errors.New("transfer: the source has changed since the copy was begun")
	// ErrNotEmpty: there is something in the target that is no part of this
	// copy.
	ErrNotEmpty = errors.New("transfer: the target is not empty")
	// ErrFinished: the target is a copy that nobody has used yet, and it is
	// finished: nothing is left to do.
	ErrFinished = errors.New("transfer: the copy is finished already")
	// ErrUnfinished: the source is an unfinished copy itself.
	ErrUnfinished = errors.New("transfer: the source is an unfinished copy")
	// ErrTaken: another node, or another copy, has taken the target.
	ErrTaken = errors.New("transfer: the target was taken by another")
	// ErrDiffers: what was read back from the target is not what the source
	// has.
	ErrDiffers = errors.New("transfer: the copy differs from its source")
)

// Config says how a copy is made.
type Config struct {
	// FrameBytes and FrameEvents are about how large frames of the target get.
	FrameBytes, FrameEvents int
	// Frames is how many frames may be under way at once.
	Frames int
	// PageBytes is about how many bytes of pages are written together.
	PageBytes int
	// Progress is told now and then how far it is. Optional.
	Progress func(Progress)
}

// DefaultConfig returns the configuration that suits both kinds of stores.
func DefaultConfig() Config {
	return Config{
		FrameBytes: 1 << 20, FrameEvents: 1 << 13, // as a busy node would fill them
		Frames:    8,
		PageBytes: 1 << 20,
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	switch {
	case c.FrameBytes < 1 || c.FrameBytes > persistence.MaxFrameSize/2:
		return fmt.Errorf("transfer: frames of %d bytes are outside of 1 to %d", c.FrameBytes, persistence.MaxFrameSize/2)
	case c.FrameEvents < 1 || c.FrameEvents > persistence.MaxFrameEvents:
		return fmt.Errorf("transfer: frames of %d events are outside of 1 to %d", c.FrameEvents, persistence.MaxFrameEvents)
	case c.Frames < 1 || c.PageBytes < 1:
		return fmt.Errorf("transfer: %d frames under way and %d bytes of pages at once make no sense; begin with DefaultConfig", c.Frames, c.PageBytes)
	}
	return nil
}

// Progress says how far a copy is.
type Progress struct {
	// Part is the part of all work that is done, about: 0 to 1.
	Part float64
	// Events and Pages were written so far, by this call.
	Events, Pages int
}

// Copied says what the target has, and what of it this call has written.
type Copied struct {
	// Resumed says that a former call had begun, and Kept how many shards of
	// the target were done by then.
	Resumed bool `json:"resumed"`
	Kept    int  `json:"shards_kept"`
	// Shards that were written, with so many Entities, Events, Pages of
	// entities and Entries of indexes.
	Shards   int `json:"shards"`
	Entities int `json:"entities"`
	Events   int `json:"events"`
	Pages    int `json:"pages"`
	Entries  int `json:"entries"`
	// Late are frames of the source that count for nothing and were left out.
	Late int `json:"late_frames"`
	// Rebuilt are indexes, by kind/index, that are not complete in the source:
	// the first node that starts builds them.
	Rebuilt []string `json:"indexes_to_be_built"`
}

// Copy copies from into to, or goes on with it. found is told of damage in the
// source. It ends early with ctx, and can be called again then.
func Copy(ctx context.Context, from, to persistence.Store, cfg Config, found func(inspect.Finding)) (Copied, error) {
	c := &copying{from: from, to: to, cfg: cfg, found: found, rebuilt: make(map[string]bool)}
	if err := cfg.Validate(); err != nil {
		return c.done, err
	}
	if from.Info().ID == to.Info().ID {
		return c.done, fmt.Errorf("%w: source and target are the same store", ErrNotEmpty)
	}
	err := c.run(ctx)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx) // and not what became of what was under way
	}
	return c.done, err
}

// copying is one run of Copy.
type copying struct {
	from, to persistence.Store
	cfg      Config
	found    func(inspect.Finding)
	done     Copied
	rebuilt  map[string]bool
	target   *target
	part     float64 // of all work, when the group was begun
	weight   float64 // of the group
}

func (c *copying) run(ctx context.Context) error {
	if source, ok, err := Unfinished(ctx, c.from); err != nil {
		return err
	} else if ok {
		return fmt.Errorf("%w of the store %s; finish that first, or copy its source", ErrUnfinished, source)
	}
	begun, err := c.begin(ctx)
	if err != nil {
		return err
	}
	c.target = begun
	groups := min(c.from.Info().Shards, c.to.Info().Shards)
	for number := range groups {
		c.part, c.weight = float64(number)/float64(groups), 1/float64(groups)
		g := &group{copying: c, number: persistence.Shard(number)}
		if err := g.run(ctx); err != nil {
			return fmt.Errorf("copying what is in shard %d modulo %d: %w", number, groups, err)
		}
	}
	for name := range c.rebuilt {
		c.done.Rebuilt = append(c.done.Rebuilt, name)
	}
	if err := c.target.unchanged(ctx); err != nil {
		return err
	}
	return c.target.finish(ctx)
}

// progress tells how far the group is.
func (c *copying) progress(part float64) {
	if c.cfg.Progress != nil {
		c.cfg.Progress(Progress{Part: c.part + part*c.weight, Events: c.done.Events, Pages: c.done.Pages})
	}
}
