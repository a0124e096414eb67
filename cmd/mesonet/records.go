package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// listing is an answer as programs read it piece by piece: an object a line in
// jsonl, a row in csv. Both come from the same rows, so an answer says once what
// it consists of.
type listing struct {
	// columns of csv.
	columns []string
	// cells returns the text of a row in each column. It may be the same slice
	// each time.
	cells func(row any) []string
	// rows are what jsonl writes as objects, each used up before the next is
	// asked for. They may come from afar, and fail on the way.
	rows iter.Seq2[any, error]
}

// lister is an answer that is a list. Any other is a list of itself alone.
type lister interface{ list() listing }

// listingOf returns the listing of an answer.
func listingOf(answer any) listing {
	if l, ok := answer.(lister); ok {
		return l.list()
	}
	return listOfType(reflect.TypeOf(answer), func(yield func(any, error) bool) { yield(answer, nil) })
}

// listOf returns the listing of structs, whose columns are named as their JSON
// is.
func listOf[T any](rows iter.Seq[T]) listing {
	return listOfType(reflect.TypeFor[T](), func(yield func(any, error) bool) {
		for row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	})
}

func listOfType(t reflect.Type, rows iter.Seq2[any, error]) listing {
	leaves := leavesOf(t, nil)
	l := listing{columns: make([]string, len(leaves)), rows: rows}
	for i, leaf := range leaves {
		l.columns[i] = leaf.name
	}
	cells := make([]string, len(leaves))
	l.cells = func(row any) []string {
		v := reflect.ValueOf(row)
		for i, leaf := range leaves {
			cells[i] = leaf.of(v)
		}
		return cells
	}
	return l
}

// jsonl writes an object a line.
func (l listing) jsonl(w io.Writer) error {
	b := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	for row, err := range l.rows {
		if err == nil {
			err = e.Encode(row)
		}
		if err != nil {
			_ = b.Flush() // what came before stands
			return err
		}
	}
	return b.Flush()
}

// csv writes a header and a row for each, as RFC 4180 has it; but a line ends with
// a line feed alone, which all readers take and the tools of a pipe expect. Where
// the first row can't be had nothing is written.
func (l listing) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	begun := false
	for row, err := range l.rows {
		if err == nil && !begun {
			begun = true
			err = c.Write(l.columns)
		}
		if err == nil {
			err = c.Write(l.cells(row))
		}
		if err != nil {
			c.Flush()
			return err
		}
	}
	if !begun {
		if err := c.Write(l.columns); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// leaf is a field of a struct, or of one within it, that is a column by itself.
type leaf struct {
	name string
	path []int // of indices, from the outermost struct
}

var timeType = reflect.TypeFor[time.Time]()

// leavesOf flattens a struct, or a pointer to one. A struct in a field is flattened
// with the field's name before its own, as in temperature.high, unless the field is
// embedded or has the tag csv:"inline".
func leavesOf(t reflect.Type, path []int) (leaves []leaf) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		below := append(path[:len(path):len(path)], i)
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || of == timeType {
			leaves = append(leaves, leaf{name, below})
			continue
		}
		for _, inner := range leavesOf(of, below) {
			if !f.Anonymous && f.Tag.Get("csv") != "inline" {
				inner.name = name + "." + inner.name
			}
			leaves = append(leaves, inner)
		}
	}
	return leaves
}

// of returns the text of the leaf in a struct: empty where a pointer on the way to
// it leads nowhere.
func (l leaf) of(v reflect.Value) string {
	for _, i := range l.path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return ""
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return cell(v)
}

// cell returns a value as a cell of csv: numbers plain and in full, times as RFC
// 3339, names with spaces between, what is not there as nothing. What has more in
// it than a cell is JSON in one.
func cell(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float64:
		return plain(v.Float())
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return ""
		}
	default:
	}
	switch value := v.Interface().(type) {
	case time.Time:
		return value.Format(time.RFC3339Nano)
	case []string:
		return strings.Join(value, " ")
	default:
		text, err := json.Marshal(value)
		if err != nil { // no answer has a channel or the like in it
			return err.Error()
		}
		return string(text)
	}
}

// plain is a number as programs read it.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
