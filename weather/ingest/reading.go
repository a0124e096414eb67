package ingest

import (
	"fmt"
	"strconv"

	"github.com/mesonet/mesonet/weather"
)

// Reading is one observation of one station.
type Reading struct {
	// Station is the id, which weather.CheckStationID has passed.
	Station string
	// Time of the observation.
	Time weather.Minute
	// Values by measure of the format's catalogue, as long as it. The next
	// reading overwrites them.
	Values []weather.Value
}

// Parser reads one line of a text format. It belongs to one Reader.
type Parser interface {
	// Parse reads a line, without its end, into r. The line is valid until
	// Parse returns. An error says what is wrong with the line, as a
	// *ColumnError where one column is to blame; r is undefined then.
	Parse(line []byte, r *Reading) error
}

// ColumnError is what is wrong with one column of a line.
type ColumnError struct {
	// Column counts from 1; 0 where columns have names only.
	Column int
	// Name is what the column holds.
	Name string
	Err  error
}

// Error says which column is wrong and why.
func (e *ColumnError) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("%s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("column %d, %s: %v", e.Column, e.Name, e.Err)
}

// Unwrap returns the reason.
func (e *ColumnError) Unwrap() error { return e.Err }

// LineError is a line that could not be read. The lines after it can.
type LineError struct {
	// File is the name of the source.
	File string
	// Line counts from 1.
	Line int64
	// Column counts from 1; 0 when no single one is to blame.
	Column int
	// Reason says what is wrong.
	Reason string
	// Text is the line, shortened to 100 bytes.
	Text string

	whole []byte // the line, up to MaxQuarantined bytes
}

// Error returns file:line: reason: "text".
func (e *LineError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Reason, strconv.QuoteToASCII(e.Text))
}

// shorten returns what of a line an error shows.
func shorten(line []byte) string {
	const most = 100
	if len(line) > most {
		return string(line[:most-3]) + "..."
	}
	return string(line)
}
