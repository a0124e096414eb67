package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// How lines are kept in the quarantine, so that they can be read again from there:
//
//   - the format is its name, or that of its mapping behind a slash: csv/river;
//   - the header of a CSV file is kept too, under its own number and with the
//     format "csv/river header", as its lines mean nothing without it;
//   - of a reading that was read and then refused there is no line any more. It is
//     kept as an object of JSON with its values, in the format "reading".
const (
	keptReading  = "reading"
	headerSuffix = " header"

	headerReason = "no line of its own: the header, without which the lines below it can't be read"
	cutReason    = "cut after 4 KiB: "
)

// Limits of the quarantine, by its .proto file.
const (
	longestReason = 1 << 10
	longestSource = 1 << 10
	longestLine   = ingest.MaxQuarantined + longestReason + 256
	maxLineNumber = math.MaxUint32
)

// stdinName is what a source is called that has no name.
const stdinName = "stdin"

func headerLine(text []byte, number int64, format string) *mesonetv1.QuarantinedLine {
	return &mesonetv1.QuarantinedLine{Line: uint32(number), Text: text, Reason: headerReason, Format: format + headerSuffix}
}

// quarantineName is the name under which lines of a source are kept: its own, where
// it can be one. Where not it is made valid, with a mark that tells it from others
// which are made the same.
func quarantineName(name string) string {
	valid := strings.ToValidUTF8(name, "�")
	if valid == name && len(name) <= longestSource {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	mark := " #" + hex.EncodeToString(sum[:4])
	if over := len(valid) + len(mark) - longestSource; over > 0 { // its end says more than its beginning
		valid = strings.ToValidUTF8(valid[over:], "")
	}
	return valid + mark
}

// reasonText is a reason as people see it, as it may be kept.
func reasonText(reason string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(reason, "weather: ", ""), "�")
}

// cut shortens a text to so many bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = text[:most-len("…")]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}

// readingText is a reading as a line of JSON that the format ndjson reads.
func readingText(c weather.Catalogue, r *ingest.Reading) []byte {
	var b bytes.Buffer
	b.WriteString(`{"station":` + jsonText(r.Station) + `,"time":"` + r.Time.Time().Format("2006-01-02T15:04Z") + `"`)
	has := false
	for i, v := range r.Values {
		if v == weather.Missing {
			continue
		}
		has = true
		value := v.Format(c[i].Decimals)
		if v == weather.Trace {
			value = `"T"`
		}
		b.WriteString(`,"` + c[i].Name + `":` + value)
	}
	if !has { // which is a reading too, of nothing
		b.WriteString(`,"` + c[0].Name + `":"NA"`)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// jsonText is the id of a station, which is printable ASCII, as JSON.
func jsonText(id string) string { return strconv.QuoteToASCII(id) }
