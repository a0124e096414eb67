package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip" // reads 1.4 times as fast as the standard library's
	"github.com/klauspost/compress/zstd"
)

// packing is how a file is compressed.
type packing uint8

const (
	plain packing = iota
	gzipped
	zstandard
	zipped // an archive of many
)

func (p packing) String() string {
	return [...]string{"plain", "gzip", "zstd", "zip"}[p]
}

// packingOf tells by the first bytes. A zstd file may begin with a frame to
// skip, as pzstd writes them.
func packingOf(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return gzipped
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")),
		len(head) > 4 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte("\x2a\x4d\x18")):
		return zstandard
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipped
	}
	return plain
}

// maxWindow is the most memory that a zstd file may ask for to be unpacked: 8
// MiB is what RFC 8878 wants every reader to have, and all levels up to 19 do
// with it.
const maxWindow = 32 << 20

// unpacked returns what a compressed stream holds. All members of a gzip file
// and all frames of a zstd file are one text.
func (p packing) unpacked(r io.Reader) (io.ReadCloser, error) {
	switch p {
	case gzipped:
		return gzip.NewReader(r)
	case zstandard:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	default:
		return io.NopCloser(r), nil
	}
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// measure reads a compressed stream to its end and returns how many bytes it
// holds.
func (p packing) measure(ctx context.Context, name string, r io.Reader, limits *Limits) (size int64, err error) {
	in := &counter{r: r}
	z, err := p.unpacked(bufio.NewReaderSize(in, 4<<10))
	if err != nil {
		return 0, damaged(name, 0, err)
	}
	defer func() { _ = z.Close() }()
	text := bufio.NewReaderSize(z, sniffed)
	head, _ := text.Peek(sniffed) // an error comes again when reading gets there
	if err := checkNested(name, head); err != nil {
		return 0, err
	}
	size, err = drain(ctx, name, text, func(out int64) error { return limits.check(name, in.n, out) })
	if err == nil && size == 0 {
		return 0, fmt.Errorf("%w: %s has nothing in it", ErrFile, name)
	}
	return size, err
}

// drain reads to the end, as long as check allows, and returns how much that was.
func drain(ctx context.Context, name string, r io.Reader, check func(size int64) error) (int64, error) {
	buf := make([]byte, sniffed)
	for size := int64(0); ; {
		n, err := r.Read(buf)
		size += int64(n)
		if over := check(size); over != nil {
			return 0, over
		}
		switch {
		case errors.Is(err, io.EOF):
			return size, nil
		case err != nil:
			return 0, damaged(name, size, err)
		case ctx.Err() != nil:
			return 0, ctx.Err()
		}
	}
}

func damaged(name string, size int64, err error) error {
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return fmt.Errorf("%w: %s needs more than %d MiB of memory to be unpacked (%w): compress it without --ultra and --long", ErrFile, name, maxWindow>>20, err)
	}
	return fmt.Errorf("%w: %s is damaged (%w, after %d bytes of text); nothing was loaded: fetch it again", ErrFile, name, err, size)
}
