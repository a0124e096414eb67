package weather

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Numbers are packed in blocks of 64: their least, and of each the distance to
// it in as many bits as the largest needs (frame of reference, as in Goldstein,
// Ramakrishnan and Shaft, "Compressing relations and indexes", 1998). Weather
// changes slowly, so a block of temperatures takes 6 to 8 bits each, at a
// nanosecond, where varints of differences take 8 and a branch each. Blocks
// are short so that one outlier spoils few.
//
//	block = width byte (1 to 32), least varint, ⌈count·width/8⌉ bytes
//	block of 1 or 2 numbers = a varint each
//
// No width is 0 although constant blocks would allow it: that way each number
// costs a bit at least, and what hostile input can make a decoder allocate is
// bounded by 32 times its length.
const blockSize = 64

// fewNumbers is the longest block that is not worth a width.
const fewNumbers = 2

// Numbers of both widths are packed to the same bytes.
type packed interface{ ~int16 | ~int32 }

// appendBlock packs 1 to blockSize numbers.
func appendBlock[T packed](dst []byte, numbers []T) []byte {
	if len(numbers) <= fewNumbers {
		for _, v := range numbers {
			dst = binary.AppendVarint(dst, int64(v))
		}
		return dst
	}
	least, most := numbers[0], numbers[0]
	for _, v := range numbers {
		least, most = min(least, v), max(most, v)
	}
	base := uint32(int32(least))
	width := max(1, bits.Len32(uint32(int32(most))-base))
	dst = append(dst, byte(width))
	dst = binary.AppendVarint(dst, int64(least))
	size := (len(numbers)*width + 7) / 8
	dst = slices.Grow(dst, size+8) // words are written whole
	out := dst[len(dst) : len(dst)+size+8]
	var pending uint64 // bits not yet written, the oldest lowest
	var held, at int
	if width <= 16 { // two together are a word at most
		for ; len(numbers) > 1; numbers = numbers[2:] {
			two := uint64(uint32(int32(numbers[0]))-base) | uint64(uint32(int32(numbers[1]))-base)<<(width&31)
			pending |= two << (held & 31)
			if held += 2 * width; held >= 32 {
				binary.LittleEndian.PutUint32(out[at:], uint32(pending))
				pending >>= 32
				held -= 32
				at += 4
			}
		}
	}
	for _, v := range numbers {
		pending |= uint64(uint32(int32(v))-base) << (held & 31)
		if held += width; held >= 32 {
			binary.LittleEndian.PutUint32(out[at:], uint32(pending))
			pending >>= 32
			held -= 32
			at += 4
		}
	}
	binary.LittleEndian.PutUint64(out[at:], pending)
	return dst[:len(dst)+size]
}

// unpack reads as many numbers as dst has room for, 1 to blockSize.
func unpack[T ~int32](d *decoder, dst []T) {
	if len(dst) <= fewNumbers {
		for i := range dst {
			dst[i] = T(d.int32())
		}
		return
	}
	width := uint(d.byte())
	least := uint32(d.int32())
	if width < 1 || width > 32 {
		d.fail("a width of %d bits", width)
		return
	}
	packed := d.bytes((len(dst)*int(width) + 7) / 8)
	if d.err != nil {
		return
	}
	var pending uint64
	var held uint
	mask := uint64(1)<<width - 1
	for i := range dst {
		if held < width {
			var word uint64
			if len(packed) >= 4 {
				word = uint64(binary.LittleEndian.Uint32(packed))
				packed = packed[4:]
			} else {
				for k, b := range packed {
					word |= uint64(b) << (8 * k)
				}
				packed = nil
			}
			pending |= word << (held & 31)
			held += 32
		}
		dst[i] = T(least + uint32(pending&mask))
		pending >>= width & 63
		held -= width
	}
}
