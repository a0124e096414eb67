package entity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// To verify a store is to do again what made it. Each shard's log is walked over
// with package inspect, which looks at frames, seals and checkpoints, and its
// pages are read; then the entities' histories are replayed, and every page is
// compared, byte for byte, with what the events below its position make. Last,
// each entity is brought back as a start would do it, with the events from the
// checkpoint on, and the entries of indexes are compared with those that follow
// from its pages on the way.
//
// The log is streamed, and read at least twice: an event is skipped by one that
// comes after it. Where the pages of a shard would take more memory than they
// may, its entities are parted by their hash and the log is read once for each
// part. So memory is bounded by the limit, the longest tail of a shard, and the
// largest entity.

// VerifyConfig says how a store is verified.
type VerifyConfig struct {
	// Memory is about how many bytes the pages that are made anew may take at
	// a time.
	Memory int64
	// Progress is told now and then how far it is. Optional.
	Progress func(VerifyProgress)
}

// DefaultVerifyConfig returns the configuration that suits most machines.
func DefaultVerifyConfig() VerifyConfig {
	return VerifyConfig{Memory: 256 << 20} // the pages of a shard of 32, for ten thousand stations with years of readings
}

// Validate returns an error that says what in c can't be used.
func (c VerifyConfig) Validate() error {
	if c.Memory < 1 {
		return fmt.Errorf("entity: verifying needs memory, not %d bytes; begin with DefaultVerifyConfig", c.Memory)
	}
	return nil
}

// VerifyProgress says how far it is.
type VerifyProgress struct {
	// Part is the part of all work that is done, about: 0 to 1.
	Part float64
	// Events were read, each as often as it had to be.
	Events int
	// Findings so far.
	Findings int
}

// Verified says what was looked at.
type Verified struct {
	Shards int `json:"shards"`
	// Frames and Events of the log, with Bytes as they are stored.
	Frames int   `json:"frames"`
	Events int   `json:"events"`
	Bytes  int64 `json:"bytes"`
	// Entities that there are, and their Pages, of which so many were Compared
	// with what their history makes.
	Entities int `json:"entities"`
	Pages    int `json:"pages"`
	Compared int `json:"compared"`
	// Entries of indexes.
	Entries int `json:"entries"`
	// Passes over the logs, one a shard where its pages fit into memory.
	Passes int `json:"passes"`
	// Findings that were told.
	Findings int `json:"findings"`
	// Unchecked is what could not be compared, and why.
	Unchecked []Unchecked `json:"unchecked"`
}

// Unchecked are so many pages, or entries, that could not be compared for a
// reason.
type Unchecked struct {
	Reason string `json:"reason"`
	Number int    `json:"number"`
}

// Verify looks whether everything in a store is as it should be, and tells found
// of what is not. Nobody may serve from the store meanwhile. kinds are those of
// the program: its functions decide what the events make. It changes nothing; an
// error is what kept it from going on.
func Verify(ctx context.Context, store persistence.Store, kinds []*Kind, cfg VerifyConfig, found func(inspect.Finding)) (Verified, error) {
	v := &verifier{store: store, cfg: cfg, kinds: make(map[string]*Kind), unknown: make(map[string]bool), unchecked: make(map[string]int)}
	errs := []error{cfg.Validate()}
	if len(kinds) == 0 {
		errs = append(errs, errors.New("entity: verifying needs the kinds of the program"))
	}
	for _, k := range kinds {
		errs = append(errs, k.Validate())
		v.kinds[k.name] = k
	}
	if err := errors.Join(errs...); err != nil {
		return Verified{}, err
	}
	v.tell = func(f inspect.Finding) {
		v.done.Findings++
		found(f)
	}
	for n := range persistence.Shard(store.Info().Shards) {
		v.number = n
		if err := v.shard(ctx); err != nil {
			return v.done, fmt.Errorf("entity: shard %d can't be verified: %w", n, err)
		}
		v.done.Shards++
	}
	v.done.Unchecked = []Unchecked{}
	for why, n := range v.unchecked {
		v.done.Unchecked = append(v.done.Unchecked, Unchecked{why, n})
	}
	slices.SortFunc(v.done.Unchecked, func(a, b Unchecked) int { return b.Number - a.Number })
	return v.done, nil
}

// verifier is one run of Verify.
type verifier struct {
	store     persistence.Store
	cfg       VerifyConfig
	kinds     map[string]*Kind
	tell      func(inspect.Finding)
	unknown   map[string]bool // kinds that were told of
	unchecked map[string]int
	done      Verified
	events    int // read, over all passes
	told      int // of them, when Progress was told last

	number persistence.Shard
	walked float64 // part of the shard that is done
}

// Why something could not be compared.
const (
	damagedShard   = "their shard is damaged"
	historyDropped = "their history was dropped"
	unreadable     = "an event of their entity can't be used"
	otherVersion   = "they, or other pages of their entity, can't be read"
	earlierVersion = "they were written by an earlier version of the program, and are replaced when they change"
	noSuchKind     = "this program does not have their kind, or index"
	notBuilt       = "their index is not complete; the next start builds it"
)

// shard verifies a shard.
func (v *verifier) shard(ctx context.Context) error {
	s, ok, err := inspect.Open(ctx, v.store, v.number, v.tell)
	if err != nil || !ok {
		return err
	}
	v.walked = 0
	plan := &verifyPlan{verifier: v, checkpoint: s.Checkpoint, skipped: make(map[persistence.Position]bool), complete: make(map[string]bool)}
	log, err := s.Log(ctx, plan.frame)
	if err != nil {
		return err
	}
	pages, err := s.Pages(ctx, log, plan.page)
	if err != nil {
		return err
	}
	v.done.Frames, v.done.Events, v.done.Bytes = v.done.Frames+log.Frames, v.done.Events+log.Events, v.done.Bytes+log.Bytes
	v.done.Pages += pages.Pages
	for _, n := range pages.Entities {
		v.done.Entities += n
	}
	if !log.Whole || !pages.Whole {
		v.leave(damagedShard, pages.Pages+plan.entries)
		return nil
	}
	v.done.Entries += plan.entries
	parts := max(1, min(int((plan.weight+v.cfg.Memory-1)/v.cfg.Memory), plan.entities))
	for part := range parts {
		p := &verifyPass{verifyPlan: plan, shard: s.Quiet(), part: part, parts: parts, low: s.Row.Low, subjects: make(map[ID]*subject)}
		v.walked = float64(part+1) / float64(parts+1)
		v.done.Passes++
		if err := p.run(ctx, log); err != nil {
			return err
		}
	}
	return nil
}

// leave takes note of what can't be compared.
func (v *verifier) leave(why string, n int) {
	if n > 0 {
		v.unchecked[why] += n
	}
}

// read counts events that were read, and tells how far it is.
func (v *verifier) read(events int) {
	v.events += events
	if v.cfg.Progress != nil && (v.told == 0 || v.events-v.told >= progressEvery) {
		v.told = v.events
		v.cfg.Progress(VerifyProgress{
			Part:   (float64(v.number) + v.walked) / float64(v.store.Info().Shards),
			Events: v.events, Findings: v.done.Findings,
		})
	}
}

// progressEvery is after how many events Progress is told: some tens of
// milliseconds.
const progressEvery = 1 << 14

// found tells of damage at an entity.
func (v *verifier) found(kind inspect.Kind, id ID, page, advice, format string, args ...any) {
	place := id.String()
	if page != "" {
		place += " " + page
	}
	v.tell(inspect.Finding{Kind: kind, Shard: v.number, Place: place, Reason: fmt.Sprintf(format, args...), Advice: advice})
}
