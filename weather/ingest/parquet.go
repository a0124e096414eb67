package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parquetFormat is a table in Apache Parquet, read by a mapping.
//
// The reader is our own. It knows flat columns of numbers, texts and times, the
// encodings that today's writers use for them, and snappy, gzip and zstd, and it
// reads values one by one from pages of bounded size. The libraries there are
// make slices of whatever length a file says, in its metadata, in the pages
// they decompress and in the runs that are in those, so that a file of a hundred
// bytes can take all memory there is; nothing around them can prevent that.
type parquetFormat struct{ plan *plan }

func (f *parquetFormat) mark() string { return f.plan.mark() }

// Name implements Format.
func (f *parquetFormat) Name() string { return f.plan.name }

// Read implements Format. A stream that can't be read from anywhere is held in
// memory, up to 64 MiB.
func (f *parquetFormat) Read(name string, r io.Reader) (Decoder, error) {
	file, size, meta, err := openParquet(name, r)
	if err != nil {
		return nil, err
	}
	return f.decoder(name, file, size, meta)
}

func (f *parquetFormat) decoder(name string, file io.ReaderAt, size int64, meta *parquetMeta) (Decoder, error) {
	b, err := f.plan.bind(name, meta.names())
	if err != nil {
		return nil, err
	}
	d := &parquetDecoder{name: name, file: file, size: size, meta: meta, bound: b, texts: make([][]byte, len(b.columns)), buffers: make([][]byte, len(b.columns))}
	for _, column := range b.columns {
		place := slices.IndexFunc(meta.leaves, func(l leaf) bool { return l.name == column })
		if err := meta.leaves[place].readable(); err != nil {
			return nil, fmt.Errorf("%w %s: column %q of %s %w", ErrFormat, f.plan.name, column, name, err)
		}
		d.places = append(d.places, place)
	}
	if len(b.times) == 1 {
		l := &meta.leaves[d.places[len(b.columns)-len(b.measures)-1]]
		if l.isTime() && !l.local {
			b.when.layout = layoutRFC3339
		} else if l.isTime() {
			b.when.layout = localLayout
		}
	}
	return d, nil
}

// localLayout is how times without a zone are handed on.
const localLayout = "2006-01-02T15:04:05.999999999"

// parquetChoice reads a file by that of several mappings which fits its columns.
type parquetChoice []*parquetFormat

// Name implements Format.
func (c parquetChoice) Name() string { return ParquetName }

func (c parquetChoice) mark() string {
	var all strings.Builder
	for _, f := range c {
		all.WriteString(f.plan.mark())
	}
	return all.String()
}

// Read implements Format.
func (c parquetChoice) Read(name string, r io.Reader) (Decoder, error) {
	file, size, meta, err := openParquet(name, r)
	if err != nil {
		return nil, err
	}
	var fit []*parquetFormat
	for _, f := range c {
		if f.plan.fits(meta.names()) {
			fit = append(fit, f)
		}
	}
	if len(fit) > 1 { // what was declared comes before the built-in one
		fit = slices.DeleteFunc(fit, func(f *parquetFormat) bool { return f.plan.name == ParquetName })
	}
	switch len(fit) {
	case 0:
		return c[0].decoder(name, file, size, meta) // which says why not
	case 1:
		return fit[0].decoder(name, file, size, meta)
	}
	var names []string
	for _, f := range fit {
		names = append(names, f.plan.name)
	}
	return nil, fmt.Errorf("%w: %s can be read as each of %s: name the one that it is", ErrFormat, name, strings.Join(names, ", "))
}

// maxBuffered is the most of a stream that is held in memory.
const maxBuffered = 64 << 20

// openParquet finds out what a file holds.
func openParquet(name string, r io.Reader) (io.ReaderAt, int64, *parquetMeta, error) {
	file, size, err := randomAccess(name, r)
	if err != nil {
		return nil, 0, nil, err
	}
	meta, err := readParquetMeta(file, size)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("%w %s: %s: %w", ErrFormat, ParquetName, name, err)
	}
	return file, size, meta, nil
}

func randomAccess(name string, r io.Reader) (io.ReaderAt, int64, error) {
	switch r := r.(type) {
	case *os.File:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return r, info.Size(), nil
		}
	case interface {
		io.ReaderAt
		Size() int64
	}:
		return r, r.Size(), nil
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBuffered+1))
	if err != nil {
		return nil, 0, fmt.Errorf("ingest: reading %s failed: %w", name, err)
	}
	if len(data) > maxBuffered {
		return nil, 0, fmt.Errorf("%w %s: %s has more than %d bytes, too many to be read in an archive or from a stream: unpack it", ErrFormat, ParquetName, name, maxBuffered)
	}
	return bytes.NewReader(data), int64(len(data)), nil
}

// names are those of the columns.
func (m *parquetMeta) names() []string {
	names := make([]string, len(m.leaves))
	for i := range m.leaves {
		names[i] = m.leaves[i].name
	}
	return names
}

// readable says why a column can't be read.
func (l *leaf) readable() error {
	switch {
	case l.repeated:
		return errors.New("holds lists")
	case l.means == asUnknown || l.physical == parquetBoolean || l.physical < 0 || l.physical > parquetFixed:
		return errors.New("holds neither numbers, texts nor times")
	case l.physical == parquetFixed && l.means == asDecimal && l.length > maxDecimalBytes:
		return fmt.Errorf("holds decimal numbers of %d bytes, more than %d", l.length, maxDecimalBytes)
	}
	return nil
}

const maxDecimalBytes = 16

// parquetDecoder reads the rows of one file.
type parquetDecoder struct {
	name    string
	file    io.ReaderAt
	size    int64
	meta    *parquetMeta
	bound   *bound
	places  []int // of the bound's columns among the leaves
	texts   [][]byte
	buffers [][]byte

	group   int             // the next
	columns []*columnReader // of the one that is read
	left    int64           // rows of it
	row     int64
	err     error // how it has ended
}

// Read implements Decoder. What is wrong with a page ends the file: what follows
// can't be found any more.
func (d *parquetDecoder) Read(r *Reading) error {
	if err := d.next(); err != nil {
		return err
	}
	if err := d.bound.read(d.texts, r); err != nil {
		if slot, ok := errors.AsType[*slotError](err); ok {
			err = &ColumnError{Column: d.places[slot.slot] + 1, Name: d.bound.columns[slot.slot], Err: slot.err}
		}
		return newLineError(d.name, d.row, bytes.Join(d.texts, []byte(",")), err)
	}
	return nil
}

// next fills texts with a row.
func (d *parquetDecoder) next() error {
	for d.err == nil && d.left == 0 {
		d.err = d.nextGroup()
	}
	if d.err != nil {
		return d.err
	}
	d.left--
	d.row++
	for i, column := range d.columns {
		v, err := column.next()
		if err != nil {
			d.err = fmt.Errorf("ingest: reading %s failed at row %d: %w: %w", d.name, d.row, errParquet, err)
			return d.err
		}
		d.texts[i] = nil
		if v != nil && !(column.leaf.fractional() && math.IsNaN(v.fraction)) {
			d.buffers[i] = column.leaf.append(d.buffers[i][:0], v)
			d.texts[i] = d.buffers[i]
		}
	}
	return nil
}

func (d *parquetDecoder) nextGroup() error {
	if d.group == len(d.meta.groups) {
		return io.EOF
	}
	g := &d.meta.groups[d.group]
	d.group++
	d.left = g.rows
	d.columns = d.columns[:0]
	memory := &allowed{maxPages}
	for _, place := range d.places {
		d.columns = append(d.columns, newColumnReader(d.file, &d.meta.leaves[place], &g.chunks[place], memory))
	}
	return nil
}

// Skip implements Decoder.
func (d *parquetDecoder) Skip(row int64) error {
	for d.group < len(d.meta.groups) && d.left == 0 && d.row+d.meta.groups[d.group].rows <= row {
		d.row += d.meta.groups[d.group].rows
		d.group++
	}
	for d.row < row {
		if err := d.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	return nil
}

// Line implements Decoder.
func (d *parquetDecoder) Line() int64 { return d.row }

// Lines implements Decoder.
func (d *parquetDecoder) Lines() int64 { return d.row }

// Bytes implements Decoder. It is in proportion to the rows.
func (d *parquetDecoder) Bytes() int64 {
	if d.meta.rows == 0 || d.row == d.meta.rows {
		return d.size
	}
	return int64(float64(d.size) * float64(d.row) / float64(d.meta.rows))
}

func (l *leaf) fractional() bool { return l.physical == parquetFloat || l.physical == parquetDouble }

// append writes a value as text, exactly.
func (l *leaf) append(dst []byte, v *value) []byte {
	switch {
	case l.physical == parquetFloat:
		return strconv.AppendFloat(dst, v.fraction, 'f', -1, 32)
	case l.physical == parquetDouble:
		return strconv.AppendFloat(dst, v.fraction, 'f', -1, 64)
	case l.physical == parquetInt96:
		return l.appendTime(dst, julian(v.bytes))
	case l.means == asDecimal && l.physical >= parquetByteArray:
		return appendDecimal(dst, v.bytes, l.scale)
	case l.physical >= parquetByteArray:
		return append(dst, v.bytes...)
	}
	switch l.means {
	case asUnsigned:
		if l.physical == parquetInt32 {
			return strconv.AppendUint(dst, uint64(uint32(v.whole)), 10)
		}
		return strconv.AppendUint(dst, uint64(v.whole), 10)
	case asDecimal:
		return append(strconv.AppendInt(dst, v.whole, 10), "e"+strconv.Itoa(-l.scale)...)
	case asDate:
		return time.Unix(v.whole*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
	case asMillis:
		return l.appendTime(dst, time.UnixMilli(v.whole))
	case asMicros:
		return l.appendTime(dst, time.UnixMicro(v.whole))
	case asNanos:
		return l.appendTime(dst, time.Unix(0, v.whole))
	default:
		return strconv.AppendInt(dst, v.whole, 10)
	}
}

func (l *leaf) appendTime(dst []byte, at time.Time) []byte {
	if l.local {
		return at.UTC().AppendFormat(dst, localLayout)
	}
	return at.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// julian reads the times of old writers: nanoseconds of the day, and the Julian
// day, of which 1970-01-01 is 2,440,588.
func julian(data []byte) time.Time {
	nanos := int64(binary.LittleEndian.Uint64(data))
	day := int64(binary.LittleEndian.Uint32(data[8:]))
	return time.Unix((day-2_440_588)*86400, nanos)
}

// appendDecimal writes a big-endian number in two's complement.
func appendDecimal(dst, data []byte, scale int) []byte {
	if len(data) > maxDecimalBytes {
		return append(dst, "a decimal number of too many bytes"...)
	}
	n := new(big.Int).SetBytes(data)
	if len(data) > 0 && data[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(data))))
	}
	return append(n.Append(dst, 10), "e"+strconv.Itoa(-scale)...)
}
