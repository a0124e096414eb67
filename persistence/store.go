package persistence

import (
	"context"
	"encoding/hex"
	"io"
	"iter"
)

// Store is one place where state is kept: a folder, a keyspace.
type Store interface {
	// Info describes the store. It never changes while the store is open.
	Info() Info
	// Log holds the events.
	Log() Log
	// Pages holds the states.
	Pages() Pages
	// Ownership says who may write.
	Ownership() Ownership
	// Level says in which formats.
	Level() LevelRegister
	// Closer lets go of the store. Appends that are under way get their
	// answer first.
	io.Closer
}

// Info is what a store says of itself. It is written when the store is created.
type Info struct {
	// ID tells stores apart; it is drawn at random at creation.
	ID StoreID
	// Format is the version of the layout on disk.
	Format int
	// Shards is the number of shards, a power of two.
	Shards uint32
	// Hash names the function from entity to shard, see HashName.
	Hash string
	// Local says that only this process can reach the store while it is open.
	// Then a check of ownership costs nothing and frames are stored in their
	// order without gaps; a gap is damage.
	Local bool
}

// StoreID identifies a store.
type StoreID [16]byte

// String returns the id in hexadecimal.
func (id StoreID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 bytes as a number, which tokens carry.
func (id StoreID) Short() uint64 {
	var n uint64
	for _, b := range id[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}

// Frame is one row of a shard's log: events of one group commit, encoded. It
// occupies the positions [Position, Position+Count).
type Frame struct {
	Shard    Shard
	Position Position
	Count    uint32
	// Data is the whole frame as EncodeFrame made it, header and checksum
	// included. Stores don't look into it.
	Data []byte
}

// End returns the first position after the frame.
func (f Frame) End() Position { return f.Position + Position(f.Count) }

// Log holds the frames of all shards. What a read has shown outlives whatever is
// written after it, here and in Pages: a recovery builds on what it read.
type Log interface {
	// Append makes f durable and then calls done, once, on a goroutine of the
	// store: done must not block. With an error the frame may or may not have
	// been stored, now or later, unless the error is ErrClosed. Storing the
	// identical frame again is harmless; storing another at the same position
	// is forbidden. Frames appended one after the other to one shard may
	// become durable in any order.
	//
	// f.Data must not change until done is called.
	Append(ctx context.Context, f Frame, done func(error))
	// Read yields the frames of shard that lie in the epoch of from and begin
	// at or after it, in order. It stops at the end of what is stored and
	// doesn't mind gaps: judging them is the reader's business. The yielded
	// Data is the reader's. A frame that can't be read comes as a CorruptError
	// beside its place, and those after it follow, if the store can still find
	// them.
	Read(ctx context.Context, shard Shard, from Position) iter.Seq2[Frame, error]
	// Delete removes the frames of shard that lie wholly below a position, in
	// all epochs. It may be repeated.
	Delete(ctx context.Context, shard Shard, below Position) error
}

// PageKey names a page.
type PageKey struct {
	Shard Shard
	// Kind and ID name the entity; both are empty for pages of the shard
	// itself.
	Kind, ID string
	// Page is the page's name within the entity, such as year/2008.
	Page string
}

// String returns the key as people write it: kind/id page, and the shard.
func (k PageKey) String() string {
	if k.Kind == "" {
		return "shard/" + utoa(uint64(k.Shard)) + " " + k.Page
	}
	return k.Kind + "/" + k.ID + " " + k.Page
}

// CheckpointKey names the page whose position is the shard's checkpoint: below
// it every event is in durable pages. It has no data.
func CheckpointKey(s Shard) PageKey { return PageKey{Shard: s, Page: "checkpoint"} }

// Page is a piece of state.
type Page struct {
	Key PageKey
	// Position is what the page reflects: all events below it that concern it.
	Position Position
	// Version is that of the page's encoding.
	Version uint32
	// Deleted says that the page is gone since Position.
	Deleted bool
	// Data is the encoded state.
	Data []byte
}

// Pages holds the pages of all shards.
type Pages interface {
	// Read returns a page; ErrNotFound when it was never written or is
	// deleted, in the latter case beside its position.
	Read(ctx context.Context, key PageKey) (Page, error)
	// Write makes pages durable, all or an arbitrary part of them when it
	// returns an error. A page whose position is not above the stored one
	// leaves it as it is: a late write of a dead owner can't cover a newer
	// one.
	Write(ctx context.Context, pages []Page) error
	// Scan yields the pages of shard in the order of kind, id and page name,
	// beginning at or after from (whose Shard is ignored); without Data when
	// keysOnly is set. A page that can't be read comes as a CorruptError beside
	// its key, and those after it follow, if the store can still find them.
	Scan(ctx context.Context, shard Shard, from PageKey, keysOnly bool) iter.Seq2[Page, error]
	// Kinds returns the kinds of the entities of shard that have pages, in order.
	// Kinds whose pages are all deleted may be among them.
	Kinds(ctx context.Context, shard Shard) ([]string, error)
}

// ScanKinds is [Pages.Kinds] for a store that has all pages in one order: it looks for
// the first page of each kind, which need not be one that can be read.
func ScanKinds(ctx context.Context, p Pages, shard Shard) ([]string, error) {
	var kinds []string
	for from := "\x01"; ; { // after the shard's own pages
		found := false
		for page, err := range p.Scan(ctx, shard, PageKey{Kind: from}, true) {
			if err != nil && page.Key.Kind == "" {
				return nil, err
			}
			kinds, found = append(kinds, page.Key.Kind), true
			break
		}
		if !found {
			return kinds, nil
		}
		from = kinds[len(kinds)-1] + "\x01" // names are printable: nothing lies between
	}
}
