package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mesonet/mesonet/internal/spelling"
)

// maxFile bounds what is read: a list of 256 measures takes some 40 KiB.
const maxFile = 1 << 20

const (
	measuresKey = "measures"
	mappingsKey = "mappings"
)

// file reads a file and takes what it says.
func (l *loader) file(name string) {
	b, err := readFile(name)
	if err != nil {
		l.problems.add(name, "%w", err)
		return
	}
	l.parse(name, b)
}

var errNoFile = errors.New("there is no such file; mesonet config print --defaults writes one to begin with")

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoFile
	case err != nil:
		return nil, fmt.Errorf("can't be read (%w); check who may read it", cause(err))
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("can't be read (%w); name a file", cause(err))
	case len(b) > maxFile:
		return nil, fmt.Errorf("has more than %s; is it a configuration?", formatSize(maxFile))
	}
	return b, nil
}

// cause takes the path away, which stands before the problem already.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// document is a file while it is read.
type document struct {
	*loader
	name string
}

func (d document) place(line int) string { return fmt.Sprintf("%s:%d", d.name, line) }

// parse takes what a text says; name is that of its file.
func (l *loader) parse(name string, text []byte) {
	d := document{l, name}
	if root := d.tree(text); root != nil {
		d.root(root)
	}
}

// tree returns what a text says, nil for nothing and for what is no YAML.
func (d document) tree(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, more yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil // nothing, or comments alone
	case err != nil:
		d.malformed(err)
		return nil
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		d.problems.add(d.place(more.Line), "a second document begins here; a configuration is one: take the line --- away")
		return nil
	case !errors.Is(err, io.EOF):
		d.malformed(err)
		return nil
	}
	return root.Content[0]
}

var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// malformed says where a text is no YAML.
func (d document) malformed(err error) {
	place := d.name
	if found := lineOf.FindStringSubmatch(err.Error()); found != nil && found[1] != "" {
		place += ":" + found[1]
	}
	d.problems.add(place, "is no YAML: %s; look at the spaces at the beginning of that line and the one before, and at : and quotes",
		lineOf.ReplaceAllString(err.Error(), ""))
}

// root takes the whole file.
func (d document) root(n *yaml.Node) {
	if isNull(n) {
		return
	}
	keys := []string{measuresKey, mappingsKey}
	for _, s := range settings {
		group, _, _ := strings.Cut(s.key, ".")
		if !slices.Contains(keys, group) {
			keys = append(keys, group)
		}
	}
	for key, value := range d.pairs(n, "the file", keys, "") {
		switch {
		case key == measuresKey:
			d.measures(value)
		case key == mappingsKey:
			d.mappings(value)
		case settingOf(key) != nil:
			d.scalar(settingOf(key), value)
		default:
			d.group(key, value)
		}
	}
}

// group takes the settings below one key, such as log.
func (d document) group(name string, n *yaml.Node) {
	var keys []string
	for _, s := range settings {
		if below, ok := strings.CutPrefix(s.key, name+"."); ok {
			keys = append(keys, below)
		}
	}
	for key, value := range d.pairs(n, name, keys, name+".") {
		d.scalar(settingOf(name+"."+key), value)
	}
}

// scalar takes one value.
func (d document) scalar(s *setting, n *yaml.Node) {
	n = resolved(n)
	place := d.place(n.Line)
	switch {
	case isNull(n):
		d.problems.add(place, "%s has no value; write one, or take the line away for the default", s.key)
	case n.Kind != yaml.ScalarNode:
		d.problems.add(place, "%s is %s; write one value, such as %s: %s", s.key, kindOf(n), s.key, s.get(&d.sources.Defaults))
	default:
		before := len(d.problems)
		d.take(given{s, n.Value, place})
		for i := range d.problems[before:] { // a place in a file is not its name
			d.problems[before+i].Text = s.key + ": " + d.problems[before+i].Text
		}
	}
}

// pairs yields the pairs of a mapping whose keys are known and stand there once;
// of the others it tells. prefix is what stands before the keys elsewhere.
func (d document) pairs(n *yaml.Node, what string, known []string, prefix string) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		n := resolved(n)
		if n.Kind != yaml.MappingNode {
			example := "NAME"
			if known != nil {
				example = known[0]
			}
			d.problems.add(d.place(n.Line), "%s is %s; write lines such as %s: VALUE", what, kindOf(n), example)
			return
		}
		first := make(map[string]int)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolved(n.Content[i]), n.Content[i+1]
			switch before, twice := first[key.Value]; {
			case key.Kind != yaml.ScalarNode:
				d.problems.add(d.place(key.Line), "%s stands where a key has to be", kindOf(key))
			case known != nil && !slices.Contains(known, key.Value):
				d.problems.add(d.place(key.Line), "there is no key %s; %s", shown(prefix+key.Value), insteadOfKey(key.Value, known, prefix))
			case twice:
				d.problems.add(d.place(key.Line), "%s stands in line %d already; keep one of them", prefix+key.Value, before)
			default:
				first[key.Value] = key.Line
				if !yield(key.Value, value) {
					return
				}
			}
		}
	}
}

// insteadOfKey suggests a key: of those beside it, else one that stands elsewhere,
// as log_format is format below log.
func insteadOfKey(name string, beside []string, prefix string) string {
	name = strings.NewReplacer("-", "_", ".", "_").Replace(name)
	if spelling.Closest(name, beside) != "" {
		return instead(name, beside)
	}
	elsewhere := make(map[string]string)
	for _, s := range settings {
		elsewhere[strings.ReplaceAll(s.key, ".", "_")] = s.key
	}
	like := elsewhere[spelling.Closest(name, slices.Sorted(maps.Keys(elsewhere)))]
	group, key, below := strings.Cut(like, ".")
	switch {
	case below:
		return fmt.Sprintf("did you mean %s, below %s:?", key, group)
	case like != "" && prefix != "":
		return fmt.Sprintf("did you mean %s, at the beginning of a line?", like)
	}
	return instead(name, beside)
}

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// kindOf names what stands somewhere.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case isNull(n):
		return "empty"
	}
	return "the text " + shown(n.Value)
}
