package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/internal/config"
)

// A file with one mapping is read as strictly as a configuration.
func TestLoadMapping(t *testing.T) {
	type mapping struct {
		Delimiter string   `yaml:"delimiter"`
		Missing   []string `yaml:"missing"`
	}
	got, err := config.LoadMapping[mapping](file(t, "delimiter: ;\nmissing: [-9999, NA]\n"))
	if err != nil || got.Delimiter != ";" || len(got.Missing) != 2 || got.Missing[0] != "-9999" {
		t.Errorf("the mapping is %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                           "says nothing; write the keys of a mapping",
		"---\n":                      "says nothing; write the keys of a mapping",
		"delimeter: ;":               `:1: there is no key "delimeter"; did you mean delimiter?`,
		"missing: NA":                `:1: the mapping: "NA" stands where a list has to be`,
		"[1]":                        `:1: the mapping is a list`,
		"delimiter: [":               "is no YAML",
		"delimiter: a\n---\n":        ":2: a second document begins here",
		"delimiter: a\ndelimiter: b": ":2: delimiter stands in line 1 already",
	} {
		name := file(t, text)
		if got, err := config.LoadMapping[mapping](name); err == nil || !contains(err.Error(), name, want) {
			t.Errorf("%q: %+v, %v; want %s", text, got, err, want)
		}
	}
	name := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := config.LoadMapping[mapping](name); err == nil || err.Error() != name+": there is no such file; write one with the keys of a mapping" {
		t.Errorf("%v", err)
	}
}

func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
