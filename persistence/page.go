package persistence

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
)

// A page is stored as one cell (docs/design/log.md is the contract):
//
//	offset size
//	     0    1  version of this layout (1)
//	     1    1  flags: bit 0 = deleted
//	     2    2  zero
//	     4    4  CRC-32C of everything else: bytes 0 to 3, 8 to the end, the key
//	     8    8  position
//	    16    4  version of the page's own encoding
//	    20       data
//
// The key goes into the checksum so that a page that turns up under another
// key is noticed.
const (
	cellVersion    = 1
	cellHeaderSize = 20
	flagDeleted    = 1
)

// EncodePage returns the cell of p.
func EncodePage(p Page) []byte {
	cell := make([]byte, cellHeaderSize, cellHeaderSize+len(p.Data))
	cell[0] = cellVersion
	if p.Deleted {
		cell[1] = flagDeleted
	}
	binary.LittleEndian.PutUint64(cell[8:], uint64(p.Position))
	binary.LittleEndian.PutUint32(cell[16:], p.Version)
	cell = append(cell, p.Data...)
	binary.LittleEndian.PutUint32(cell[4:], pageChecksum(p.Key, cell))
	return cell
}

// DecodePage returns the page of a cell that was stored under key. Its Data
// shares the cell. What is wrong with it comes as a CorruptError.
func DecodePage(key PageKey, cell []byte) (Page, error) {
	corrupt := func(format string, args ...any) error {
		return &CorruptError{Record: "page", Key: key.String(), Reason: fmt.Sprintf(format, args...)}
	}
	if len(cell) < cellHeaderSize {
		return Page{}, corrupt("%d bytes are too few", len(cell))
	}
	if cell[0] != cellVersion {
		return Page{}, corrupt("layout version %d is not known to this program, which reads version %d", cell[0], cellVersion)
	}
	if want, got := binary.LittleEndian.Uint32(cell[4:]), pageChecksum(key, cell); want != got {
		return Page{}, corrupt("checksum is %08x and should be %08x", got, want)
	}
	if cell[1]&^flagDeleted != 0 || cell[2]|cell[3] != 0 {
		return Page{}, corrupt("flags %x are not known to this program", cell[1:4])
	}
	return Page{
		Key:      key,
		Position: PagePosition(cell),
		Version:  binary.LittleEndian.Uint32(cell[16:]),
		Deleted:  cell[1]&flagDeleted != 0,
		Data:     cell[cellHeaderSize:],
	}, nil
}

// DecodePageHead returns what the first bytes of a cell say of the page that was
// stored under key, all but its data. Its checksum is over the data too, so that
// damage goes unnoticed here.
func DecodePageHead(key PageKey, head []byte) (Page, error) {
	if len(head) < cellHeaderSize || head[0] != cellVersion || head[1]&^flagDeleted != 0 || head[2]|head[3] != 0 {
		return Page{}, &CorruptError{Record: "page", Key: key.String(), Reason: fmt.Sprintf("its head %x is not known to this program", head[:min(len(head), 4)])}
	}
	return Page{
		Key: key, Position: PagePosition(head), Version: binary.LittleEndian.Uint32(head[16:]), Deleted: head[1]&flagDeleted != 0,
	}, nil
}

// PagePosition returns the position of a cell that EncodePage made, without
// checking it; 0 when it is too short.
func PagePosition(cell []byte) Position {
	if len(cell) < cellHeaderSize {
		return 0
	}
	return Position(binary.LittleEndian.Uint64(cell[8:]))
}

func pageChecksum(key PageKey, cell []byte) uint32 {
	k := make([]byte, 0, 64)
	k = binary.LittleEndian.AppendUint32(k, uint32(key.Shard))
	k = appendString(k, key.Kind)
	k = appendString(k, key.ID)
	k = appendString(k, key.Page)
	return crc32.Update(checksum(cell), castagnoli, k)
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
