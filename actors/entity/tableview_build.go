package entity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesonet/mesonet/persistence"
)

// A view may be switched on in a store that has pages already, and may have been
// off for a while. So each shard keeps a page viewed/name that says how far the
// view has come in it. Where there is none, all stored pages are rendered in the
// background, and the page says how far that is, so that it goes on after a
// restart, by whomever. It goes before the shard is served by a program without
// the view: from then on nobody keeps the rows.
//
// What is built has a position just below the epoch, and so comes to nothing where
// the owner stores the page meanwhile: that is rendered whole the first time, at a
// position of the epoch. Pages that this epoch has stored are left out, therefore.
// In the end, what is older than the beginning of the build is erased of all
// entities of the shard that have rows: of those that were deleted while the view
// was off, no page tells any more.

const viewPrefix = "viewed/"

// viewRecord is what that page says, as JSON.
type viewRecord struct {
	Version uint32 `json:"version"`
	// Since is where the build began: all rows below are erased in its end.
	Since persistence.Position `json:"since"`
	// The pages up to that one have been rendered.
	Kind string `json:"kind,omitempty"`
	ID   string `json:"id,omitempty"`
	Page string `json:"page,omitempty"`
	// Pages is how many.
	Pages int  `json:"pages"`
	Done  bool `json:"done"`
	// Broken says that a page was left out: the next opening builds anew.
	Broken bool `json:"broken,omitempty"`
}

// viewState is a view in an open shard.
type viewState struct {
	view *TableView

	mu     sync.Mutex
	record viewRecord
	// stored counts what was stored of the record in this epoch: it is the
	// position of the page, which says nothing of the log.
	stored uint64
}

// ViewProgress is how far a view has come on a host.
type ViewProgress struct {
	Name    string
	Version uint32
	// Shards is how many are open, and Complete how many of them have all their
	// pages in the tables.
	Shards, Complete int
	// Pages is how many pages were rendered to get there, beside those that
	// were as they were stored.
	Pages int
}

// Views says how far the views have come in the shards of this host.
func (h *Host) Views() []ViewProgress {
	all := make([]ViewProgress, len(h.cfg.Views))
	for i, v := range h.cfg.Views {
		all[i] = ViewProgress{Name: v.Name, Version: v.Version}
	}
	for _, s := range h.shards {
		o := s.open.Load()
		if o == nil {
			continue
		}
		for i, v := range o.views.states {
			v.mu.Lock()
			all[i].Shards++
			all[i].Pages += v.record.Pages
			if v.record.Done && !v.record.Broken {
				all[i].Complete++
			}
			v.mu.Unlock()
		}
	}
	return all
}

func viewKey(shard persistence.Shard, name string) persistence.PageKey {
	return persistence.PageKey{Shard: shard, Page: viewPrefix + name}
}

// openViews finds out how far the views have come.
func (o *openShard) openViews(ctx context.Context, records map[string]viewRecord) error {
	for _, v := range o.host.host.cfg.Views {
		s := &viewState{view: v, record: records[v.Name]}
		delete(records, v.Name)
		if s.record.Version != v.Version || s.record.Since == 0 || s.record.Broken {
			s.record = viewRecord{Version: v.Version, Since: o.begin() - 1}
		}
		o.views.states = append(o.views.states, s)
	}
	var gone []persistence.Page
	for name := range records {
		// Above what said so in any epoch before, and below what says so in
		// this one.
		gone = append(gone, persistence.Page{Key: viewKey(o.log.Number(), name), Position: o.begin() - 1, Version: 1, Deleted: true})
	}
	if len(gone) == 0 {
		return nil
	}
	return o.host.host.cfg.Store.Pages().Write(ctx, gone)
}

func (o *openShard) recordedViews(ctx context.Context) (map[string]viewRecord, error) {
	records := make(map[string]viewRecord)
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), persistence.PageKey{Page: viewPrefix}, false) {
		if err != nil {
			return nil, err
		}
		name, ok := strings.CutPrefix(page.Key.Page, viewPrefix)
		if page.Key.Kind != "" || !ok {
			break
		}
		var r viewRecord
		if err := json.Unmarshal(page.Data, &r); err != nil {
			r = viewRecord{} // a build does no harm
		}
		records[name] = r
	}
	return records, nil
}

// save stores the record, as it is changed by change.
func (o *openShard) save(ctx context.Context, s *viewState, change func(*viewRecord)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record
	change(&r)
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("entity: the progress of the view %q: %w", s.view.Name, err)
	}
	s.stored++
	page := persistence.Page{
		Key: viewKey(o.log.Number(), s.view.Name), Position: o.begin() + persistence.Position(s.stored), Version: 1, Data: data,
	}
	if err := o.host.host.cfg.Store.Pages().Write(ctx, []persistence.Page{page}); err != nil {
		return err
	}
	s.record = r
	return nil
}

// leaveOut takes note that the rows of a page in a view are not those of the stored
// page. The next opening builds the view anew; by then, the program may be another.
func (o *openShard) leaveOut(ctx context.Context, s *viewState, broken *RenderError) error {
	o.host.host.cfg.Logger.Error("a page can't be rendered; its rows in the tables stay as they are, and the next start tries again",
		"page", broken.Key.String(), "view", s.view.Name, "error", broken.Cause)
	return o.save(ctx, s, func(r *viewRecord) { r.Broken = true })
}

// buildViews renders the stored pages into views that are not complete, on a
// goroutine of its own, one shard of the host at a time.
func (o *openShard) buildViews() {
	var missing []*viewState
	for _, s := range o.views.states {
		if !s.record.Done {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return
	}
	o.inTurn(func() {
		for _, s := range missing {
			o.buildViewUntilDone(s)
		}
	})
}

// buildViewUntilDone builds a view, as often as it takes.
func (o *openShard) buildViewUntilDone(s *viewState) {
	log := o.host.host.cfg.Logger.With("shard", o.log.Number(), "view", s.view.Name)
	var begin time.Time
	if o.tryUntilDone(log, "pages can't be rendered; trying again", func() error {
		begin = time.Now()
		return o.buildView(o.ctx, s)
	}) {
		log.Info("the pages of a shard were rendered", "pages", s.record.Pages, "took", time.Since(begin))
	}
}

// renderChunk is how many pages are rendered between two notes of how far it came.
const renderChunk = 64

// buildView renders what is stored behind the record, and erases what is older.
func (o *openShard) buildView(ctx context.Context, s *viewState) error {
	for {
		pages, last, err := o.pagesBehind(ctx, s)
		if err != nil {
			return err
		}
		all, limited := errgroup.WithContext(ctx)
		all.SetLimit(renderAtOnce)
		for _, page := range pages {
			all.Go(func() error { return o.renderStored(limited, s, page) })
		}
		if err := all.Wait(); err != nil {
			return err
		}
		if last == (persistence.PageKey{}) {
			break
		}
		err = o.save(ctx, s, func(r *viewRecord) {
			r.Kind, r.ID, r.Page = last.Kind, last.ID, last.Page
			r.Pages += len(pages)
		})
		if err != nil {
			return err
		}
	}
	if err := o.eraseOld(ctx, s); err != nil {
		return err
	}
	return o.save(ctx, s, func(r *viewRecord) { r.Done = true })
}

// pagesBehind returns the next pages that have rows and were stored before this
// epoch, and the last page that was looked at, if any.
func (o *openShard) pagesBehind(ctx context.Context, s *viewState) (pages []persistence.Page, last persistence.PageKey, err error) {
	s.mu.Lock()
	from := persistence.PageKey{Kind: s.record.Kind, ID: s.record.ID, Page: s.record.Page + "\x00"}
	s.mu.Unlock()
	if from.Kind == "" {
		from = persistence.PageKey{Kind: "\x01"} // behind the shard's own
	}
	looked := 0
	for page, err := range o.host.host.cfg.Store.Pages().Scan(ctx, o.log.Number(), from, false) {
		switch {
		case errors.Is(err, persistence.ErrCorrupt) && page.Key.Kind != "":
			o.host.host.cfg.Logger.Error("a page can't be read, so its rows can't be rendered", "page", page.Key.String(), "view", s.view.Name, "error", err)
		case err != nil:
			return nil, last, err
		default:
			set, _ := o.host.host.familyOf(page.Key)
			if set != nil && s.view.of(set) && page.Position < o.begin() {
				pages = append(pages, page)
			}
		}
		last = page.Key
		if looked++; looked == renderChunk {
			break
		}
	}
	return pages, last, nil
}

// renderStored renders a stored page, just below the epoch.
func (o *openShard) renderStored(ctx context.Context, s *viewState, stored persistence.Page) error {
	set, name := o.host.host.familyOf(stored.Key)
	p := rendered{id: stored.Key.ID, name: name, at: o.begin() - 1, whole: true}
	var err error
	var changes []persistence.RowChange
	if p.now, err = set.stateOf(stored); err != nil {
		err = &RenderError{Key: stored.Key, Cause: err}
	} else {
		changes, err = s.view.changes(set, p)
	}
	if broken := (*RenderError)(nil); errors.As(err, &broken) {
		return o.leaveOut(ctx, s, broken)
	}
	if err != nil || len(changes) == 0 {
		return err
	}
	if err := s.view.Tables.Change(ctx, changes); err != nil {
		return fmt.Errorf("entity: the rows of page %s: %w", stored.Key, err)
	}
	return nil
}

// eraseOld erases, of the entities of the shard, what is older than the build.
func (o *openShard) eraseOld(ctx context.Context, s *viewState) error {
	s.mu.Lock()
	since := s.record.Since
	s.mu.Unlock()
	for _, r := range s.view.Renderings {
		for id, err := range s.view.Tables.IDs(ctx, r.table) {
			if err != nil {
				return err
			}
			if persistence.ShardOf(r.set.kind.name, id, o.host.host.info.Shards) != o.log.Number() {
				continue
			}
			err := s.view.Tables.Change(ctx, []persistence.RowChange{{
				Table: r.table, At: since, Erase: [][]persistence.Datum{{persistence.Text(id)}},
			}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
