package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/config"
	"github.com/mesonet/mesonet/weather"
)

func defaults() config.Config {
	return config.Config{
		Listen: "127.0.0.1:1", Admin: "127.0.0.1:2", HTTP: "127.0.0.1:3", Shards: 32, CheckpointBytes: 8 << 20,
		PassivateAfter: 24 * time.Hour, Log: config.Log{Format: "text"}, StandardMeasures: true,
	}
}

// file writes a file of its own.
func file(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t testing.TB, text string) (*config.Loaded, error) {
	t.Helper()
	return config.Load(config.Sources{Defaults: defaults(), File: file(t, text)})
}

// mustLoad loads a file that is right.
func mustLoad(t testing.TB, text string) *config.Loaded {
	t.Helper()
	loaded, err := load(t, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return loaded
}

// problems are those of a file, a line each, as "LINE: TEXT".
func problems(t testing.TB, text string) []string {
	t.Helper()
	_, err := load(t, text)
	var all config.Problems
	if err == nil || !errors.As(err, &all) {
		t.Fatalf("no problems (%v) with:\n%s", err, text)
	}
	lines := make([]string, len(all))
	for i, p := range all {
		place := p.Place[strings.LastIndexByte(p.Place, '/')+1:]
		lines[i] = strings.TrimPrefix(place, "m.yaml:") + ": " + p.Text
	}
	return lines
}

// A flag is stronger than the environment, that than the file, and that than the
// default, for every setting. Mutation seen to fail: the environment taken before
// the file.
func TestPrecedence(t *testing.T) {
	values := map[string][4]string{ // default, file, environment, flag
		"data": {"", "f", "e", "g"}, "store": {"", "f", "e", "g"}, "node": {"", "f", "e", "g"}, "listen": {"127.0.0.1:1", "f:1", "e:1", "g:1"}, "http": {"127.0.0.1:3", "f:1", "e:1", "none"},
		"admin": {"127.0.0.1:2", "f:1", "none", "g:1"}, "shards": {"32", "2", "4", "8"}, "auto_register": {"false", "true", "false", "true"},
		"memory": {"unlimited", "2GiB", "300MiB", "unlimited"}, "passivate_after": {"24h", "1h30m", "never", "1m30s"},
		"checkpoint_bytes": {"8MiB", "1MiB", "5000", "2KiB"}, "history": {"keep", "drop", "keep", "drop"},
		"log.format": {"text", "json", "text", "json"}, "log.level": {"info", "warn", "debug", "error"},
		"standard_measures": {"true", "true", "true", "true"}, // has no flag
	}
	given := map[string]any{}
	for key, v := range values {
		group, below, nested := strings.Cut(key, ".")
		if !nested {
			given[key] = yamlValue(v[1])
			continue
		}
		if given[group] == nil {
			given[group] = map[string]any{}
		}
		given[group].(map[string]any)[below] = v[1]
	}
	text, err := yaml.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	name := file(t, string(text))
	for sources := range 8 {
		s := config.Sources{Defaults: defaults(), Flags: map[string]string{}}
		if sources&1 > 0 {
			s.File = name
		}
		for key, v := range values {
			if sources&2 > 0 {
				s.Environ = append(s.Environ, "MESONET_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+v[2])
			}
			if sources&4 > 0 && key != "standard_measures" {
				s.Flags[key] = v[3]
			}
		}
		loaded, err := config.Load(s)
		if err != nil {
			t.Fatal(err)
		}
		got := printed(t, loaded)
		for key, v := range values {
			want, from := v[0], "default"
			if sources&1 > 0 {
				want, from = v[1], "m.yaml:"
			}
			if sources&2 > 0 {
				want, from = v[2], "MESONET_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
			}
			if sources&4 > 0 && key != "standard_measures" {
				want, from = v[3], "--"+strings.NewReplacer(".", "-", "_", "-").Replace(key)
			}
			if got[key] != want || !strings.Contains(loaded.From(key), from) {
				t.Errorf("sources %03b: %s is %s from %s, want %s from %s", sources, key, got[key], loaded.From(key), want, from)
			}
		}
	}
}

// yamlValue is a text as a file has it, without quotes where it can be.
func yamlValue(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

// printed are the values that a configuration prints as JSON, by key.
func printed(t testing.TB, l *config.Loaded) map[string]string {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var shown struct{ Config map[string]any }
	if err := json.Unmarshal(text, &shown); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for key, v := range shown.Config {
		if group, ok := v.(map[string]any); ok {
			for below, v := range group {
				all[key+"."+below] = fmt.Sprint(v)
			}
			continue
		}
		all[key] = fmt.Sprint(v)
	}
	return all
}

// All that is wrong is told, each with its line and with what to do.
func TestProblems(t *testing.T) {
	got := problems(t, `listn: 127.0.0.1:7210
shards: many
log_format: json
memory: 2 gallons
log:
  shards: 4
  formt: json
  format: xml
auto-register: true
history:
shards: 4
passivate_after: -1s
auto_register: [true]
snow: 1
`)
	want := []string{
		`1: there is no key "listn"; did you mean listen?`,
		`2: shards: "many" is no number of shards; write a power of two, such as 32`,
		`3: there is no key "log_format"; did you mean format, below log:?`,
		`4: memory: "2 gallons" is no size; write one such as 256MiB or 2GiB, or unlimited`,
		`6: there is no key "log.shards"; did you mean shards, at the beginning of a line?`,
		`7: there is no key "log.formt"; did you mean format?`,
		`8: log.format: there is no log format "xml"; use text or json`,
		`9: there is no key "auto-register"; did you mean auto_register?`,
		`10: history has no value; write one, or take the line away for the default`,
		`11: shards stands in line 2 already; keep one of them`,
		`12: passivate_after: "-1s" is no time; write one such as 90s, 10m or 2h, or never`,
		`13: auto_register is a list; write one value, such as auto_register: false`,
		`14: there is no key "snow"; there are: measures, mappings, data, store, node, listen, http, admin, shards, views, views_keyspace, auto_register, memory, passivate_after, checkpoint_bytes, history, cluster, log, standard_measures`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems differ (-want +got)\n%s", diff)
	}
}

func TestMalformed(t *testing.T) {
	for text, want := range map[string]string{
		"listen: [1":               "is no YAML",
		"listen: 1\n\tshards: 2":   "is no YAML",
		"listen: \xff":             "is no YAML",
		"- 1":                      "1: the file is a list; write lines such as measures: VALUE",
		"just text":                "1: the file is the text \"just text\"",
		"shards: 2\n---\nlisten: ": "a second document begins here",
		"log: json":                `1: log is the text "json"; write lines such as format: VALUE`,
		"[a]: 1":                   "1: a list stands where a key has to be",
		"listen: *a":               "is no YAML",
		"standard_measures: false": "there is no measure; declare some",
		"mappings: [a]":            "1: mappings is a list",
		"mappings: {a: 1}":         `1: mapping a is the text "1"; write its keys below it`,
		"measures: 3":              `1: measures is the text "3"; write a list`,
		"measures: [3]":            `1: measure 1 is the text "3"; write lines such as name: VALUE`,
	} {
		if got := problems(t, text); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "x: &a 1\nlisten: *a"} {
		if _, err := load(t, text); err != nil && !strings.Contains(text, "x:") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for name, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"):      "there is no such file; mesonet config print --defaults writes one",
		t.TempDir():                             "can't be read (is a directory)",
		file(t, "#"+strings.Repeat("x", 1<<20)): "has more than 1MiB; is it a configuration?",
	} {
		_, err := config.Load(config.Sources{File: name})
		if err == nil || !strings.HasPrefix(err.Error(), name+": "+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// What a check says of a value has the place of the value, wherever it stands,
// also where another source overrides it.
func TestCheck(t *testing.T) {
	check := func(c config.Config) error {
		if c.Shards%2 > 0 {
			return fmt.Errorf("%d is odd", c.Shards)
		}
		if c.Shards == 6 && c.Log.Format == "json" {
			return errors.New("six in json")
		}
		return nil
	}
	name := file(t, "\nshards: 3")
	_, err := config.Load(config.Sources{
		Defaults: defaults(), File: name, Environ: []string{"MESONET_SHARDS=5", "MESONET_CONFIG=other"}, Flags: map[string]string{"shards": "8"}, Check: check,
	})
	if want := name + ":2: shards: 3 is odd\nMESONET_SHARDS: 5 is odd"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = config.Load(config.Sources{Defaults: defaults(), Flags: map[string]string{"shards": "6", "log.format": "json"}, Check: check})
	if want := "--shards, --log-format: six in json"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// An unknown variable is told with a suggestion, except what is for clients and
// what Kubernetes sets beside a service of the name.
func TestEnvironment(t *testing.T) {
	_, err := config.Load(config.Sources{Defaults: defaults(), Environ: []string{
		"MESONET_LISTN=x", "MESONET_SNOW=1", "PATH=/", "MESONET_ADDR=here", "MESONET_CASSANDRA_PASSWORD=x", "MESONET_DATA=", "MESONET_LOGFORMAT=json", "MESONET_PORT=7210",
		"MESONET_SERVICE_HOST=10.0.0.1", "MESONET_SERVICE_PORT=7210", "MESONET_SERVICE_PORT_GRPC=7210", "MESONET_PORT_7210_TCP_ADDR=10.0.0.1",
		"MESONET_PORT_7210_TCP=tcp://10.0.0.1:7210", "MESONET_ADMIN_PORT=tcp://10.0.0.1:7310", "MESONET_ADMIN_SERVICE_HOST=10.0.0.1",
	}})
	var all config.Problems
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	got := make([]string, len(all))
	for i, p := range all {
		got[i] = p.Error()
	}
	want := []string{
		"MESONET_LISTN: there is no such variable; did you mean MESONET_LISTEN?",
		"MESONET_LOGFORMAT: there is no such variable; did you mean MESONET_LOG_FORMAT?",
		"MESONET_PORT: there is no such variable; there are: MESONET_CONFIG, MESONET_ADDR, MESONET_CASSANDRA_PASSWORD, MESONET_DATA, ",
		"MESONET_SNOW: there is no such variable; there are: MESONET_CONFIG, ",
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", got, want)
	}
	name := file(t, "shards: 64")
	loaded, err := config.Load(config.Sources{Defaults: defaults(), Environ: []string{"MESONET_CONFIG=" + name}})
	if err != nil || loaded.Shards != 64 || loaded.File != name {
		t.Errorf("MESONET_CONFIG is not read: %+v, %v", loaded, err)
	}
}

func TestFlags(t *testing.T) {
	var flags config.Flags
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Declare(set, defaults())
	if set.Lookup("standard-measures") != nil {
		t.Error("standard_measures has a flag: what is stored depends on it")
	}
	usage := set.FlagUsages()
	for _, want := range []string{"--listen address", "(default 127.0.0.1:1)", "--auto-register  ", "--log-level level", "(default unlimited)"} {
		if !strings.Contains(usage, want) {
			t.Errorf("the usage lacks %q:\n%s", want, usage)
		}
	}
	if err := set.Parse([]string{"--auto-register", "--log-level=debug", "--memory", "1GiB", "--admin", ""}); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(config.Sources{Defaults: defaults(), Flags: flags.Given()})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.AutoRegister, want.Log.Level, want.Memory, want.Admin = true, slog.LevelDebug, 1<<30, ""
	if diff := cmp.Diff(want, loaded.Config, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for text, want := range map[string]string{"maybe": `--auto-register: "maybe" is neither; write true or false`} {
		if _, err := config.Load(config.Sources{Flags: map[string]string{"auto_register": text}}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// What is printed is a file that says the same, whatever it is.
func TestPrintedIsTheSame(t *testing.T) {
	opts := cmp.Options{cmpopts.IgnoreUnexported(config.Measure{}), cmpopts.IgnoreFields(config.Config{}, "Mappings"), cmpopts.EquateEmpty()}
	rapid.Check(t, func(rt *rapid.T) {
		want := config.Config{
			Data:   rapid.StringMatching(`[a-z0-9~ #:'"\\{}\[\]&*!|>%@,-]{0,12}`).Draw(rt, "data"),
			Store:  rapid.SampledFrom([]string{"", "cassandra://u@h1,h2:9/k?dc=dc1"}).Draw(rt, "store"),
			Node:   rapid.SampledFrom([]string{"", "a.b-c"}).Draw(rt, "node"),
			Listen: rapid.SampledFrom([]string{"127.0.0.1:0", "[::1]:7", "localhost:1"}).Draw(rt, "listen"),
			Admin:  rapid.SampledFrom([]string{"", "127.0.0.1:2"}).Draw(rt, "admin"),
			HTTP:   rapid.SampledFrom([]string{"", "127.0.0.1:3"}).Draw(rt, "http"),
			Shards: rapid.Uint32().Draw(rt, "shards"), AutoRegister: rapid.Bool().Draw(rt, "auto"), DropHistory: rapid.Bool().Draw(rt, "drop"),
			Memory:          rapid.Int64Range(0, 1<<50).Draw(rt, "memory"),
			CheckpointBytes: rapid.IntRange(0, 1<<40).Draw(rt, "checkpoint") &^ (1<<rapid.IntRange(0, 40).Draw(rt, "zeros") - 1),
			PassivateAfter:  time.Duration(rapid.Int64Range(0, 1<<60).Draw(rt, "passivate")).Round(rapid.SampledFrom([]time.Duration{1, time.Second, time.Minute, time.Hour}).Draw(rt, "round")),
			Log: config.Log{
				Format: rapid.SampledFrom([]string{"text", "json"}).Draw(rt, "format"),
				Level:  rapid.SampledFrom([]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}).Draw(rt, "level"),
			},
			StandardMeasures: true,
		}
		for i := range rapid.IntRange(0, 3).Draw(rt, "measures") {
			want.Measures = append(want.Measures, drawMeasure(rt, i))
		}
		loaded := &config.Loaded{Config: want}
		var text bytes.Buffer
		if err := loaded.WriteYAML(&text); err != nil {
			rt.Fatal(err)
		}
		got, err := config.Load(config.Sources{File: file(t, text.String())})
		if err != nil {
			rt.Fatalf("%v\n%s", err, &text)
		}
		if diff := cmp.Diff(want, got.Config, opts...); diff != "" {
			rt.Fatalf("(-want +got)\n%s\n%s", diff, &text)
		}
	})
}

func drawMeasure(rt *rapid.T, i int) config.Measure {
	value := func(low, high weather.Value, what string) weather.Value {
		return weather.Value(rapid.Int32Range(int32(low), int32(high)).Draw(rt, what))
	}
	m := config.Measure{
		Measure: weather.Measure{
			Name: fmt.Sprintf("m%d", i), Unit: rapid.SampledFrom([]string{"", "cm", "%", "°C", "true", "1"}).Draw(rt, "unit"),
			Decimals:  rapid.IntRange(0, weather.MaxDecimals).Draw(rt, "decimals"),
			Aggregate: rapid.SampledFrom([]weather.Aggregate{weather.AggregateMean, weather.AggregateSum, weather.AggregateMaximum}).Draw(rt, "aggregate"),
		},
	}
	m.Low = value(-weather.MaxValue, weather.MaxValue, "low")
	m.High = value(m.Low, weather.MaxValue, "high")
	m.Trace = m.Aggregate == weather.AggregateSum && rapid.Bool().Draw(rt, "trace")
	if rapid.Bool().Draw(rt, "usual") {
		m.Usual.Low = value(m.Low, m.High, "usual low")
		m.Usual.High = value(m.Usual.Low, m.High, "usual high")
	}
	if m.Aggregate != weather.AggregateSum && rapid.Bool().Draw(rt, "steady") {
		m.Step = value(1, weather.MaxValue, "step")
		m.Stuck = rapid.IntRange(0, 100).Draw(rt, "stuck")
	}
	return m
}

// FuzzFile: whatever a file has in it, it is refused or can be used and printed.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "listen: 1", "log: {format: json}", "a: &a [*a]", "measures: &m [*m]", "measures: [{name: x, aggregate: mean, low: -1.5, high: 2, decimals: 1}]",
		"mappings: {a: {b: c, 1: [x]}}", "mappings: &x {a: *x}", "<<: {shards: 3}", "? [a]\n: b", "shards: !!binary aGk=", "mappings: {a: {b: .nan}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		loaded, err := config.LoadText(defaults(), text)
		if err != nil {
			var all config.Problems
			if !errors.As(err, &all) {
				t.Fatalf("%v is no problem of the file", err)
			}
			return
		}
		if err := loaded.Catalogue().Validate(); err != nil {
			t.Errorf("a catalogue that can't be used: %v", err)
		}
		var out bytes.Buffer
		if err := loaded.WriteYAML(&out); err != nil && len(loaded.Mappings) == 0 {
			t.Errorf("it can't be printed: %v", err)
		}
		_, _ = config.Mappings[mapping](loaded.Config, nil)
	})
}
