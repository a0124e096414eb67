package weather

import (
	"encoding/binary"
	"math/bits"
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

// appendBlock packs 1 to blockSize numbers.
func appendBlock[T ~int32](dst []byte, numbers []T) []byte {
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
	width := max(1, bits.Len32(uint32(most)-uint32(least)))
	dst = append(dst, byte(width))
	dst = binary.AppendVarint(dst, int64(least))
	var pending uint64 // bits not yet written, the oldest lowest
	var held int
	for _, v := range numbers {
		pending |= uint64(uint32(v)-uint32(least)) << (held & 63)
		if held += width; held >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(pending))
			pending >>= 32
			held -= 32
		}
	}
	for ; held > 0; held -= 8 {
		dst = append(dst, byte(pending))
		pending >>= 8
	}
	return dst
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
