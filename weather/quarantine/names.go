package quarantine

import (
	"context"
	"encoding/base32"
	"fmt"
	"iter"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// declareNames declares the index of the names of the sources.
func (q *Quarantine) declareNames() {
	q.names = entity.IndexOf(q.Kind, "name", q.heads, func(event any) bool {
		e, ok := event.(*storagev1.LinesQuarantined)
		return ok && e.GetSource() != ""
	}, func(dst []string, h *head) []string { return append(dst, keyOf(h.source)) })
}

// keys are written in the alphabet of base32hex: their order is that of the names,
// and no character of a name gets anywhere where it means something.
var keys = base32.HexEncoding.WithPadding(base32.NoPadding)

func keyOf(source string) string { return keys.EncodeToString([]byte(source)) }

// Finder looks entities up in indexes, as a node does.
type Finder interface {
	// Find yields the entries of an index from one on, in order of key and id.
	Find(ctx context.Context, i *entity.Index, from entity.Entry) iter.Seq2[entity.Entry, error]
}

// Sources yields the names of the sources that lines are kept of, in the order of
// their bytes, after a name, "" for all. It wakes none of them.
func (q *Quarantine) Sources(ctx context.Context, f Finder, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		from := entity.Entry{}
		if after != "" {
			from = entity.Entry{Key: keyOf(after), ID: ID(after) + "\x00"}
		}
		for e, err := range f.Find(ctx, q.names, from) {
			var name []byte
			if err == nil {
				if name, err = keys.DecodeString(e.Key); err != nil {
					err = fmt.Errorf("%w: the index of names has %q of entity %s: %w", entity.ErrCorrupt, e.Key, e.ID, err)
				}
			}
			if !yield(string(name), err) || err != nil {
				return
			}
		}
	}
}
