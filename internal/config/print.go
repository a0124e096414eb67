package config

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mesonet/mesonet/weather"
)

const measuresComment = `Measures beyond weather, behind the standard ones. Their order is part of what is
stored: add at the end, and don't remove or rename what a store knows. Of each:
  name           in snake case, such as water_level
  unit           for people, such as cm
  decimals       how many digits behind the point are kept, 0 to 6; 0 if not said
  aggregate      how the values of a day come together: mean, sum, maximum,
                 circular (a direction) or code
  trace          true: an amount too small to measure is a value; of sums alone
  low, high      what is possible at all; other values are refused
  usual_low, usual_high, step_per_hour, stuck_hours
                 what is usual; other values are kept and marked; may be left out`

const mappingsComment = `Mappings of columns, by name, for loading files that name their columns.`

// WriteYAML writes the configuration as a file that says the same, with what each
// key is for, and where its value comes from.
func (l *Loaded) WriteYAML(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range settings {
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: s.key, HeadComment: commented(s.comment())}
		value := &yaml.Node{Kind: yaml.ScalarNode, Tag: s.tag(), Value: s.get(&l.Config), LineComment: "# " + oneLine(l.From(s.key))}
		into := root
		if group, below, ok := strings.Cut(s.key, "."); ok {
			key.Value = below
			into = groupIn(root, group)
		}
		into.Content = append(into.Content, key, value)
	}
	measures := &yaml.Node{Kind: yaml.SequenceNode}
	for _, m := range l.Measures {
		measures.Content = append(measures.Content, m.node())
	}
	mappings := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(l.Mappings)) {
		value := &yaml.Node{}
		plain, err := l.Mappings[name].plain()
		if err == nil {
			err = value.Encode(plain)
		}
		if err != nil {
			return fmt.Errorf("config: mapping %s can't be written: %w", name, err)
		}
		value.HeadComment = commented(l.Mappings[name].Place())
		mappings.Content = append(mappings.Content, textNode(name), value)
	}
	l.list(root, measuresKey, measuresComment, measures)
	l.list(root, mappingsKey, mappingsComment, mappings)
	return encode(w, root)
}

// list adds a key with many values.
func (l *Loaded) list(root *yaml.Node, key, comment string, values *yaml.Node) {
	comment = commented(comment + "\n" + l.From(key))
	if len(values.Content) == 0 {
		values.Style = yaml.FlowStyle // [] and {}
	}
	root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, HeadComment: comment}, values)
}

// groupIn returns the mapping below a key, a new one when it is not there.
func groupIn(root *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(root.Content); i += 2 {
		if root.Content[i].Value == name {
			return root.Content[i+1]
		}
	}
	group := &yaml.Node{Kind: yaml.MappingNode}
	root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, group)
	return group
}

func encode(w io.Writer, n *yaml.Node) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return fmt.Errorf("config: the configuration can't be written: %w", err)
	}
	return e.Close()
}

// commented makes lines comments.
func commented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = "# " + line
	}
	return strings.Join(lines, "\n")
}

func (s *setting) tag() string {
	switch {
	case s.boolean:
		return "!!bool"
	case s.number:
		return "!!int"
	}
	return "!!str"
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// fields are what the file says of a measure, in order: numbers as numbers.
func (m Measure) fields() []field {
	limit := func(v weather.Value) any { return json.Number(v.Format(m.Decimals)) }
	all := []field{
		{"name", m.Name},
		{"unit", m.Unit},
		{"decimals", json.Number(strconv.Itoa(m.Decimals))},
		{"aggregate", m.Aggregate.String()},
		{"trace", m.Trace},
		{"low", limit(m.Low)},
		{"high", limit(m.High)},
	}
	if m.Usual != (weather.Range{}) {
		all = append(all, field{"usual_low", limit(m.Usual.Low)}, field{"usual_high", limit(m.Usual.High)})
	}
	if m.Step > 0 {
		all = append(all, field{"step_per_hour", limit(m.Step)})
	}
	if m.Stuck > 0 {
		all = append(all, field{"stuck_hours", json.Number(strconv.Itoa(m.Stuck))})
	}
	return all
}

type field struct {
	key   string
	value any // string, bool or json.Number
}

// node writes a measure.
func (m Measure) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, HeadComment: commented(m.place)}
	for _, f := range m.fields() {
		value := &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(f.value)}
		if _, isText := f.value.(string); isText {
			value.Tag = "!!str"
		}
		n.Content = append(n.Content, textNode(f.key), value)
	}
	return n
}

// plain returns the mapping as values, without the aliases of its file.
func (m Mapping) plain() (any, error) {
	var v any
	if err := m.node.Decode(&v); err != nil {
		return nil, err
	}
	return named(v), nil
}

// named turns keys into texts, as JSON has no others.
func named(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = named(v[key])
		}
	case map[any]any:
		all := make(map[string]any, len(v))
		for key := range v {
			all[fmt.Sprint(key)] = named(v[key])
		}
		return all
	case []any:
		for i := range v {
			v[i] = named(v[i])
		}
	}
	return v
}

// MarshalJSON writes the configuration and, beside it, where its values come
// from.
func (l *Loaded) MarshalJSON() ([]byte, error) {
	values, from := make(map[string]any), make(map[string]string)
	for _, s := range settings {
		from[s.key] = l.From(s.key)
		group, below, ok := strings.Cut(s.key, ".")
		if !ok {
			values[s.key] = s.value(&l.Config)
			continue
		}
		if values[group] == nil {
			values[group] = make(map[string]any)
		}
		values[group].(map[string]any)[below] = s.value(&l.Config)
	}
	measures := make([]map[string]any, len(l.Measures))
	for i, m := range l.Measures {
		measures[i] = make(map[string]any)
		for _, f := range m.fields() {
			measures[i][f.key] = f.value
		}
	}
	mappings := make(map[string]any, len(l.Mappings))
	for name, m := range l.Mappings {
		plain, err := m.plain()
		if err != nil {
			return nil, fmt.Errorf("config: mapping %s can't be written: %w", name, err)
		}
		mappings[name] = plain
	}
	values[measuresKey], from[measuresKey] = measures, l.From(measuresKey)
	values[mappingsKey], from[mappingsKey] = mappings, l.From(mappingsKey)
	return json.Marshal(struct {
		Config map[string]any    `json:"config"`
		From   map[string]string `json:"from"`
	}{values, from})
}

// value is a setting's value for JSON.
func (s *setting) value(c *Config) any {
	switch {
	case s.boolean:
		return s.get(c) == "true"
	case s.number:
		return json.Number(s.get(c))
	}
	return s.get(c)
}
