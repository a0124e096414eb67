package persistence

import "encoding/binary"

// Reseal puts the right version and checksum into a frame, if it has room for
// them.
func Reseal(data []byte) {
	if len(data) < frameHeaderSize {
		return
	}
	data[0], data[1], data[2], data[3] = frameVersion, data[1]&flagSnappy, 0, 0
	binary.LittleEndian.PutUint32(data[8:], 1)
	binary.LittleEndian.PutUint64(data[16:], 5)
	binary.LittleEndian.PutUint32(data[4:], checksum(data))
}
