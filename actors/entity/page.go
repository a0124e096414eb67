package entity

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mesonet/mesonet/persistence"
)

// PageCodec makes pages of type P and turns them into bytes and back.
type PageCodec[P any] struct {
	// Version is written beside every page. Raise it when Append changes, or
	// what evolving means.
	Version uint32
	// New returns the empty page of a name.
	New func(name string) (P, error)
	// Append appends the encoding of a page to dst.
	Append func(dst []byte, page P) []byte
	// Decode reads what Append wrote. It must not keep b.
	Decode func(version uint32, b []byte) (P, error)
	// Size returns about how many bytes a page takes in memory. When it is
	// nil that is guessed from the encoding, when a page is read or stored.
	Size func(page P) int
}

// PageSet is a family of pages of a kind: one page, or one for each name, such
// as one for each year.
type PageSet[P any] struct{ set *pageSet }

// PageRef names a page of an entity.
type PageRef struct {
	set  *pageSet
	name string
}

// String returns the page's name, such as year/2008.
func (r PageRef) String() string { return r.set.pageName(r.name) }

// pageSet is a PageSet without its type.
type pageSet struct {
	kind    *Kind
	index   int
	prefix  string
	version uint32
	new     func(name string) (any, error)
	append  func(dst []byte, page any) []byte
	decode  func(version uint32, b []byte) (any, error)
	size    func(page any) int // or nil
	touched func(dst []string, event any) []string
	evolve  func(page, event any)
	known   *knownFrom // or nil
}

func (s *pageSet) pageName(name string) string {
	if name == "" {
		return s.prefix
	}
	return s.prefix + "/" + name
}

// Pages declares a family of pages under a prefix that is unique in the kind.
// touched appends to dst the names of the pages that an event concerns, ""
// for a family of one page; evolve applies an event to one of them, and must
// not keep the event or parts of it.
func Pages[P any](k *Kind, prefix string, codec PageCodec[P], touched func(dst []string, event any) []string, evolve func(page P, event any)) PageSet[P] {
	s := &pageSet{
		kind: k, index: len(k.sets), prefix: prefix, version: codec.Version,
		new:     func(name string) (any, error) { return codec.New(name) },
		append:  func(dst []byte, page any) []byte { return codec.Append(dst, page.(P)) },
		decode:  func(version uint32, b []byte) (any, error) { return codec.Decode(version, b) },
		touched: touched,
		evolve:  func(page, event any) { evolve(page.(P), event) },
	}
	if codec.Size != nil {
		s.size = func(page any) int { return codec.Size(page.(P)) }
	}
	for _, other := range k.sets {
		if other.prefix == prefix {
			k.fail("two families of pages have the prefix %q", prefix)
		}
	}
	if !kindName.MatchString(prefix) {
		k.fail("prefix %q of a family of pages must be lower case letters, digits and dashes", prefix)
	}
	k.sets = append(k.sets, s)
	return PageSet[P]{s}
}

// knownFrom is what [KnownFrom] declared.
type knownFrom struct {
	ref PageRef
	has func(page any, name string) bool
}

// KnownFrom declares that the page "" of another family says which pages of a family
// there are, so that the store isn't asked for those that there are not: a station that
// comes to a new month, with all others of its network, would have to wait for that.
// When has returns false, no event has touched the page of that name, or what is left
// of it is as New makes it; [Twin] finds kinds of which that isn't true.
func KnownFrom[P, Q any](pages PageSet[P], from PageSet[Q], has func(page Q, name string) bool) {
	pages.set.known = &knownFrom{from.At(""), func(page any, name string) bool { return has(page.(Q), name) }}
}

// absent reports whether a page is known not to be there, from one that is in memory
// and has all events.
func (p pages) absent(ref PageRef) bool {
	known := ref.set.known
	if known == nil {
		return false
	}
	from := p.find(known.ref)
	return from != nil && (from.state == nil || !known.has(from.state, ref.name))
}

// At names a page of the family, for a command or question to ask for.
func (p PageSet[P]) At(name string) PageRef { return PageRef{p.set, name} }

// In returns a page that the command or question asked for; false when no event
// has touched it yet. It is for reading only. Asking for a page that was not
// declared as needed is a programming error and panics: the page might be on
// disk.
func (p PageSet[P]) In(v *View, name string) (P, bool) {
	var none P
	ref := PageRef{p.set, name}
	at := slices.Index(v.needs, ref)
	if at < 0 {
		panic(fmt.Sprintf("entity: page %s of %s was read without being declared as needed", ref, v.id)) //nolint:forbidigo // a programmer's error; supervision takes it
	}
	var page *page
	if v.found != nil {
		page = v.found[at]
	} else {
		page = v.pages.find(ref)
	}
	if page == nil || page.state == nil {
		return none, false
	}
	return page.state.(P), true
}

// Look returns a page that the needs could not name, as only the decision knows
// which one it is; ok is false when no event has touched it yet. A page that is not
// in memory is an error, which the decision has to return as it is: the runtime
// reads the page and decides anew, from the beginning. Ask for many pages before
// returning the error, and they are read at once. It is not for replies.
func (p PageSet[P]) Look(v *View, name string) (found P, ok bool, err error) {
	ref := PageRef{p.set, name}
	page := v.pages.findNext(ref, &v.next)
	switch {
	case page == nil && (v.whole || v.pages.absent(ref)):
		return found, false, nil
	case page == nil:
		if !slices.Contains(v.lacking, ref) {
			v.lacking = append(v.lacking, ref)
		}
		return found, false, errLacking
	}
	page.used = max(page.used, v.tick)
	if page.state == nil {
		return found, false, nil
	}
	return page.state.(P), true, nil
}

// errLacking is never shown: whoever would see it decides anew.
var errLacking = errors.New("entity: a page has to be read first")

// View is what a command or question sees of an entity.
type View struct {
	id      ID
	pages   *pages
	needs   []PageRef
	found   []*page   // those of needs in their order, each nil if it isn't there; or nil: see pages
	whole   bool      // every page of the entity is in pages
	tick    uint32    // now, for the pages that are looked at
	next    int       // in pages, behind the one that was looked at last
	lacking []PageRef // looked at and not in memory
}

// ID returns the id of the entity.
func (v *View) ID() string { return v.id.ID }

// page is a piece of an entity's state in memory.
type page struct {
	ref      PageRef
	position persistence.Position // the events below are in it
	state    any                  // nil while no event has touched it
	// dirty is at or below the first event that is not in the stored page, 0
	// when there is none. While a flush is under way (flushing), again is the
	// same for the page that is being stored.
	dirty, again persistence.Position
	flushing     bool
	fresh        uint8  // events since bytes was measured
	bytes        int32  // about what it takes in memory
	used         uint32 // when it was last needed, in ticks of the host
}

// pageBytes is about what a page takes beside its state.
const pageBytes = 120

// measure notes what the page takes, given the length of its encoding where that
// is known.
func (p *page) measure(encoded int) {
	p.fresh = 0
	size := pageBytes + len(p.ref.name)
	switch {
	case p.state == nil:
	case p.ref.set.size != nil:
		size += p.ref.set.size(p.state)
	case encoded >= 0:
		size += 64 + 3*encoded // maps and pointers take more than their encoding
	default:
		return
	}
	p.bytes = int32(min(size, math.MaxInt32))
}

// soil notes that an event at or above a position is in the page.
func (p *page) soil(at persistence.Position) {
	if p.dirty == 0 {
		p.dirty = at
	}
	if p.flushing && p.again == 0 {
		p.again = at
	}
}

// pages are an entity's pages in memory, in the order of family and name. Most
// entities have few.
type pages []*page

func (p pages) search(ref PageRef) (int, bool) {
	return slices.BinarySearchFunc(p, ref, func(e *page, ref PageRef) int {
		return cmp.Or(cmp.Compare(e.ref.set.index, ref.set.index), cmp.Compare(e.ref.name, ref.name))
	})
}

func (p pages) find(ref PageRef) *page {
	if len(p) <= 8 { // a walk over a few pointers beats a search
		for _, e := range p {
			if e.ref == ref {
				return e
			}
		}
		return nil
	}
	if i, ok := p.search(ref); ok {
		return p[i]
	}
	return nil
}

// findNext is find for who looks at one page after the other: the page at next is
// often the one, and is found without a search. next is behind it then.
func (p pages) findNext(ref PageRef, next *int) *page {
	if at := *next; at < len(p) && p[at].ref == ref {
		*next++
		return p[at]
	}
	i, ok := p.search(ref)
	if !ok {
		return nil
	}
	*next = i + 1
	return p[i]
}

// drop removes the page at a place.
func (p *pages) drop(i int) {
	*p = slices.Delete(*p, i, i+1)
	if len(*p) == 0 {
		*p = nil
	}
}

// put adds a page, or replaces the one of that name.
func (p *pages) put(e *page) {
	i, ok := p.search(e.ref)
	if ok {
		(*p)[i] = e
		return
	}
	*p = slices.Insert(*p, i, e)
}

// touched appends to dst the pages that an event concerns. names is for a
// moment.
func touched(dst []PageRef, names []string, k *Kind, event any) ([]PageRef, []string) {
	switch event.(type) {
	case deletion, skip:
		return dst, names // the runtime's own
	}
	for _, set := range k.sets {
		names = set.touched(names[:0], event)
		for _, name := range names {
			dst = append(dst, PageRef{set, name})
		}
	}
	return dst, names
}

// refs appends the names of all pages to dst.
func (p pages) refs(dst []PageRef) []PageRef {
	for _, e := range p {
		dst = append(dst, e.ref)
	}
	return dst
}

// evolve applies an event at a position to the pages that it touches and that
// don't have it yet. Those that are not in memory are made: they must be known
// not to be in the store.
func (p *pages) evolve(event any, at persistence.Position, touched []PageRef) error {
	_, deletes := event.(deletion)
	for _, ref := range touched {
		e := p.find(ref)
		if e == nil {
			e = &page{ref: ref}
			e.measure(0)
			p.put(e)
		}
		if deletes {
			e.clear(at)
			continue
		}
		if at < e.position {
			continue
		}
		if e.state == nil {
			state, err := ref.set.new(ref.name)
			if err != nil {
				return fmt.Errorf("entity: page %s can't be made: %w", ref, err)
			}
			e.state = state
			e.fresh = weighAfter // to be measured
		}
		ref.set.evolve(e.state, event)
		e.position = at + 1
		e.soil(at)
		e.fresh++
	}
	return nil
}
