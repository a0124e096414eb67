package quarantine

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/mesonet/mesonet/actors/entity"
)

// KindName is the name of the kind in stores.
const KindName = "quarantine"

// Reasons of rejections.
const (
	// NotQuarantined: no lines are kept of the source.
	NotQuarantined = "NOT_QUARANTINED"
	// BadSource: the name of a source can't be.
	BadSource = "BAD_SOURCE"
	// BadLine: a line can't be kept, or not so many at once.
	BadLine = "BAD_LINE"
)

// Config bounds what is kept.
type Config struct {
	// Lines and Bytes are how much is kept of one source: lines, and bytes of
	// their texts, reasons and formats.
	Lines, Bytes int
}

// DefaultConfig returns the limits that suit most.
func DefaultConfig() Config {
	return Config{
		Lines: 10_000,   // whoever has more of them has one fault, and not ten thousand
		Bytes: 16 << 20, // lines of 1.6 KiB each; no source takes more memory than this
	}
}

// Validate returns an error that says what in c can't be used.
func (c Config) Validate() error {
	if c.Lines < 1 || c.Lines > maxLines {
		return fmt.Errorf("quarantine: a source may have 1 to %d lines, not %d", maxLines, c.Lines)
	}
	if c.Bytes < maxLine || c.Bytes > maxBytes {
		return fmt.Errorf("quarantine: the lines of a source may have %d to %d bytes, not %d", maxLine, maxBytes, c.Bytes)
	}
	return nil
}

// What a Config may allow: a release loads a source as a whole.
const (
	maxLines = 100_000
	maxBytes = 256 << 20
)

// Quarantine is the kind of sources whose lines could not be taken in, and what
// they can be asked.
type Quarantine struct {
	*entity.Kind
	cfg Config

	heads    entity.PageSet[*head]
	contents entity.PageSet[*contents]
	pages    entity.PageSet[*page]
	names    *entity.Index

	// Keep keeps lines.
	Keep *entity.Handle[*Keep, Kept]
	// Release forgets lines; its reply is how many of them were there.
	Release *entity.Handle[*Release, int]
	// Source answers how much is kept of a source.
	Source *entity.Handle[*GetSource, Source]
	// Lines returns the lines of a source.
	Lines *entity.Handle[*GetLines, Lines]
}

// New returns the kind. Other limits than before hold for what comes from then on.
func New(cfg Config) (*Quarantine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	q := &Quarantine{Kind: entity.NewKind(KindName), cfg: cfg}
	declareEvents(q.Kind)
	q.heads = entity.Pages(q.Kind, "head", headCodec(), touchesOne, evolveHead)
	q.contents = entity.Pages(q.Kind, "contents", contentsCodec(), touchesOne, evolveContents)
	q.pages = entity.Pages(q.Kind, "lines", pageCodec(), touchesPages, evolvePage)
	q.declareNames()
	q.Keep = entity.CommandOn(q.Kind, needs[*Keep](q), q.keep)
	q.Release = entity.CommandOn(q.Kind, needs[*Release](q), q.release)
	q.Source = entity.QueryOn(q.Kind, func(dst []entity.PageRef, _ *GetSource) []entity.PageRef { return append(dst, q.heads.At("")) }, q.source)
	q.Lines = entity.QueryOn(q.Kind, needs[*GetLines](q), q.lines)
	return q, nil
}

// needs are what is read of a source to know its lines; the pages of the lines
// are found by it.
func needs[C any](q *Quarantine) func(dst []entity.PageRef, _ C) []entity.PageRef {
	return func(dst []entity.PageRef, _ C) []entity.PageRef {
		return append(dst, q.heads.At(""), q.contents.At(""))
	}
}

// ID returns the id of the entity of a source: of its name's SHA-256 so much that
// no two names have the same.
func ID(source string) string {
	sum := sha256.Sum256([]byte(source))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:20]))
}

// kept returns the head of a source and its contents, or the refusal.
func (q *Quarantine) kept(v *entity.View, source string) (*head, *contents, error) {
	h, ok := q.heads.In(v, "")
	c, both := q.contents.In(v, "")
	if !ok || !both {
		return nil, nil, notKept(source)
	}
	return h, c, nil
}

func notKept(source string) error {
	if err := checkSource(source); err != nil {
		return err
	}
	return entity.RejectNotFound("no lines of source %q are in quarantine; they were released, or its name is another", source).Because(NotQuarantined)
}

var errMalformed = errors.New("what is stored is malformed")
