package mesonet_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// levels places every package. One imports only what is on a lower level, or
// beside it along besides. A new package needs a place here: the lowest on
// which it can do its work.
var levels = [][]string{
	0: {
		"internal/clock",
		"internal/cqlproxy",
		"internal/invariant",
		"internal/malloc",
		"internal/race",
		"internal/sampledata",
		"internal/servers",
		"internal/servers/hosts",
		"internal/servers/serverstest",
		"internal/spelling",
		"proto/mesonet/cluster/v1",
		"proto/mesonet/storage/v1",
		"proto/mesonet/v1",
	},
	1: {
		"cluster/shard",
		"persistence",
		"persistence/model",
		"persistence/model/replicated",
		"weather",
	},
	2: {
		"actors",
		"actors/actorstest",
		"internal/gateway/mesonet/v1",
		"persistence/cassandra",
		"persistence/inspect",
		"persistence/journal",
		"persistence/memory",
		"persistence/pebble",
		"persistence/persistencetest",
		"persistence/transfer",
	},
	3: {
		"actors/entity",
		"actors/entity/entitytest",
	},
	4: {
		"cluster",
		"weather/ingest",
		"weather/network",
		"weather/quarantine",
		"weather/station",
		"weather/user",
		"weather/view",
	},
	5: {
		"client",
		"cluster/clustertest",
		"cluster/gossip",
		"cluster/transport",
		"weather/ingest/kafka",
	},
	6: {"."},
	7: {
		"internal/api",
		"internal/config",
		"internal/gateway",
		"internal/rollcall",
		"internal/telemetry",
		"web",
	},
	8: {"internal/daemon"},
	9: {"cmd/mesonet", "internal/bench", "internal/servers/run"},
}

// besides are the imports within one level.
var besides = map[string][]string{
	"actors/actorstest":            {"actors"},
	"actors/entity/entitytest":     {"actors/entity"},
	"cluster/shard":                {"persistence"},                  // positions and epochs, no store
	"internal/cqlproxy":            {"internal/servers/serverstest"}, // in tests
	"internal/gateway":             {"internal/api"},                 // its errors have the reasons of the API
	"internal/servers/hosts":       {"internal/servers/serverstest"}, // in tests
	"internal/servers/serverstest": {"internal/servers", "internal/servers/hosts"},
	"internal/telemetry":           {"internal/api"},        // it counts what the API tells its listener
	"persistence/transfer":         {"persistence/inspect"}, // it judges what it reads
	"weather/ingest":               {"weather/station"},
	"weather/user":                 {"weather/station"},                   // a rule lives at the station it watches
	"weather/view":                 {"weather/station", "weather/ingest"}, // a view renders a station's pages; the latter in tests
}

// testStores are what the tests of any package may run on.
var testStores = []string{"persistence/memory", "persistence/pebble"}

// apart are imports that the levels would allow and the design does not.
// Patterns with a leading / are of the module, others of anywhere else.
var apart = []struct {
	packages []string
	without  []string
	why      string
}{
	{
		packages: []string{".", "actors/...", "cluster/...", "persistence/..."},
		without:  []string{"/weather/..."},
		why:      "the runtime does not know what it runs",
	},
	{
		packages: []string{"actors", "actors/actorstest"},
		without:  []string{"/persistence/..."},
		why:      "plain actors have no store; entities do",
	},
	{
		packages: []string{"cluster/shard"},
		without:  []string{"/internal/clock", "net/...", "os/...", "sync/...", "time"},
		why:      "it is a pure state machine: no clock, goroutine or I/O",
	},
}

// standardOnly are the packages whose imports are the standard library's.
var standardOnly = []string{"weather"}

// owners are the packages that may import a heavy dependency. All others reach
// it through what its owner offers, so that it can be replaced, and so that a
// library user links only what is used.
var owners = map[string][]string{
	"github.com/apache/cassandra-gocql-driver": {"persistence/cassandra", "internal/bench"},
	"github.com/asynkron/protoactor-go":        {"actors"},
	"github.com/cockroachdb/pebble":            {"persistence/pebble"},
	"github.com/gocql/gocql":                   {}, // frozen; it lives on at Apache
	"github.com/grpc-ecosystem/grpc-gateway":   {"internal/gateway/..."},
	"github.com/hashicorp/memberlist":          {"cluster/gossip"},
	"github.com/prometheus":                    {"internal/telemetry"},
	"github.com/twmb/franz-go":                 {"weather/ingest/kafka"},
	"go.opentelemetry.io":                      {"internal/telemetry"},
	"google.golang.org/grpc":                   {"client", "cluster/transport", "internal/api", "internal/bench", "internal/daemon", "internal/gateway/...", "internal/rollcall", "internal/telemetry", "cmd/mesonet", "proto/..."},
}

// protobuf is free from level 2 up; below, values and promises are plain Go.
var protobuf = []string{
	"github.com/gogo/protobuf/...",
	"github.com/golang/protobuf/...",
	"google.golang.org/genproto/...",
	"google.golang.org/protobuf/...",
	module + "/proto/...",
}

func TestLayers(t *testing.T) {
	for _, violation := range checkLayers(readTree(t, ".")) {
		t.Error(violation)
	}
}

// checkLayers returns what is wrong with the imports of the packages, a
// sentence for each.
func checkLayers(pkgs []*pkg) []string {
	var wrong []string
	for _, p := range pkgs {
		if _, placed := levelOf(p.path); !placed {
			wrong = append(wrong, fmt.Sprintf("%s has no level: place it in layers_test.go", p.path))
			continue
		}
		for _, imported := range distinct(p.imports) {
			for _, why := range forbidden(p.path, imported) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", p.path, imported, why))
			}
		}
		for _, imported := range distinct(p.testImports) {
			for _, why := range forbiddenInTests(p.path, imported) {
				wrong = append(wrong, fmt.Sprintf("a test of %s imports %s: %s", p.path, imported, why))
			}
		}
	}
	return wrong
}

// forbidden returns the reasons why the package may not import imported.
func forbidden(from, imported string) []string {
	var reasons []string
	to, ours := below(imported)
	if ours && !isLower(from, to) && !slices.Contains(besides[from], to) {
		reasons = append(reasons, notBelow(from, to))
	}
	if ours && isTestPackage(to) && !isTestPackage(from) {
		reasons = append(reasons, "it is for tests")
	}
	if matches(from, standardOnly...) && !isStandard(imported) {
		reasons = append(reasons, "only the standard library may be imported here")
	}
	for _, rule := range apart {
		name := imported
		if ours {
			name = "/" + to
		}
		if matches(from, rule.packages...) && matches(name, rule.without...) {
			reasons = append(reasons, rule.why)
		}
	}
	return append(reasons, forbiddenEverywhere(from, imported)...)
}

// forbiddenInTests returns the reasons why not even a test of the package may
// import imported.
func forbiddenInTests(from, imported string) []string {
	var reasons []string
	if to, ours := below(imported); ours && to != from && !isLower(from, to) &&
		!slices.Contains(besides[from], to) && !slices.Contains(testStores, to) && !isOwnTestPackage(from, to) {
		reasons = append(reasons, notBelow(from, to))
	}
	return append(reasons, forbiddenEverywhere(from, imported)...)
}

// forbiddenEverywhere are the rules that tests have too.
func forbiddenEverywhere(from, imported string) []string {
	var reasons []string
	for dependency, allowed := range owners {
		if matches(imported, dependency+"/...") && !matches(from, allowed...) {
			reasons = append(reasons, fmt.Sprintf("%s belongs to %v", dependency, allowed))
		}
	}
	if level, _ := levelOf(from); level <= 1 && !matches(from, "proto/...") && matches(imported, protobuf...) {
		reasons = append(reasons, "protobuf begins at level 2")
	}
	return reasons
}

func levelOf(name string) (level int, placed bool) {
	level = slices.IndexFunc(levels, func(packages []string) bool { return slices.Contains(packages, name) })
	return level, level >= 0
}

// isLower reports whether the package from may import to for its level alone.
// What has no level is reported as such, not by all who import it.
func isLower(from, to string) bool {
	fromLevel, _ := levelOf(from)
	toLevel, placed := levelOf(to)
	return !placed || toLevel < fromLevel
}

func notBelow(from, to string) string {
	fromLevel, _ := levelOf(from)
	toLevel, _ := levelOf(to)
	return fmt.Sprintf("level %d is not below level %d", toLevel, fromLevel)
}

// isOwnTestPackage reports whether to is the test package of from, or of a
// folder that from is in.
func isOwnTestPackage(from, to string) bool {
	return isTestPackage(to) && matches(from, path.Dir(to)+"/...")
}

func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func distinct(imports []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(imports)))
}

// The checker itself: each rule is seen to fail, and to let pass what it should.
func TestCheckLayers(t *testing.T) {
	ours := func(paths ...string) []string {
		for i, p := range paths {
			paths[i] = path.Join(module, p)
		}
		return paths
	}
	for _, test := range []struct {
		name string
		pkg  pkg
		want string // the violation, or "" for none
	}{
		{
			name: "downward",
			pkg:  pkg{path: "actors/entity", imports: ours("actors", "persistence/journal", "internal/clock")},
		},
		{
			name: "upward",
			pkg:  pkg{path: "weather/station", imports: ours("cluster/gossip")},
			want: "weather/station imports " + module + "/cluster/gossip: level 5 is not below level 4",
		},
		{
			name: "the root from below",
			pkg:  pkg{path: "cluster", imports: ours(".")},
			want: "cluster imports " + module + ": level 6 is not below level 4",
		},
		{
			name: "beside, allowed",
			pkg:  pkg{path: "weather/view", imports: ours("weather/station")},
		},
		{
			name: "beside, not allowed",
			pkg:  pkg{path: "persistence/journal", imports: ours("persistence/memory")},
			want: "persistence/journal imports " + module + "/persistence/memory: level 2 is not below level 2",
		},
		{
			name: "unplaced",
			pkg:  pkg{path: "internal/util"},
			want: "internal/util has no level: place it in layers_test.go",
		},
		{
			name: "heavy, by its owner",
			pkg:  pkg{path: "persistence/pebble", imports: []string{"github.com/cockroachdb/pebble/v2/vfs"}},
		},
		{
			name: "heavy, by another",
			pkg:  pkg{path: "persistence/journal", imports: []string{"github.com/cockroachdb/pebble/v2"}},
			want: "persistence/journal imports github.com/cockroachdb/pebble/v2: github.com/cockroachdb/pebble belongs to [persistence/pebble]",
		},
		{
			name: "heavy, in a test of another",
			pkg:  pkg{path: "actors/entity", testImports: []string{"google.golang.org/grpc"}},
			want: "a test of actors/entity imports google.golang.org/grpc: google.golang.org/grpc belongs to [client cluster/transport internal/api internal/bench internal/daemon internal/gateway/... internal/rollcall internal/telemetry cmd/mesonet proto/...]",
		},
		{
			name: "heavy, in generated code",
			pkg:  pkg{path: "proto/mesonet/v1", imports: []string{"google.golang.org/grpc", "google.golang.org/protobuf/proto"}},
		},
		{
			name: "protobuf at level 3",
			pkg:  pkg{path: "actors/entity", imports: []string{"google.golang.org/protobuf/proto"}},
		},
		{
			name: "protobuf at level 1",
			pkg:  pkg{path: "persistence", imports: []string{"google.golang.org/protobuf/proto"}},
			want: "persistence imports google.golang.org/protobuf/proto: protobuf begins at level 2",
		},
		{
			name: "our own protobuf at level 1",
			pkg:  pkg{path: "persistence", imports: ours("proto/mesonet/v1")},
			want: "persistence imports " + module + "/proto/mesonet/v1: protobuf begins at level 2",
		},
		{
			name: "standard library only",
			pkg:  pkg{path: "weather", imports: []string{"encoding/json", "math"}, testImports: []string{"pgregory.net/rapid"}},
		},
		{
			name: "not the standard library",
			pkg:  pkg{path: "weather", imports: []string{"golang.org/x/exp/constraints"}},
			want: "weather imports golang.org/x/exp/constraints: only the standard library may be imported here",
		},
		{
			name: "the runtime knows the weather",
			pkg:  pkg{path: ".", imports: ours("weather/station")},
			want: ". imports " + module + "/weather/station: the runtime does not know what it runs",
		},
		{
			name: "actors with a store",
			pkg:  pkg{path: "actors", imports: ours("persistence")},
			want: "actors imports " + module + "/persistence: plain actors have no store; entities do",
		},
		{
			name: "a state machine with a clock",
			pkg:  pkg{path: "cluster/shard", imports: []string{"time"}},
			want: "cluster/shard imports time: it is a pure state machine: no clock, goroutine or I/O",
		},
		{
			name: "a test package outside tests",
			pkg:  pkg{path: "internal/daemon", imports: ours("cluster/clustertest")},
			want: "internal/daemon imports " + module + "/cluster/clustertest: it is for tests",
		},
		{
			name: "tests",
			pkg:  pkg{path: "persistence/journal", testImports: ours("persistence/journal", "persistence/memory", "persistence/persistencetest")},
		},
		{
			name: "a test of the folder's own test package",
			pkg:  pkg{path: "cluster/gossip", testImports: ours("cluster/clustertest")},
		},
		{
			name: "an upward test",
			pkg:  pkg{path: "actors/entity", testImports: ours("cluster")},
			want: "a test of actors/entity imports " + module + "/cluster: level 4 is not below level 3",
		},
		{
			name: "a test of another folder's test package",
			pkg:  pkg{path: "weather/ingest", testImports: ours("cluster/clustertest")},
			want: "a test of weather/ingest imports " + module + "/cluster/clustertest: level 5 is not below level 4",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			if got := checkLayers([]*pkg{&test.pkg}); !slices.Equal(got, want) {
				t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), test.want)
			}
		})
	}
}
