package ingest

import (
	"bytes"
	"fmt"
)

// sniffed is how much of a file is looked at to see what it is.
const sniffed = 64 << 10

// parquetMagic begins and ends a Parquet file.
const parquetMagic = "PAR1"

// others are kinds of files that people hand in by mistake, by their first
// bytes.
var others = []struct{ magic, what, do string }{
	{"BZh", "compressed by bzip2", "unpack it first, or use gzip or zstd"},
	{"\xfd7zXZ\x00", "compressed by xz", "unpack it first, or use gzip or zstd"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first, or use zip"},
	{"PARE", "an encrypted Parquet file", "decrypt it first"},
	{"\xff\xfe", "text in UTF-16", "save it as UTF-8"},
	{"\xfe\xff", "text in UTF-16", "save it as UTF-8"},
}

// notData says why a file, which is not compressed, can't be one of readings; it
// is empty when it may be.
func notData(head []byte) string {
	if len(head) == 0 {
		return "is empty"
	}
	for _, other := range others {
		if bytes.HasPrefix(head, []byte(other.magic)) {
			return "is " + other.what + ": " + other.do
		}
	}
	if isTar(head) {
		return "is a tar archive: unpack it first, or use zip"
	}
	if bytes.HasPrefix(head, []byte(parquetMagic)) {
		return ""
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return fmt.Sprintf("is not text: byte %d is 0: give CSV, NDJSON, ISD-Lite or Parquet", i)
	}
	return ""
}

// isTar knows the ustar and GNU headers.
func isTar(head []byte) bool {
	return len(head) >= 512 && bytes.HasPrefix(head[257:], []byte("ustar"))
}

// checkNested refuses what is inside a compressed file and can't be loaded.
func checkNested(name string, head []byte) error {
	if inner := packingOf(head); inner != plain {
		return fmt.Errorf("%w: %s holds %s inside: an archive in an archive is not unpacked: unpack it once", ErrFile, name, inner)
	}
	if why := notData(head); why != "" && len(head) > 0 {
		return fmt.Errorf("%w: %s %s", ErrFile, name, why)
	}
	return nil
}
