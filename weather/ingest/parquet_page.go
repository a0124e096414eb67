package ingest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxPage is the most bytes of a page, uncompressed; writers aim at one
	// MiB.
	maxPage = 64 << 20
	// maxPages is that of all pages held at once, one or two a column.
	maxPages = 256 << 20
)

// Encodings of Parquet.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingDictionary      = 8
	encodingSplit           = 9
)

// pageHeader is a PageHeader.
type pageHeader struct {
	kind               int64
	unpacked, packed   int64
	crc                int64
	hasCRC             bool
	values             int64
	encoding           int64
	levels, repetition int64 // bytes of them, in a page of version 2
	plain              bool  // not compressed, in a page of version 2
}

const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

// maxPageHeader bounds a header, which may hold the lowest and highest text.
const maxPageHeader = 64 << 10

// readPageHeader reads the header that the stream goes on with.
func readPageHeader(r *bufio.Reader) (*pageHeader, error) {
	data, err := r.Peek(maxPageHeader)
	if len(data) == 0 {
		return nil, err
	}
	h := &pageHeader{kind: -1}
	t := newThrift(data)
	t.structure(func(id int64, kind byte) bool {
		switch {
		case id == 1:
			h.kind = t.int()
		case id == 2:
			h.unpacked = t.int()
		case id == 3:
			h.packed = t.int()
		case id == 4:
			h.crc, h.hasCRC = t.int(), true
		case (id == 5 || id == 7 || id == 8) && kind == thriftStruct:
			h.inner(t, id == 8)
		default:
			return false
		}
		return true
	})
	if t.err != nil {
		return nil, t.err
	}
	if h.unpacked < 0 || h.packed < 0 || h.unpacked > maxPage || h.packed > maxPage || h.values < 0 || h.levels < 0 || h.repetition < 0 {
		return nil, fmt.Errorf("a page of %d bytes, %d uncompressed, with %d values: at most %d bytes are read", h.packed, h.unpacked, h.values, maxPage)
	}
	_, err = r.Discard(len(data) - len(t.data))
	return h, err
}

// inner reads the header of the kind of page.
func (h *pageHeader) inner(t *thrift, second bool) {
	t.structure(func(id int64, kind byte) bool {
		switch {
		case id == 1:
			h.values = t.int()
		case id == 2 && !second, id == 4 && second:
			h.encoding = t.int()
		case id == 5 && second:
			h.levels = t.int()
		case id == 6 && second:
			h.repetition = t.int()
		case id == 7 && second:
			h.plain = kind == thriftFalse
			return false
		default:
			return false
		}
		return true
	})
}

// allowed is how much memory pages may take.
type allowed struct{ left int64 }

func (a *allowed) take(n int64) error {
	if a.left -= n; a.left < 0 {
		return fmt.Errorf("its pages take more than %d bytes of memory: write smaller pages", maxPages)
	}
	return nil
}

// columnReader reads the values of a column of a row group one by one, and holds
// one page of it and the dictionary.
type columnReader struct {
	leaf   *leaf
	chunk  *columnChunk
	r      *bufio.Reader
	memory *allowed
	held   int64 // by the page

	dictionary []value
	left       int64  // values of the page, missing ones included
	levels     hybrid // of definition
	values     source
	value      value
}

// newColumnReader returns a reader of a chunk.
func newColumnReader(r io.ReaderAt, l *leaf, c *columnChunk, memory *allowed) *columnReader {
	return &columnReader{leaf: l, chunk: c, memory: memory, r: bufio.NewReaderSize(io.NewSectionReader(r, c.from, c.bytes), maxPageHeader)}
}

// next returns the next value, nil for one that is missing.
func (c *columnReader) next() (*value, error) {
	for c.left == 0 {
		if err := c.page(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("column %.40q: %w", c.leaf.name, err)
		}
	}
	c.left--
	level := uint32(0)
	var err error
	if c.leaf.level > 0 {
		if level, err = c.levels.next(); err != nil {
			return nil, fmt.Errorf("column %.40q: %w", c.leaf.name, err)
		}
	}
	if int(level) != c.leaf.level {
		return nil, nil //nolint:nilnil // a value that is missing
	}
	if err := c.values.next(&c.value); err != nil {
		return nil, fmt.Errorf("column %.40q: %w", c.leaf.name, err)
	}
	return &c.value, nil
}

// page reads the next page.
func (c *columnReader) page() error {
	h, err := readPageHeader(c.r)
	if err != nil {
		return err
	}
	if err := c.memory.take(h.packed + h.unpacked - c.held); err != nil {
		return err
	}
	c.held = h.packed + h.unpacked
	packed := make([]byte, h.packed)
	if _, err := io.ReadFull(c.r, packed); err != nil {
		return err
	}
	if h.hasCRC && crc32.ChecksumIEEE(packed) != uint32(h.crc) {
		return errors.New("the checksum of a page is wrong")
	}
	switch h.kind {
	case pageDictionary:
		if c.dictionary != nil {
			return errors.New("two dictionaries")
		}
		data, err := unpackPage(c.chunk.codec, packed, h.unpacked)
		if err != nil {
			return err
		}
		c.held = 0 // it stays
		return c.readDictionary(h, data)
	case pageData:
		data, err := unpackPage(c.chunk.codec, packed, h.unpacked)
		if err != nil {
			return err
		}
		return c.readData(h, data)
	case pageDataV2:
		return c.readDataV2(h, packed)
	default:
		return nil // an index, which is passed over
	}
}

func (c *columnReader) readDictionary(h *pageHeader, data []byte) error {
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return fmt.Errorf("a dictionary in encoding %d", h.encoding)
	}
	from := &plainSource{data: data, physical: c.leaf.physical, length: c.leaf.length}
	c.dictionary = []value{}
	for range h.values {
		var v value
		if err := from.next(&v); err != nil {
			return err
		}
		if err := c.memory.take(int64(valueSize)); err != nil {
			return err
		}
		c.dictionary = append(c.dictionary, v)
	}
	return nil
}

// readData takes a page of version 1 apart: the length of the levels, those, and
// values.
func (c *columnReader) readData(h *pageHeader, data []byte) error {
	if c.leaf.level > 0 {
		if len(data) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.LittleEndian.Uint32(data)
		if uint64(n) > uint64(len(data)-4) {
			return io.ErrUnexpectedEOF
		}
		c.levels = hybrid{data: data[4 : 4+n], width: bits.Len(uint(c.leaf.level))}
		data = data[4+n:]
	}
	return c.begin(h, data)
}

// readDataV2 takes a page of version 2 apart, of which only values are
// compressed.
func (c *columnReader) readDataV2(h *pageHeader, packed []byte) error {
	before := h.repetition + h.levels
	if before > int64(len(packed)) || before > h.unpacked {
		return io.ErrUnexpectedEOF
	}
	c.levels = hybrid{data: packed[h.repetition:before], width: bits.Len(uint(c.leaf.level))}
	data := packed[before:]
	if !h.plain {
		var err error
		if data, err = unpackPage(c.chunk.codec, data, h.unpacked-before); err != nil {
			return err
		}
	}
	return c.begin(h, data)
}

// begin chooses how values are read.
func (c *columnReader) begin(h *pageHeader, data []byte) error {
	physical := c.leaf.physical
	whole := physical == parquetInt32 || physical == parquetInt64
	switch {
	case h.encoding == encodingPlain:
		c.values = &plainSource{data: data, physical: physical, length: c.leaf.length}
	case h.encoding == encodingDictionary || h.encoding == encodingPlainDictionary:
		if len(data) == 0 {
			data = []byte{0} // a page of nothing but missing values may have none
		}
		if c.dictionary == nil || data[0] > 32 {
			return errors.New("a page without its dictionary")
		}
		c.values = &dictionarySource{values: c.dictionary, keys: hybrid{data: data[1:], width: int(data[0])}}
	case h.encoding == encodingDelta && whole:
		c.values = &deltaSource{data: data, narrow: physical == parquetInt32}
	case h.encoding == encodingDeltaLength && physical == parquetByteArray:
		lengths := &deltaSource{data: data}
		text, err := lengths.after(h.values)
		if err != nil {
			return err
		}
		c.values = &deltaLengthSource{lengths: &deltaSource{data: data}, text: text}
	case h.encoding == encodingDeltaBytes && physical == parquetByteArray:
		rest, err := (&deltaSource{data: data}).after(h.values)
		if err != nil {
			return err
		}
		text, err := (&deltaSource{data: rest}).after(h.values)
		if err != nil {
			return err
		}
		c.values = &deltaBytesSource{prefixes: &deltaSource{data: data}, suffixes: deltaLengthSource{lengths: &deltaSource{data: rest}, text: text}}
	case h.encoding == encodingSplit && (physical == parquetFloat || physical == parquetDouble):
		c.values = &splitSource{data: data, physical: physical}
	default:
		return fmt.Errorf("values of type %d in encoding %d can't be read: write it with plain or dictionary encoding", physical, h.encoding)
	}
	c.left = h.values
	return nil
}

// unpackPage decompresses a page, which must be as long as it says.
func unpackPage(codec int64, packed []byte, size int64) ([]byte, error) {
	var r io.Reader
	switch codec {
	case 0:
		if int64(len(packed)) != size {
			return nil, fmt.Errorf("a page has %d bytes and says %d", len(packed), size)
		}
		return packed, nil
	case 1:
		if n, err := snappy.DecodedLen(packed); err != nil || int64(n) != size {
			return nil, fmt.Errorf("a page has %d bytes and says %d", n, size)
		}
		return snappy.Decode(nil, packed)
	case 2:
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		r = z
	case 6:
		z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxPage))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("it is compressed by codec %d: write it with snappy, gzip or zstd", codec)
	}
	data := make([]byte, size)
	if n, err := io.ReadFull(r, data); err != nil && size > 0 {
		return nil, fmt.Errorf("a page has %d bytes and says %d: %w", n, size, err)
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("a page has more than the %d bytes that it says (%w)", size, cmpEOF(err))
	}
	return data, nil
}

// cmpEOF is for an error text: more came, or why the end did not.
func cmpEOF(err error) error {
	if err == nil {
		return errors.New("more came")
	}
	return err
}
