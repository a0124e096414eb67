package quarantine

import (
	"time"
	"unicode/utf8"

	"github.com/mesonet/mesonet/actors/entity"
)

// Line is a line that could not be taken in.
type Line struct {
	// Number of the line in its source, from 1.
	Number uint32
	// Text as it came, of any bytes; empty when it is not known any more.
	Text string
	// Reason why it was not taken in.
	Reason string
	// Format in which it was read.
	Format string
	// Time at which it came, to the second; that of a line to be kept is the
	// command's.
	Time time.Time
}

// Limits of one line, in bytes, and of the name of a source.
const (
	MaxText   = 4 << 10
	MaxReason = 1 << 10
	MaxFormat = 256
	MaxSource = 1 << 10

	maxLine = MaxText + MaxReason + MaxFormat
)

// Limits of one command, and of the reply to one question: a log takes 1 MiB at
// once, and a page of lines should be an easy message.
const (
	MaxLines = 1000
	MaxBytes = 512 << 10
)

// bytes is what the line counts.
func (l *Line) bytes() int { return len(l.Text) + len(l.Reason) + len(l.Format) }

func (l *Line) check() error {
	bad := func(format string, args ...any) error { return entity.RejectInvalid(format, args...).Because(BadLine) }
	for _, part := range []struct {
		name string
		text string
		most int
	}{{"text", l.Text, MaxText}, {"reason", l.Reason, MaxReason}, {"format", l.Format, MaxFormat}} {
		if len(part.text) > part.most {
			return bad("the %s of line %d has %d bytes, over the limit of %d; cut it", part.name, l.Number, len(part.text), part.most)
		}
	}
	switch {
	case l.Number == 0:
		return bad("there is no line 0; lines are counted from 1")
	case !utf8.ValidString(l.Reason) || !utf8.ValidString(l.Format):
		return bad("reason %q or format %q of line %d is not UTF-8", l.Reason, l.Format, l.Number)
	}
	return nil
}

func checkLines(lines []Line) error {
	if len(lines) > MaxLines {
		return entity.RejectInvalid("%d lines are too many at once; send at most %d", len(lines), MaxLines).Because(BadLine)
	}
	bytes := 0
	for i := range lines {
		if err := lines[i].check(); err != nil {
			return err
		}
		bytes += lines[i].bytes()
	}
	if bytes > MaxBytes {
		return entity.RejectInvalid("lines of %d bytes are too many at once; send at most %d", bytes, MaxBytes).Because(BadLine)
	}
	return nil
}

func checkSource(source string) error {
	switch {
	case source == "" || len(source) > MaxSource:
		return entity.RejectInvalid("the name of a source has 1 to %d bytes, this one has %d", MaxSource, len(source)).Because(BadSource)
	case !utf8.ValidString(source):
		return entity.RejectInvalid("the name %q of a source is not UTF-8; replace what is not", source).Because(BadSource)
	}
	return nil
}
