package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// keptReader reads lines from the quarantine again.
type keptReader struct {
	catalogue weather.Catalogue
	known     *mappings
	station   string
	builtIn   *ingest.Formats
}

func newKeptReader(c weather.Catalogue, known *mappings, station string) (*keptReader, error) {
	if known.asked != nil { // or every line would say it
		if _, err := known.format(c, known.asked); err != nil {
			return nil, err
		}
	}
	formats, err := ingest.NewFormats(c)
	return &keptReader{catalogue: c, known: known, station: station, builtIn: formats}, err
}

// readable is a line and how to read it.
type readable struct {
	line     *mesonetv1.QuarantinedLine
	source   string
	format   ingest.Format
	header   []byte // that goes before it
	recorded string // what the format is called in the quarantine
}

// open finds out how to read a line of a source. An error says why it can't be.
func (k *keptReader) open(source string, line, header *mesonetv1.QuarantinedLine) (readable, error) {
	one := readable{line: line, source: source, recorded: line.GetFormat()}
	switch {
	case len(line.GetText()) == 0:
		return one, errors.New("its text is not kept; load the file again")
	case len(line.GetText()) >= ingest.MaxQuarantined:
		return one, errors.New("only its beginning is kept; load the file again")
	}
	kind, name, _ := strings.Cut(line.GetFormat(), "/")
	var err error
	switch kind {
	case keptReading:
		one.format, err = k.builtIn.Named(ingest.NDJSONName)
	case ingest.KillrWeatherName:
		one.format, err = k.builtIn.Named(kind)
	case ingest.ISDLiteName:
		one.format, err = ingest.ISDLiteFormat(k.catalogue, k.station)
	case ingest.CSVName, ingest.NDJSONName:
		err = one.mapped(k, kind, name, header)
	case ingest.ParquetName:
		err = errors.New("a row of Parquet can't be read alone; load the file again")
	default:
		err = fmt.Errorf("its format %q is not known; load the file again", line.GetFormat())
	}
	return one, err
}

// mapped finds the mapping of a line.
func (r *readable) mapped(k *keptReader, kind, name string, header *mesonetv1.QuarantinedLine) (err error) {
	m := k.known.asked
	switch {
	case m != nil && kindOf(m) != kind:
		return fmt.Errorf("it is %s, and the mapping %s of %s", kind, m.Name, kindOf(m))
	case m != nil:
		r.recorded = k.known.recorded(m.Name)
	case name == "":
		r.format, err = k.builtIn.Named(kind)
	default:
		one, ok := k.known.all[name]
		if !ok {
			return fmt.Errorf("its mapping %s is not known here; name the configuration that has it with --config, or another mapping with --mapping", name)
		}
		m = &one
	}
	if m != nil {
		r.format, err = k.known.format(k.catalogue, m)
	}
	if err != nil || kind != ingest.CSVName || m != nil && m.NoHeader {
		return err
	}
	switch {
	case header == nil:
		return errors.New("the header of its file is not kept; load the file again")
	case len(header.GetText()) >= ingest.MaxQuarantined:
		return errors.New("the header of its file is too long to be kept; load the file again")
	}
	r.header = append(bytes.Clone(header.GetText()), '\n')
	return nil
}

// read reads the line.
func (r *readable) read(into *ingest.Reading) error {
	d, err := r.format.Read(r.source, io.MultiReader(bytes.NewReader(r.header), bytes.NewReader(r.line.GetText())))
	if err == nil {
		err = d.Read(into)
	}
	var malformed *ingest.LineError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &malformed):
		err = errors.New(malformed.Reason)
	case errors.Is(err, io.EOF):
		err = errors.New("there is nothing in it")
	}
	return &ingest.LineError{File: r.source, Line: int64(r.line.GetLine()), Reason: withoutPackage(err.Error()), Text: string(r.line.GetText())}
}

// keptFormat is lines in the form of a format, for ingest.Load. Each is read for
// itself, so that a quote which is not closed does not take the next one with it, and
// keeps the number that it had.
type keptFormat []readable

// Name implements ingest.Format.
func (keptFormat) Name() string { return "quarantine" }

// Read implements ingest.Format.
func (f keptFormat) Read(string, io.Reader) (ingest.Decoder, error) {
	return &keptDecoder{lines: f}, nil
}

// keptDecoder is an ingest.Decoder of lines.
type keptDecoder struct {
	lines []readable
	last  int64 // the number of the one that was read last
	bytes int64
}

func (d *keptDecoder) Read(r *ingest.Reading) error {
	if len(d.lines) == 0 {
		return io.EOF
	}
	one := &d.lines[0]
	d.lines = d.lines[1:]
	d.last = int64(one.line.GetLine())
	d.bytes += int64(len(one.line.GetText()))
	return one.read(r)
}

func (d *keptDecoder) Skip(line int64) error {
	for len(d.lines) > 0 && int64(d.lines[0].line.GetLine()) <= line {
		d.lines = d.lines[1:]
	}
	return nil
}

func (d *keptDecoder) Line() int64  { return d.last }
func (d *keptDecoder) Lines() int64 { return d.last }
func (d *keptDecoder) Bytes() int64 { return d.bytes }
