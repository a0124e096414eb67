package entity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet/persistence"
)

// A table view renders pages into rows that others read. The rows of a page are
// written when it is stored, before it: so a crash in between leaves the events in
// the tail, and they are rendered again. A row belongs to one page, and its
// position is the page's, so that a late write of a dead owner comes to nothing.
//
// What is written is the difference between the rows of the stored page and of the
// new one, if it is certain that the table has just the rows of the stored one:
// if this owner has stored it, and no write has failed since. Else a page is
// rendered whole: all its rows are put, and all others in its scope are erased, as
// of just below its position. An owner before, or a write that failed, may have
// left rows of events that have been taken back since, and of which neither page
// knows.
//
// docs/design/views.md says what was weighed instead.

// TableView is rows rendered from pages. It may be used by one host at a time.
type TableView struct {
	// Name tells views of a store apart, and stands for the place where the
	// rows are: each shard keeps under it how far the view has come. Lower case
	// letters, digits, _, . and -.
	Name string
	// Version is that of what the rows mean. When a shard has come to another,
	// everything is rendered anew.
	Version uint32
	// Tables is where the rows go, as a pointer: what several views write to the
	// same goes together.
	Tables persistence.Tables
	// Renderings say what they are.
	Renderings []*Rendering
}

// Rendering is what rows of one table a family of pages has.
type Rendering struct {
	set   *pageSet
	table *persistence.Table
	scope func(dst []persistence.Datum, name string) []persistence.Datum
	rows  func(dst, scope []persistence.Datum, page any) []persistence.Datum
}

// Render says how a family of pages is rendered into a table. The first column
// is the id of the entity. scope appends what else of the key all rows of the page
// of that name have in common: no other page may have rows that begin so. rows
// appends the rows of a page, which begin with the id and with that, in the rising
// order of their keys. Both are pure functions.
func Render[P any](of PageSet[P], table *persistence.Table,
	scope func(dst []persistence.Datum, name string) []persistence.Datum,
	rows func(dst, scope []persistence.Datum, page P) []persistence.Datum,
) *Rendering {
	return &Rendering{
		set: of.set, table: table, scope: scope,
		rows: func(dst, scope []persistence.Datum, page any) []persistence.Datum { return rows(dst, scope, page.(P)) },
	}
}

var viewName = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,99}$`)

// Validate returns an error that says what in v can't be used by a host with
// those kinds.
func (v *TableView) Validate(kinds []*Kind) error {
	if !viewName.MatchString(v.Name) {
		return fmt.Errorf("entity: the name %q of a view must be lower case letters, digits, _, . and -", v.Name)
	}
	if v.Tables == nil {
		return fmt.Errorf("entity: the view %q has no tables to write to", v.Name)
	}
	tables := make(map[string]bool)
	for _, r := range v.Renderings {
		if tables[r.table.Name] {
			return fmt.Errorf("entity: the view %q renders two families of pages into table %s: a table has one", v.Name, r.table.Name)
		}
		tables[r.table.Name] = true
		if err := r.table.Validate(); err != nil {
			return fmt.Errorf("entity: the view %q: %w", v.Name, err)
		}
		served := false
		for _, k := range kinds {
			served = served || r.set.kind == k
		}
		if !served {
			return fmt.Errorf("entity: the view %q renders pages of kind %q, which is not served", v.Name, r.set.kind.name)
		}
	}
	return nil
}

// of reports whether pages of a family have rows in the view.
func (v *TableView) of(set *pageSet) bool {
	for _, r := range v.Renderings {
		if r.set == set {
			return true
		}
	}
	return false
}

// rendered is one page on its way into tables. A state of nil has no rows.
type rendered struct {
	id, name string
	at       persistence.Position
	now      any
	whole    bool
	before   any // when it is not whole
}

// changes returns what is written; a RenderError when that can't be told.
func (v *TableView) changes(set *pageSet, p rendered) (changes []persistence.RowChange, err error) {
	err = guard("rendering it", func() error {
		for _, r := range v.Renderings {
			if r.set != set {
				continue
			}
			c, err := r.change(p)
			if err != nil {
				return err
			}
			if len(c.Put)+len(c.Erase) > 0 {
				changes = append(changes, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, &RenderError{Key: persistence.PageKey{Kind: set.kind.name, ID: p.id, Page: set.pageName(p.name)}, Cause: err}
	}
	return changes, nil
}

func (r *Rendering) change(p rendered) (c persistence.RowChange, err error) {
	c = persistence.RowChange{Table: r.table, At: p.at}
	scope := r.scope([]persistence.Datum{persistence.Text(p.id)}, p.name)
	now, err := r.rowsOf(scope, p.now)
	if err != nil {
		return c, err
	}
	if p.whole {
		c.Put, c.Erase = now, [][]persistence.Datum{scope}
		return c, nil
	}
	before, err := r.rowsOf(scope, p.before)
	if err != nil {
		return c, err
	}
	return c, r.table.Diff(&c, before, now)
}

// rowsOf returns the rows of a page, nil for none.
func (r *Rendering) rowsOf(scope []persistence.Datum, page any) ([]persistence.Datum, error) {
	var rows []persistence.Datum
	if page != nil {
		rows = r.rows(nil, scope, page)
	}
	return rows, errors.Join(r.table.CheckRows(rows), r.table.InScope(scope, rows))
}

// renderAtOnce is how many pages of a shard are rendered at once: the rows of a
// month may be half a megabyte, and wait for the tables.
const renderAtOnce = 16

// views is what an open shard knows of its views.
type views struct {
	states []*viewState
	mu     sync.Mutex
	// unsure are pages of which the tables may have other rows than those of the
	// stored one.
	unsure map[persistence.PageKey]doubt
	// After a failure, nothing is rendered until then.
	until time.Time
	pause time.Duration
	last  error
}

// doubt says why.
type doubt uint8

const (
	doubtful doubt = iota + 1 // rows were written, perhaps, and the page was not stored yet
	left                      // the page was stored without its rows
)

// errViewsWait: pages are not stored, as their rows could not be written a moment
// ago.
var errViewsWait = errors.New("entity: pages are stored once the tables of their views can be written again")

// renderPages writes the rows of pages that are about to be stored.
func (o *openShard) renderPages(ctx context.Context, pages []persistence.Page) error {
	views := o.host.host.cfg.Views
	if len(views) == 0 {
		return nil
	}
	if err := o.views.waits(); err != nil {
		return err
	}
	begin := time.Now()
	flush := ViewFlush{Shard: o.log.Number()}
	var mu sync.Mutex
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(renderAtOnce)
	for _, stored := range pages {
		set, ref := o.host.host.familyOf(stored.Key)
		if set == nil {
			continue
		}
		all.Go(func() error {
			rows, err := o.renderPage(ctx, set, ref, stored)
			mu.Lock()
			defer mu.Unlock()
			flush.Pages++
			flush.Rows += rows
			return err
		})
	}
	err := all.Wait()
	flush.Took, flush.Err = time.Since(begin), err
	o.views.pauseAfter(err, o.host.host.cfg.OpenBackoff, o.host.host.cfg.OpenBackoffMax)
	if l := o.host.host.cfg.Listener.RowsWritten; l != nil && (flush.Pages > 0 || err != nil) {
		l(flush)
	}
	return err
}

// waits returns an error while the tables are given a pause.
func (s *views) waits() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.until) {
		return fmt.Errorf("%w: %w", errViewsWait, s.last)
	}
	return nil
}

func (s *views) pauseAfter(err error, least, most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.pause, s.until, s.last = 0, time.Time{}, nil
		return
	}
	s.pause = min(max(least, 2*s.pause), most)
	s.until, s.last = time.Now().Add(s.pause), err
}

// renderPage writes the rows of a page in all views.
func (o *openShard) renderPage(ctx context.Context, set *pageSet, name string, stored persistence.Page) (rows int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := rendered{id: stored.Key.ID, name: name, at: stored.Position}
	if p.before, p.whole, err = o.before(ctx, set, stored.Key); err != nil {
		return 0, err
	}
	o.views.note(stored.Key, doubtful)
	if p.now, err = set.stateOf(stored); err != nil {
		err = &RenderError{Key: stored.Key, Cause: err}
	}
	p.whole = p.whole || p.now == nil // one range goes, not every row
	unread := err
	all := make(map[persistence.Tables][]persistence.RowChange)
	for _, s := range o.views.states {
		changes, err := []persistence.RowChange(nil), unread
		if err == nil {
			changes, err = s.view.changes(set, p)
		}
		// A page that can't be rendered can't be the next time either. The rest
		// goes on without it, and the view is known to be incomplete.
		if broken := (*RenderError)(nil); errors.As(err, &broken) {
			o.views.note(stored.Key, left)
			err = o.leaveOut(ctx, s, broken)
		}
		if err != nil {
			return 0, err
		}
		if len(changes) > 0 {
			all[s.view.Tables] = append(all[s.view.Tables], changes...)
		}
	}
	for tables, changes := range all { // those of one place at once
		if err := tables.Change(ctx, changes); err != nil {
			return 0, fmt.Errorf("entity: the rows of page %s: %w", stored.Key, err)
		}
		for _, c := range changes {
			rows += len(c.Put)/len(c.Table.Columns) + len(c.Erase)
		}
	}
	return rows, nil
}

// RenderError says that the rows of a page can't be told: a bug in what renders
// it.
type RenderError struct {
	Key   persistence.PageKey
	Cause error
}

// Error says which page, and why.
func (e *RenderError) Error() string {
	return fmt.Sprintf("entity: page %s can't be rendered: %v", e.Key, e.Cause)
}

// Unwrap returns why.
func (e *RenderError) Unwrap() error { return e.Cause }

// before returns the stored page, or says that the page has to be rendered whole.
func (o *openShard) before(ctx context.Context, set *pageSet, key persistence.PageKey) (state any, whole bool, err error) {
	if o.views.noted(key) {
		return nil, true, nil
	}
	old, err := o.host.host.cfg.Store.Pages().Read(ctx, key)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		old.Deleted = true // beside its position, or never written
	case errors.Is(err, persistence.ErrCorrupt):
		return nil, true, nil
	case err != nil:
		return nil, false, err
	}
	if old.Position < o.begin() {
		return nil, true, nil
	}
	state, err = set.stateOf(old)
	return state, err != nil, nil
}

func (s *views) note(key persistence.PageKey, d doubt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsure == nil {
		s.unsure = make(map[persistence.PageKey]doubt)
	}
	s.unsure[key] = d
}

func (s *views) noted(key persistence.PageKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsure[key] != 0
}

// stored takes note that pages are, with the rows that were written.
func (s *views) stored(pages []persistence.Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pages {
		if s.unsure[p.Key] == doubtful {
			delete(s.unsure, p.Key)
		}
	}
}

// familyOf returns the family of a page that has rows in a view, nil when it has
// none, and its name in the family.
func (h *Host) familyOf(key persistence.PageKey) (*pageSet, string) {
	k := h.kinds[key.Kind]
	if k == nil {
		return nil, ""
	}
	ref, ok := k.pageNamed(key.Page)
	if !ok {
		return nil, ""
	}
	for _, v := range h.cfg.Views {
		if v.of(ref.set) {
			return ref.set, ref.name
		}
	}
	return nil, ""
}

// stateOf returns what a stored page holds, nil when it is deleted.
func (s *pageSet) stateOf(stored persistence.Page) (state any, err error) {
	if stored.Deleted {
		return nil, nil
	}
	if stored.Version > s.version {
		return nil, fmt.Errorf("entity: page %s has version %d, and this program knows version %d", stored.Key, stored.Version, s.version)
	}
	err = guard("reading it", func() error {
		state, err = s.decode(stored.Version, stored.Data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("entity: page %s: %w", stored.Key, err)
	}
	return state, nil
}
