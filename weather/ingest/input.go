package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// input is a source that is about to be loaded.
type input struct {
	source   Source
	format   Format // nil for a stream, until it is opened
	identity *identity
	resume   int64 // lines that were dealt with before
	finished bool  // they are all
}

// prepare finds the format of each source, reads its header, and finds out how
// far an earlier load has come with it. Streams, which can be read once, wait
// until their turn.
func prepare(ctx context.Context, sources []Source, cfg *Config) ([]*input, error) {
	inputs := make([]*input, len(sources))
	names := map[string]bool{}
	for i, source := range sources {
		in := &input{source: source}
		inputs[i] = in
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if source.Size() < 0 {
			continue
		}
		head, err := in.look(cfg.Format)
		if err != nil {
			return nil, err
		}
		if cfg.Resume == nil || names[source.Name()] { // what comes twice is read twice
			continue
		}
		names[source.Name()] = true
		in.identity = identityOf(source, in.format, head)
		in.resume, in.finished = cfg.Resume.find(in.identity)
	}
	return inputs, nil
}

// look reads the beginning of a source.
func (in *input) look(format func([]byte, string) (Format, error)) ([]byte, error) {
	stream, err := in.source.Open()
	if err != nil {
		return nil, fmt.Errorf("ingest: opening %s: %w", in.source.Name(), err)
	}
	head := make([]byte, sniffed)
	n, err := io.ReadFull(stream, head)
	closed := stream.Close()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("ingest: reading %s: %w", in.source.Name(), err)
	}
	if closed != nil {
		return nil, fmt.Errorf("ingest: closing %s: %w", in.source.Name(), closed)
	}
	head = head[:n]
	if in.format, err = format(head, in.source.Name()); err != nil {
		return nil, err
	}
	_, closer, err := in.open(nil) // it checks the header
	if err != nil {
		return nil, err
	}
	return head, closer.Close()
}

// open begins to read. A format that is not known yet is found by the first
// bytes.
func (in *input) open(format func([]byte, string) (Format, error)) (Decoder, io.Closer, error) {
	stream, err := in.source.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("ingest: opening %s: %w", in.source.Name(), err)
	}
	var r io.Reader = stream
	if in.format == nil {
		head, rest := peek(stream)
		if in.format, err = format(head, in.source.Name()); err != nil {
			_ = stream.Close()
			return nil, nil, err
		}
		r = rest
	}
	d, err := in.format.Read(in.source.Name(), r)
	if err != nil {
		_ = stream.Close()
		return nil, nil, err
	}
	return d, stream, nil
}

// peek reads until there is a line that is not blank, as who writes to a stream
// may wait for what becomes of it. What it has read, and an error, come again.
func peek(r io.Reader) (head []byte, again io.Reader) {
	head = make([]byte, 0, sniffed)
	for len(head) < sniffed && (len(firstLine(head)) == 0 || bytes.IndexByte(bytes.TrimLeft(head, "\r\n"), '\n') < 0) {
		n, err := r.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err != nil {
			return head, io.MultiReader(bytes.NewReader(head), failing{err})
		}
	}
	return head, io.MultiReader(bytes.NewReader(head), r)
}

// failing is the end of a stream.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// identity is what tells a source from another: a file of the same name that has
// changed is read anew.
type identity struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	// Head is the CRC-32 of the first 64 KiB of what it holds.
	Head uint32 `json:"head"`
	// Format by which it is read, and a mark of what its mapping says.
	Format string `json:"format"`
	Mark   uint32 `json:"mark,omitempty"`
}

func identityOf(source Source, format Format, head []byte) *identity {
	id := &identity{Name: source.Name(), Size: source.Size(), Head: crc32.ChecksumIEEE(head), Format: format.Name()}
	if dated, ok := source.(interface{ Modified() time.Time }); ok {
		id.Modified = dated.Modified().UTC()
	}
	if marked, ok := format.(interface{ mark() string }); ok {
		id.Mark = crc32.ChecksumIEEE([]byte(marked.mark()))
	}
	return id
}

func (id *identity) equal(other *identity) bool {
	a, b := *id, *other
	a.Modified, b.Modified = time.Time{}, time.Time{}
	return a == b && id.Modified.Equal(other.Modified)
}
