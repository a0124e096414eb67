package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decode reads a node into a value, as yaml does, but refuses keys that the value
// has no field for, with a suggestion, and keys that stand twice. what names the
// node for people. It reports whether all went well.
func (d document) decode(n *yaml.Node, into any, what string) bool {
	before := len(d.problems)
	d.fields(n, reflect.TypeOf(into), what)
	if len(d.problems) > before {
		return false
	}
	err := n.Decode(into)
	var types *yaml.TypeError
	switch {
	case err == nil:
		return true
	case errors.As(err, &types):
		for _, line := range types.Errors {
			d.mistyped(n, what, line)
		}
	default:
		d.problems.add(d.place(n.Line), "%s: %s", what, lineOf.ReplaceAllString(err.Error(), ""))
	}
	return false
}

// fields looks for the keys of structs, as deep as types have them.
func (d document) fields(n *yaml.Node, t reflect.Type, what string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	n = resolved(n)
	if t == reflect.TypeFor[scalar]() && isNull(n) { // yaml would leave it out
		d.problems.add(d.place(n.Line), "%s has no value; write one, or take the line away", what)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return // it knows by itself
	}
	switch {
	case t.Kind() == reflect.Struct:
		known := fieldsOf(t)
		names := make([]string, 0, len(known))
		for i := range t.NumField() {
			if name, ok := nameOf(t.Field(i)); ok {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return // a type that yaml reads in its own way, such as a time
		}
		for key, value := range d.pairs(n, what, names, "") {
			d.fields(value, known[key], what+": "+key)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for key, value := range d.pairs(n, what, nil, "") {
			d.fields(value, t.Elem(), what+": "+key)
		}
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, value := range n.Content {
			d.fields(value, t.Elem(), what)
		}
	}
}

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	known := make(map[string]reflect.Type)
	for i := range t.NumField() {
		if name, ok := nameOf(t.Field(i)); ok {
			known[name] = t.Field(i).Type
		}
	}
	return known
}

// nameOf is the key of a field, as yaml has it.
func nameOf(f reflect.StructField) (string, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	switch {
	case !f.IsExported() || name == "-":
		return "", false
	case name == "":
		return strings.ToLower(f.Name), true
	}
	return name, true
}

// A type error of yaml: what stands there, and the Go type that it should be.
var typeError = regexp.MustCompile("^line (\\d+): (?:cannot unmarshal !!(\\w+)(?: `(.*)`)? into (.*)|(.*))$")

// mistyped says in words what yaml found.
func (d document) mistyped(n *yaml.Node, what, line string) {
	found := typeError.FindStringSubmatch(line)
	if found == nil {
		d.problems.add(d.place(n.Line), "%s: %s", what, line)
		return
	}
	place := d.name + ":" + found[1]
	kinds := map[string]string{"seq": "a list", "map": "a group of keys", "null": "nothing"}
	written, isKind := kinds[found[2]]
	if !isKind {
		written = shown(found[3])
	}
	switch {
	case found[5] != "":
		d.problems.add(place, "%s: %s", what, found[5])
	default:
		d.problems.add(place, "%s: %s stands where %s has to be", what, written, wanted(found[4]))
	}
}

// wanted names a Go type for people.
func wanted(goType string) string {
	switch {
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.HasPrefix(goType, "map["), strings.Contains(goType, "."):
		return "a group of keys"
	}
	return "one value"
}

// scalar is the text of one value, with its place.
type scalar struct {
	text string
	line int // 0 when it is not there
}

// UnmarshalYAML takes a value as it is written: 12.50 keeps its zero.
func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s stands where one value has to be", n.Line, kindOf(n))}}
	}
	s.text, s.line = n.Value, n.Line
	return nil
}
