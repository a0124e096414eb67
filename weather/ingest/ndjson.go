package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ndjsonFormat is an object of JSON a line, read by a mapping.
type ndjsonFormat struct{ plan *plan }

func (f *ndjsonFormat) mark() string { return f.plan.mark() }

// Name implements Format.
func (f *ndjsonFormat) Name() string { return f.plan.name }

// Read implements Format.
func (f *ndjsonFormat) Read(name string, r io.Reader) (Decoder, error) {
	return NewReader(name, r, newNDJSON(f.plan)), nil
}

// ndjson reads lines.
type ndjson struct {
	bound  *bound
	object object
	values int // the first slot that is a measure
}

func newNDJSON(p *plan) *ndjson {
	b := newBound(p)
	values := len(b.columns) - len(b.measures)
	for i := range p.others {
		b.measure(&p.others[i]) // of which each object has what it has
	}
	return &ndjson{bound: b, object: newObject(b.columns), values: values}
}

var errNoMeasure = errors.New("no field is a measure")

// Parse implements Parser.
func (n *ndjson) Parse(line []byte, r *Reading) error {
	if err := n.object.read(line); err != nil {
		return n.blame(err)
	}
	has := false
	for _, text := range n.object.texts[n.values:] {
		has = has || text != nil
	}
	if !has {
		return errNoMeasure
	}
	if err := n.bound.read(n.object.texts, r); err != nil {
		return n.blame(err)
	}
	return nil
}

// blame names the field.
func (n *ndjson) blame(err error) error {
	if slot, ok := errors.AsType[*slotError](err); ok {
		return &ColumnError{Name: n.bound.columns[slot.slot], Err: slot.err}
	}
	return err
}

// object finds fields in the text of an object. The text is first checked by
// encoding/json; what walks over it then can rely on its form. That takes a
// quarter of the time of decoding into a map.
type object struct {
	names  map[string]int
	texts  [][]byte // of the fields; nil: not there, or null
	seen   []bool
	nested bool   // some are in objects within the object
	path   []byte // of the object that is walked over, with a dot
	text   []byte // the rest to walk over
}

func newObject(names []string) object {
	o := object{names: map[string]int{}, texts: make([][]byte, len(names)), seen: make([]bool, len(names))}
	for i, name := range names {
		o.names[name] = i
		o.nested = o.nested || strings.Contains(name, ".")
	}
	return o
}

// read fills texts from one object.
func (o *object) read(line []byte) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' {
		if len(line) > 0 && line[0] == '[' {
			return errors.New("an array, where ndjson has one object a line: take the brackets and commas around the objects away")
		}
		return errors.New("not an object, of which ndjson has one a line")
	}
	if !json.Valid(line) {
		var all json.RawMessage
		return fmt.Errorf("not JSON: %w", json.Unmarshal(line, &all)) // says why
	}
	clear(o.texts)
	clear(o.seen)
	o.path, o.text = o.path[:0], line
	return o.walk()
}

// walk goes over the object that text begins with.
func (o *object) walk() error {
	o.text = o.text[1:]
	for {
		o.space()
		switch o.text[0] {
		case '}':
			o.text = o.text[1:]
			return nil
		case ',':
			o.text = o.text[1:]
			o.space()
		}
		key := o.string()
		o.space()
		o.text = o.text[1:] // the colon
		o.space()
		if err := o.field(key); err != nil {
			return err
		}
	}
}

// field takes the value of a key.
func (o *object) field(key []byte) error {
	path := len(o.path)
	name := key
	if path > 0 {
		name = append(o.path, key...)
		o.path = name[:path]
	}
	slot, known := o.names[string(name)]
	if !known {
		if o.nested && o.text[0] == '{' {
			o.path = append(append(o.path, key...), '.')
			err := o.walk()
			o.path = o.path[:path]
			return err
		}
		o.skip()
		return nil
	}
	if o.seen[slot] {
		return &slotError{slot, errors.New("the field is there twice")}
	}
	o.seen[slot] = true
	switch c := o.text[0]; c {
	case '"':
		o.texts[slot] = o.string()
	case '{', '[', 't', 'f':
		return &slotError{slot, fmt.Errorf("%s is neither a number nor a text", quoted(o.skip()))}
	case 'n':
		o.skip()
	default:
		o.texts[slot] = o.skip()
	}
	return nil
}

func (o *object) space() {
	i := 0
	for i < len(o.text) && (o.text[i] == ' ' || o.text[i] == '\t' || o.text[i] == '\n' || o.text[i] == '\r') {
		i++
	}
	o.text = o.text[i:]
}

// string takes the string that text begins with, without quotes and escapes.
func (o *object) string() []byte {
	raw := o.quoted()
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var plain string
	if err := json.Unmarshal(raw, &plain); err != nil {
		return raw // it was valid, so this can't be
	}
	return []byte(plain)
}

// quoted takes the string that text begins with, as it is.
func (o *object) quoted() []byte {
	i := 1
	for ; o.text[i] != '"'; i++ {
		if o.text[i] == '\\' {
			i++
		}
	}
	raw := o.text[:i+1]
	o.text = o.text[i+1:]
	return raw
}

// skip takes the value that text begins with, as it is.
func (o *object) skip() []byte {
	from := o.text
	switch from[0] {
	case '"':
		return o.quoted()
	case '{', '[':
		for depth := 0; ; {
			switch o.text[0] {
			case '"':
				o.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			o.text = o.text[1:]
			if depth == 0 {
				return from[:len(from)-len(o.text)]
			}
		}
	}
	i := 0
	for i < len(from) && from[i] != ',' && from[i] != '}' && from[i] != ']' && from[i] > ' ' {
		i++
	}
	o.text = from[i:]
	return from[:i]
}
