package config

import (
	"errors"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Mapping is a named mapping of columns as the file has it. What its keys are is
// known to those who load files: see Mappings.
type Mapping struct {
	node *yaml.Node
	file string
}

// Place is where the mapping stands.
func (m Mapping) Place() string { return document{name: m.file}.place(m.node.Line) }

// mappings takes all mappings.
func (d document) mappings(n *yaml.Node) {
	for name, value := range d.pairs(n, mappingsKey, nil, "") {
		value = resolved(value)
		if value.Kind != yaml.MappingNode {
			d.problems.add(d.place(value.Line), "mapping %s is %s; write its keys below it", name, kindOf(value))
			continue
		}
		if d.loaded.Mappings == nil {
			d.loaded.Mappings = make(map[string]Mapping)
		}
		d.loaded.Mappings[name] = Mapping{value, d.name}
	}
	d.loaded.from[mappingsKey] = d.place(n.Line)
}

// Mappings decodes the mappings into a type of those who use them, by its yaml
// tags. A key that the type has no field for, and a value of another type, are
// Problems, and so is what check says of a mapping; check may be nil.
func Mappings[M any](c Config, check func(name string, m M) error) (map[string]M, error) {
	all := make(map[string]M, len(c.Mappings))
	var l loader
	for _, name := range slices.Sorted(maps.Keys(c.Mappings)) {
		raw := c.Mappings[name]
		var m M
		if !(document{&l, raw.file}).decode(raw.node, &m, "mapping "+name) {
			continue
		}
		if check != nil {
			if err := check(name, m); err != nil {
				l.problems.add(raw.Place(), "mapping %s: %w", name, err)
				continue
			}
		}
		all[name] = m
	}
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return all, nil
}

// LoadMapping reads a file that is one mapping and nothing else, by the yaml tags of
// its type. Its error is Problems.
func LoadMapping[M any](name string) (M, error) {
	var m M
	l := loader{}
	text, err := readFile(name)
	if errors.Is(err, errNoFile) {
		err = errors.New("there is no such file; write one with the keys of a mapping")
	}
	if err != nil {
		l.problems.add(name, "%w", err)
		return m, l.problems.err()
	}
	d := document{&l, name}
	switch root := d.tree(text); {
	case root == nil && len(l.problems) == 0, root != nil && isNull(root):
		l.problems.add(name, "says nothing; write the keys of a mapping")
	case root != nil:
		d.decode(root, &m, "the mapping")
	}
	l.problems.sort()
	return m, l.problems.err()
}
