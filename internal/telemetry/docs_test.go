package telemetry_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/internal/telemetry"
)

// operations is what operators read.
const operations = "../../docs/operations.md"

var tableRow = regexp.MustCompile("(?m)^\\| `([a-z_]+\\*?)` \\| ([a-z]*) *\\| (.*?) *\\| (.+?) \\| ")

// The table of metrics is that of the registry: every metric is in it, with its
// type and its labels, and nothing else is.
func TestTableOfMetrics(t *testing.T) {
	m := telemetry.New("test")
	m.Watch(fakeNode{Entities: map[string]int{"station": 1}})
	m.WatchCluster(fakeCluster{})
	happen(m, 1)
	serveCalls(t, m)
	exposed := families(t, m)
	text, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Metrics\n")
	table, _, _ = strings.Cut(table, "\n## ")
	documented := make(map[string]bool)
	for _, row := range tableRow.FindAllStringSubmatch(table, -1) {
		name, kind, labelled := row[1], row[2], row[3]
		if documented[name] {
			t.Errorf("%s is in the table twice", name)
		}
		documented[name] = true
		if prefix, all := strings.CutSuffix(name, "*"); all {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(exposed)), func(name string) bool { return strings.HasPrefix(name, prefix) }) {
				t.Errorf("nothing begins with %s", prefix)
			}
			continue
		}
		f := exposed[name]
		if f == nil {
			t.Errorf("%s is in the table and not exposed", name)
			continue
		}
		if got := strings.ToLower(f.GetType().String()); got != kind {
			t.Errorf("%s is a %s in the table and a %s in fact", name, kind, got)
		}
		var want []string
		for _, label := range strings.Split(labelled, ", ") {
			if label != "" {
				want = append(want, strings.Trim(label, "`"))
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(labels(f.GetMetric()[0]))); !slices.Equal(got, want) {
			t.Errorf("%s has the labels %v in the table and %v in fact", name, want, got)
		}
	}
	for name := range exposed {
		prefix, _, _ := strings.Cut(name, "_")
		if !documented[name] && !documented[prefix+"_*"] {
			t.Errorf("%s is exposed and not in the table of %s", name, operations)
		}
	}
	// No other metric is spoken of.
	for _, name := range regexp.MustCompile(`\bmesonet_[a-z_]+\b`).FindAllString(string(text), -1) {
		name = strings.TrimSuffix(name, "_bucket")
		if exposed[name] == nil {
			t.Errorf("the page speaks of %s, which is not exposed", name)
		}
	}
}
