package transfer

import (
	"encoding/binary"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/persistence"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
)

// What a copy has to know of what entities store (docs/design/entities.md): all
// that has a position in it, or belongs to a shard.
const (
	deletionName  = "mesonet.deleted" // an event that ends its entity
	skipName      = "mesonet.skipped" // an event that leaves out the one whose position it has
	keptPrefix    = "kept/"           // kept/kind/id: events of a corrupt entity, out of the tail
	indexPrefix   = "index/"          // index/kind/index/key/id: an entry
	indexedPrefix = "indexed/"        // indexed/kind/index: the index is complete in the shard
	viewedPrefix  = "viewed/"         // viewed/view: how far the tables beside this store are rendered
	checkpoint    = "checkpoint"
)

// entryOwner returns whose entry a page is, and its index as kind/index.
func entryOwner(page string) (owner persistence.Owner, index string, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(page, indexPrefix), "/", 4)
	if len(parts) != 4 {
		return owner, "", false
	}
	return persistence.Owner{Kind: parts[0], ID: parts[3]}, parts[0] + "/" + parts[1], true
}

// decodeKept returns whose events a page keeps, and these.
func decodeKept(page persistence.Page) (persistence.Owner, []persistence.Record, error) {
	kind, id, _ := strings.Cut(strings.TrimPrefix(page.Key.Page, keptPrefix), "/")
	m := &storagev1.KeptEvents{}
	if err := proto.Unmarshal(page.Data, m); err != nil {
		return persistence.Owner{}, nil, &persistence.CorruptError{Record: "page", Key: page.Key.String(), Reason: err.Error()}
	}
	var records []persistence.Record
	for _, e := range m.GetEvents() {
		records = append(records, persistence.Record{
			Position: persistence.Position(e.GetPosition()), ID: id, Payload: e.GetPayload(),
			Type: &persistence.EventType{Kind: kind, Name: e.GetName(), Version: e.GetVersion()},
		})
	}
	return persistence.Owner{Kind: kind, ID: id}, records, nil
}

// skipped returns the position that a skip leaves out.
func skipped(r persistence.Record) (persistence.Position, error) {
	p, n := binary.Uvarint(r.Payload)
	if n <= 0 || n != len(r.Payload) {
		return 0, &persistence.CorruptError{Record: "event", Key: fmt.Sprintf("at %s of %s/%s", r.Position, r.Type.Kind, r.ID), Reason: "a skip without a position"}
	}
	return persistence.Position(p), nil
}

func skipOf(p persistence.Position) []byte { return binary.AppendUvarint(nil, uint64(p)) }
