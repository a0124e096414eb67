package ingest

import (
	"fmt"
)

// Limits bound what files may expand to, so that a small archive can't keep a
// node busy for days. Zero fields are not limits but mistakes: begin with
// DefaultLimits. Errors call a limit by the name that is given here.
type Limits struct {
	// MaxBytes (max-bytes) is the most that an archive, gzip, zstd or zip, may
	// have, uncompressed and all members together. The default of 1 GiB is 15
	// million lines of hourly observations.
	MaxBytes int64
	// MaxRatio (max-ratio) is the most bytes that one compressed byte may
	// become, beyond the first MiB. Weather becomes 7, and a file of one line
	// repeated 150; a bomb of zeros becomes 1,000. The default is 200.
	MaxRatio int64
	// MaxPlain (max-plain) is the most bytes of a file that is not
	// compressed. The default of 64 GiB is a thousand station centuries of
	// hourly observations.
	MaxPlain int64
	// MaxFiles (max-files) is the most files of a folder, or members of a
	// zip archive. The default is 100,000: ISD-Lite has 13,000 files a year.
	MaxFiles int
}

// DefaultLimits returns the limits that the fields document.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 30, MaxRatio: 200, MaxPlain: 64 << 30, MaxFiles: 100_000}
}

// Validate returns an error that names the first field that is wrong.
func (l *Limits) Validate() error {
	for _, limit := range []struct {
		name  string
		value int64
	}{{"max-bytes", l.MaxBytes}, {"max-ratio", l.MaxRatio}, {"max-plain", l.MaxPlain}, {"max-files", int64(l.MaxFiles)}} {
		if limit.value < 1 {
			return fmt.Errorf("ingest: limits: %s is %d: at least 1; begin with DefaultLimits", limit.name, limit.value)
		}
	}
	return nil
}

// ratioFrom is how much may come out before MaxRatio counts.
const ratioFrom = 1 << 20

// check returns an error when so many bytes have become more than they may.
func (l *Limits) check(name string, in, out int64) error {
	if out > l.MaxBytes {
		return fmt.Errorf("%w: %s has more than %d bytes, uncompressed: split it, unpack it, or raise max-bytes", ErrFile, name, l.MaxBytes)
	}
	if out > ratioFrom && out/l.MaxRatio > in {
		return fmt.Errorf("%w: %s: %d bytes become %d, over %d times as much, as in a decompression bomb: if you trust it, unpack it or raise max-ratio",
			ErrFile, name, in, out, l.MaxRatio)
	}
	return nil
}
