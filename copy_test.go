package mesonet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/persistence/persistencetest"
	"github.com/mesonet/mesonet/persistence/transfer"
)

// A ledger is a kind of three pages, of which each event says how many lines it
// found there: evolved onto anything else it panics. "-" deletes.
type ledger struct {
	kind  *entity.Kind
	lines *entity.Index // by the last line of page a
	write *entity.Handle[*wrapperspb.StringValue, struct{}]
	read  *entity.Handle[string, string]
}

type ledgerPage struct{ lines []string }

// newLedger returns the kind, as a program has it that can't take odd lines if it
// is broken, and that has the index or not.
func newLedger(name string, broken, indexed bool) ledger {
	l := ledger{kind: entity.NewKind(name)}
	pages := entity.Pages(l.kind, "page", entity.PageCodec[*ledgerPage]{
		Version: 1,
		New:     func(string) (*ledgerPage, error) { return &ledgerPage{}, nil },
		Append:  func(dst []byte, p *ledgerPage) []byte { return append(dst, strings.Join(p.lines, ",")...) },
		Decode:  func(_ uint32, b []byte) (*ledgerPage, error) { return &ledgerPage{strings.Split(string(b), ",")}, nil },
	}, func(dst []string, event any) []string {
		return append(dst, event.(*wrapperspb.StringValue).Value[:1])
	}, func(p *ledgerPage, event any) {
		text, found, _ := strings.Cut(event.(*wrapperspb.StringValue).Value, "@")
		if n, err := strconv.Atoi(found); err != nil || n != len(p.lines) {
			panic(fmt.Sprintf("%s was written onto %s lines, and is evolved onto %d", text, found, len(p.lines)))
		}
		if broken && strings.Contains(text, "odd") {
			panic("an odd line")
		}
		p.lines = append(p.lines, text)
	})
	if indexed {
		l.lines = entity.IndexOf(l.kind, "last", pages, func(event any) bool {
			s, ok := event.(*wrapperspb.StringValue)
			return ok && s.Value[0] == 'a'
		}, func(dst []string, p *ledgerPage) []string {
			if last := p.lines[len(p.lines)-1]; last[0] == 'a' {
				dst = append(dst, last)
			}
			return dst
		})
	}
	l.write = entity.CommandOn(l.kind, func(dst []entity.PageRef, c *wrapperspb.StringValue) []entity.PageRef {
		if text := strings.TrimPrefix(c.Value, "-"); text != "" {
			dst = append(dst, pages.At(text[:1]))
		}
		return dst
	}, func(v *entity.View, c *wrapperspb.StringValue) (events entity.Events, _ struct{}, _ error) {
		text, deletes := strings.CutPrefix(c.Value, "-")
		found := 0
		if text != "" {
			if p, ok := pages.In(v, text[:1]); ok && !deletes {
				found = len(p.lines)
			}
		}
		if deletes {
			events = append(events, entity.Delete())
		}
		if text != "" {
			events = append(events, wrapperspb.String(fmt.Sprint(text, "@", found)))
		}
		return events, struct{}{}, nil
	})
	l.read = entity.QueryOn(l.kind, func(dst []entity.PageRef, name string) []entity.PageRef { return append(dst, pages.At(name)) },
		func(v *entity.View, name string) (string, error) {
			p, ok := pages.In(v, name)
			if !ok {
				return "", nil
			}
			return strings.Join(p.lines, ","), nil
		})
	return l
}

// ledgers are two kinds of them.
type ledgers [2]ledger

func newLedgers(broken, indexed bool) ledgers {
	return ledgers{newLedger("book", broken, indexed), newLedger("account", broken, indexed)}
}

func (l ledgers) kinds() []*entity.Kind { return []*entity.Kind{l[0].kind, l[1].kind} }

var (
	ledgerIDs   = []string{"ada", "bob", "cy", "dee", "eve", "flo", "gus", "hal"}
	ledgerPages = []string{"a", "b", "c"}
)

// serve opens a host. flushing stores pages all the time.
func (l ledgers) serve(t *testing.T, store persistence.Store, flushing, drop bool) *entity.Host {
	t.Helper()
	cfg := entity.DefaultHostConfig(store, "node", l.kinds()...)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.DropHistory = drop
	cfg.CheckpointEvery = time.Hour
	if flushing {
		cfg.CheckpointEvery, cfg.CheckpointBytes = time.Millisecond, 60
	}
	h, err := entity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func end(t *testing.T, h *entity.Host, crash bool) {
	t.Helper()
	if crash {
		h.Fail(errors.New("a crash"))
	}
	if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// live sends commands, and mends what is corrupt now and then.
func (l ledgers) live(t *testing.T, h *entity.Host, r *rand.Rand, commands int) {
	for n := range commands {
		k, id := l[r.IntN(2)], ledgerIDs[r.IntN(len(ledgerIDs))]
		text := fmt.Sprint(ledgerPages[r.IntN(3)], r.IntN(1000), "x", n)
		switch r.IntN(12) {
		case 0:
			text = "-"
		case 1:
			text = "-" + text
		case 2:
			text += "odd"
		}
		skip := r.IntN(3) == 0
		_, err := k.write.Ask(t.Context(), h, id, wrapperspb.String(text))
		var bad *entity.CorruptError
		if skip && errors.As(err, &bad) && bad.Event {
			_ = h.Skip(t.Context(), bad.ID, bad.Position) // a later one may be bad, too
		}
	}
}

// ended are the entities that are deleted in the tail, or in events that were set
// aside. A start of the source replays what they did before, which may be more than
// it can; one of the copy does not.
func ended(t *testing.T, store persistence.Store) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for n := range persistence.Shard(store.Info().Shards) {
		s, _, err := inspect.Open(t.Context(), store, n, func(inspect.Finding) {})
		must(t, err)
		_, err = s.LogFrom(t.Context(), s.Checkpoint, func(_ persistence.Frame, records []persistence.Record) error {
			for _, r := range records {
				if r.Type.Name == "mesonet.deleted" {
					all[r.Type.Kind+"/"+r.ID] = true
				}
			}
			return nil
		})
		must(t, err)
		for page, err := range store.Pages().Scan(t.Context(), n, persistence.PageKey{Page: "kept/"}, false) {
			must(t, err)
			id, ok := strings.CutPrefix(page.Key.Page, "kept/")
			if ok && strings.Contains(string(page.Data), "mesonet.deleted") {
				all[id] = true
			}
		}
	}
	return all
}

// isCorrupt reports whether there is damage of an entity in a store.
func (l ledgers) isCorrupt(t *testing.T, store persistence.Store, id string) bool {
	t.Helper()
	found := l.verified(t, store, nil)
	return slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "event "+id+" ") })
}

// answers are all that can be asked, but for entities that need not be what they
// were. Nor need corrupt ones be listed as they were.
func (l ledgers) answers(t *testing.T, h *entity.Host, not map[string]bool) []string {
	t.Helper()
	var all []string
	for _, k := range l {
		corrupt := make(map[string]bool)
		for _, id := range ledgerIDs {
			if not[k.kind.Name()+"/"+id] {
				corrupt[id] = true
				continue
			}
			for _, name := range ledgerPages {
				got, err := k.read.Ask(t.Context(), h, id, name)
				if err != nil {
					if !errors.Is(err, entity.ErrCorrupt) {
						t.Fatal(err)
					}
					got, corrupt[id] = "corrupt", true
				}
				all = append(all, fmt.Sprintf("%s/%s %s: %s", k.kind.Name(), id, name, got))
			}
		}
		listed, err := h.List(t.Context(), k.kind.Name(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(slices.DeleteFunc(listed, func(id string) bool { return corrupt[id] })))
		for e, err := range h.Find(t.Context(), k.lines, entity.Entry{}) {
			if err != nil {
				t.Fatal(err)
			}
			if !corrupt[e.ID] {
				all = append(all, fmt.Sprint(e))
			}
		}
	}
	return all
}

// verified are what is found in a store, without positions.
func (l ledgers) verified(t *testing.T, store persistence.Store, not map[string]bool) (all []string) {
	t.Helper()
	_, err := entity.Verify(t.Context(), store, l.kinds(), entity.DefaultVerifyConfig(), func(f inspect.Finding) {
		if id, _, _ := strings.Cut(f.Place, " "); not[id] {
			return
		}
		all = append(all, positions.ReplaceAllString(fmt.Sprint(f.Kind, " ", f.Place), "at …"))
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var positions = regexp.MustCompile(`at \d+:\d+`)

// fillStore lets nodes live on a store, of programs of all sorts, and leaves late
// frames above the seals.
func fillStore(t *testing.T, store persistence.Store, r *rand.Rand) {
	t.Helper()
	for range 1 + r.IntN(5) {
		l := newLedgers(r.IntN(4) == 0, r.IntN(4) > 0)
		h := l.serve(t, partly{store, r.Uint64() | r.Uint64(), new(atomic.Uint64)}, r.IntN(2) == 0, r.IntN(4) == 0)
		l.live(t, h, r, r.IntN(80))
		end(t, h, r.IntN(2) == 0)
	}
	for n := range persistence.Shard(store.Info().Shards) {
		row, err := store.Ownership().Shard(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, seal := range row.Seals {
			if r.IntN(3) == 0 && seal >= row.Low {
				must(t, persistencetest.Append(t.Context(), store.Log(), persistencetest.Frame(t, n, seal, 2, "late")))
			}
		}
	}
}

// storeText is all that is in a store, one event or page a line: what a failure is
// looked into with, as no seed makes goroutines take the same turns again.
func storeText(t *testing.T, store persistence.Store) string {
	t.Helper()
	var b strings.Builder
	for n := range persistence.Shard(store.Info().Shards) {
		s, _, err := inspect.Open(t.Context(), store, n, func(inspect.Finding) {})
		must(t, err)
		fmt.Fprintf(&b, "shard %d: epoch %d, low %s, seals %v, checkpoint %s\n", n, s.Row.Epoch, s.Row.Low, s.Row.Seals, s.Checkpoint)
		_, err = s.Log(t.Context(), func(_ persistence.Frame, records []persistence.Record) error {
			for _, r := range records {
				fmt.Fprintf(&b, "\t%s %s/%s %s %q\n", r.Position, r.Type.Kind, r.ID, r.Type.Name, r.Payload)
			}
			return nil
		})
		must(t, err)
		for p, err := range store.Pages().Scan(t.Context(), n, persistence.PageKey{}, false) {
			must(t, err)
			fmt.Fprintf(&b, "\t%s at %s: %q\n", p.Key, p.Position, p.Data)
		}
	}
	return b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newMemory(t *testing.T, shards uint32) persistence.Store {
	t.Helper()
	store, err := memory.New(shards)
	must(t, err)
	return store
}

// A copy answers everything as its source does, into whatever number of shards,
// goes on as that does, and has as much of the past: a verification, which makes
// all pages anew from the events, says the same of both. Some copies are broken off
// at every step and called again. Mutations seen to fail: events before a deletion
// in the tail staying there; events that were set aside left out; a skip keeping the
// position that it had; pages keeping theirs; no low mark where history was dropped;
// a shard that was begun written on in the same epoch; a resumed copy fencing itself;
// and of the runtime: a skip that leaves the stored entries of its event there.
func TestCopyAnswersAsItsSource(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 15
	}
	seed := uint64(time.Now().UnixNano())
	for round := range rounds {
		if !t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(round)))
			t.Logf("seed %d, %d", seed, round)
			from := newMemory(t, 1<<r.IntN(4))
			fillStore(t, from, r)
			to := newMemory(t, 1<<r.IntN(5))
			if r.IntN(4) == 0 {
				cfg := pebble.DefaultConfig(t.TempDir())
				cfg.Shards, cfg.MemTable = 1<<r.IntN(5), 1<<20
				disk, err := pebble.Open(t.Context(), cfg)
				must(t, err)
				defer disk.Close()
				to = disk
			}
			cfg := transfer.DefaultConfig()
			cfg.FrameBytes, cfg.FrameEvents, cfg.PageBytes = 1+r.IntN(300), 1+r.IntN(20), 1+r.IntN(500)
			copied, to := copyStore(t, from, to, cfg, r)
			good := newLedgers(false, true)
			not := make(map[string]bool)
			for id := range ended(t, from) {
				not[id] = good.isCorrupt(t, from, id)
			}
			inFrom, inTo := storeText(t, from), storeText(t, to)
			show := func() { t.Logf("the source:\n%s\nthe copy:\n%s", inFrom, inTo) }
			if diff := gocmp.Diff(good.verified(t, from, not), good.verified(t, to, not)); diff != "" {
				show()
				t.Fatalf("what is found in source and copy (%d to %d shards, %+v): %s", from.Info().Shards, to.Info().Shards, copied, diff)
			}
			again := rand.Uint64()
			for life := range 3 {
				l := newLedgers(life == 1 && again%2 == 0, true)
				var answers [2][]string
				for i, store := range []persistence.Store{from, to} {
					h := l.serve(t, store, life == 0, false)
					answers[i] = l.answers(t, h, not)
					l.live(t, h, rand.New(rand.NewPCG(again, uint64(life))), 40)
					answers[i] = append(answers[i], l.answers(t, h, not)...)
					end(t, h, life == 1)
				}
				if diff := gocmp.Diff(answers[0], answers[1]); diff != "" {
					show()
					t.Fatalf("life %d after the copy (%d to %d shards, %+v): %s", life, from.Info().Shards, to.Info().Shards, copied, diff)
				}
			}
		}) {
			return
		}
	}
}

// copyStore copies, perhaps in many steps, between which a node tries to start on
// the target. One that comes before all shards of the target are claimed spoils it.
func copyStore(t *testing.T, from, to persistence.Store, cfg transfer.Config, r *rand.Rand) (transfer.Copied, persistence.Store) {
	t.Helper()
	found := func(f inspect.Finding) { t.Errorf("found %s", f) }
	defer func() {
		if t.Failed() {
			t.Logf("the source:\n%s", storeText(t, from))
		}
	}()
	if r.IntN(3) > 0 {
		copied, err := transfer.Copy(t.Context(), from, to, cfg, found)
		must(t, err)
		return copied, to
	}
	for step := 1; ; step += 1 + r.IntN(1+step) {
		cut := &cutOff{Store: to}
		cut.left.Store(int64(step))
		copied, err := transfer.Copy(t.Context(), from, cut, cfg, found)
		if err == nil || errors.Is(err, transfer.ErrFinished) {
			return copied, to
		}
		if !errors.Is(err, errCutOff) {
			t.Fatal(err)
		}
		if _, unfinished, err := transfer.Unfinished(t.Context(), to); err != nil {
			t.Fatal(err)
		} else if !unfinished {
			continue // not begun, or done but for the answer
		}
		hc := entity.DefaultHostConfig(to, "node", newLedgers(false, true).kinds()...)
		hc.Logger = slog.New(slog.DiscardHandler)
		claimed := true
		for n := range persistence.Shard(to.Info().Shards) {
			row, err := to.Ownership().Shard(t.Context(), n)
			must(t, err)
			claimed = claimed && row.Epoch != 0
		}
		h, err := entity.Open(t.Context(), hc)
		if err == nil {
			open := h.Stats().OpenShards
			end(t, h, true)
			if open > 0 && claimed {
				t.Fatalf("a node serves %d shards of a copy that was broken off after %d steps", open, step)
			}
		} else if !errors.Is(err, persistence.ErrOwned) && !errors.Is(err, entity.ErrUnknownKind) {
			t.Fatalf("a node is refused on an unfinished copy with %v", err)
		}
		if claimed {
			continue
		}
		if copied, err = transfer.Copy(t.Context(), from, to, cfg, found); err == nil {
			return copied, to
		}
		if !errors.Is(err, transfer.ErrTaken) && !errors.Is(err, transfer.ErrNotEmpty) {
			t.Fatalf("a copy into what a node has claimed ends with %v", err)
		}
		to = newMemory(t, to.Info().Shards)
	}
}
