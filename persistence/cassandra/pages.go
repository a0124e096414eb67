package cassandra

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/mesonet/mesonet/persistence"
)

// A page is a row with two cells: the whole of it, and its head alone, for who
// wants no data. Both are written by one statement, with the position as the
// timestamp, so that the higher position wins.
//
// Of two writes at the same timestamp Cassandra takes the cell with the larger
// bytes. The first of them has to stay; so each cell begins with a number that
// falls with every write of this process: the tie. Between processes it decides
// nothing that matters: the pages that an epoch's owner writes have positions of
// that epoch, and an epoch is opened once (I15).
const (
	tieSize  = 8
	headSize = tieSize + 20 // and what a cell has before its data
)

type pages Store

// cells returns the two cells of a page.
func (s *Store) cells(p persistence.Page) (head, cell []byte) {
	if p.Deleted {
		p.Data = nil
	}
	encoded := persistence.EncodePage(p)
	cell = make([]byte, 0, tieSize+len(encoded))
	cell = binary.BigEndian.AppendUint64(cell, ^s.ties.Add(1))
	cell = append(cell, encoded...)
	return cell[:headSize:headSize], cell
}

// decodePage returns the page of a row. Its data shares the cell.
func decodePage(key persistence.PageKey, cell []byte) (persistence.Page, error) {
	if len(cell) < tieSize {
		return persistence.Page{}, &persistence.CorruptError{Record: "page", Key: key.String(), Reason: fmt.Sprintf("%d bytes are too few", len(cell))}
	}
	return persistence.DecodePage(key, cell[tieSize:])
}

// Read returns a page.
func (p *pages) Read(ctx context.Context, key persistence.PageKey) (persistence.Page, error) {
	s := (*Store)(p)
	if err := s.enter(ctx); err != nil {
		return persistence.Page{}, err
	}
	defer s.leave()
	var head, cell []byte
	err := s.rows(ctx, &readPage, func(scan func(...any) bool) bool {
		scan(&head, &cell)
		return false
	}, int32(key.Shard), key.Kind, key.ID, key.Page)
	if err != nil {
		return persistence.Page{}, fmt.Errorf("page %s: %w", key, err)
	}
	if cell == nil { // or a part of a write that was never reported done
		return persistence.Page{}, fmt.Errorf("page %s: %w", key, persistence.ErrNotFound)
	}
	page, err := decodePage(key, cell)
	if err == nil && page.Deleted {
		return page, fmt.Errorf("page %s: %w", key, persistence.ErrNotFound)
	}
	return page, err
}

// Write stores pages, many at once. The entities among them are noted first: a
// page that Read finds must not be missing from Scan.
func (p *pages) Write(ctx context.Context, pages []persistence.Page) error {
	s := (*Store)(p)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.noteEntities(ctx, pages); err != nil {
		return err
	}
	units, err := s.units(pages)
	if err != nil {
		return err
	}
	return s.together(ctx, len(units), func(ctx context.Context, i int) error { return s.writeUnit(ctx, units[i]) })
}

// together calls do for 0 to n-1, some at once, and returns the first error.
func (s *Store) together(ctx context.Context, n int, do func(context.Context, int) error) error {
	if n == 1 {
		return do(ctx, 0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range n {
		select {
		case s.writes <- struct{}{}:
		case <-ctx.Done():
			i = n // no more
		}
		if i == n {
			break
		}
		wg.Go(func() {
			defer func() { <-s.writes }()
			if err := do(ctx, i); err != nil {
				cancel(err) // the others may go: a part is as good as another
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// cellWrite is a page on its way.
type cellWrite struct {
	key        persistence.PageKey
	at         persistence.Position
	head, cell []byte
}

func (w cellWrite) values() []any {
	return []any{int32(w.key.Shard), w.key.Kind, w.key.ID, w.key.Page, w.head, w.cell, int64(w.at)}
}

// A batch has pages of one partition, which is one mutation: one request to the server
// instead of one a page, most of whose work is the same however large they are. For
// the limits of a batch's size (batch_size_fail_threshold: 50 KiB) Cassandra looks at
// batches of several partitions alone.
const (
	batchBytes = 64 << 10
	rowBytes   = 100 // about what a row takes beside its cells
)

// units returns the pages in groups that are sent as one request each.
func (s *Store) units(pages []persistence.Page) ([][]cellWrite, error) {
	type open struct{ unit, bytes int }
	type partition struct {
		shard    persistence.Shard
		kind, id string
	}
	var units [][]cellWrite
	filling := make(map[partition]open)
	for _, page := range pages {
		head, cell := s.cells(page)
		if len(cell) > maxRow {
			return nil, fmt.Errorf("cassandra: page %s has %d bytes, more than the %d that a row can have", page.Key, len(cell), maxRow)
		}
		w := cellWrite{page.Key, page.Position, head, cell}
		size := len(cell) + len(head) + len(page.Key.Page) + rowBytes
		in := partition{page.Key.Shard, page.Key.Kind, page.Key.ID}
		o, ok := filling[in]
		if !ok || o.bytes+size > batchBytes {
			o = open{unit: len(units)}
			units = append(units, nil)
		}
		units[o.unit] = append(units[o.unit], w)
		o.bytes += size
		filling[in] = o
	}
	return units, nil
}

func (s *Store) writeUnit(ctx context.Context, unit []cellWrite) error {
	if len(unit) == 1 {
		if err := s.exec(ctx, &writePage, unit[0].values()...); err != nil {
			return fmt.Errorf("page %s: %w", unit[0].key, err)
		}
		return nil
	}
	b := s.conn.Batch(gocql.UnloggedBatch).Consistency(s.levels.quorum).DefaultTimestamp(false)
	for _, w := range unit {
		b = b.Query(s.cql[&writePage], w.values()...)
	}
	iter := b.IterContext(ctx)
	if err := s.explain(&writePage, iter, iter.Close()); err != nil {
		return fmt.Errorf("page %s and %d more: %w", unit[0].key, len(unit)-1, err)
	}
	return nil
}

// storedPage is a row of the page table.
type storedPage struct {
	name       string
	head, cell []byte
}

// readPages reads rows of an entity's pages.
func (s *Store) readPages(ctx context.Context, of persistence.PageKey, keysOnly bool, limit int) (rows []storedPage, largest int, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer s.leave()
	st := &scanPages
	if keysOnly {
		st = &scanPageKeys
	}
	err = s.rows(ctx, st, func(scan func(...any) bool) bool {
		var r storedPage
		into := []any{&r.name, &r.head, &r.cell}
		if keysOnly {
			into = into[:2]
		}
		if !scan(into...) {
			return false
		}
		rows = append(rows, r)
		largest = max(largest, len(r.cell)+len(r.name)+headSize)
		return true
	}, int32(of.Shard), of.Kind, of.ID, of.Page, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("pages of %s: %w", of, err)
	}
	return rows, largest, nil
}

// page returns what a row holds; false for one that is no page.
func (r storedPage) page(of persistence.PageKey, keysOnly bool) (persistence.Page, bool, error) {
	key := of
	key.Page = r.name
	var page persistence.Page
	var err error
	switch {
	case keysOnly && r.head == nil, !keysOnly && r.cell == nil:
		return page, false, nil
	case keysOnly:
		page, err = decodeHead(key, r.head)
	default:
		page, err = decodePage(key, r.cell)
	}
	if err != nil {
		return persistence.Page{Key: key}, true, err
	}
	return page, !page.Deleted, nil
}

// decodeHead returns the page of a head, whose checksum can't be told.
func decodeHead(key persistence.PageKey, head []byte) (persistence.Page, error) {
	if len(head) != headSize {
		return persistence.Page{}, &persistence.CorruptError{Record: "page", Key: key.String(), Reason: fmt.Sprintf("its head has %d bytes, not %d", len(head), headSize)}
	}
	return persistence.DecodePageHead(key, head[tieSize:])
}

var errStop = errors.New("the reader wants no more")
