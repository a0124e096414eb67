package actors

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// Mutation: '%' is not escaped → two names share a path.
func TestNamesAreEscapedOneToOne(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[a%/2F5]{1,8}`),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		).Draw(t, "name")
		s := escapeName(name)
		if strings.Contains(s, "/") || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q is escaped as %q", name, s)
		}
		if back := unescapeName(s); back != name {
			t.Fatalf("%q → %q → %q", name, s, back)
		}
		if other, ok := seen[s]; ok && other != name {
			t.Fatalf("%q and %q are both %q", name, other, s)
		}
		seen[s] = name
	})
}

func TestEscapeName(t *testing.T) {
	for name, want := range map[string]string{
		"725030:14732":         "725030:14732",
		"station/725030:14732": "station%2F725030:14732",
		"100%":                 "100%25",
		"Zürich Flughafen":     "Zürich Flughafen",
		"a\x00\n\xff":          "a%00%0A%FF",
	} {
		if got := escapeName(name); got != want {
			t.Errorf("escapeName(%q) = %q, want %q", name, got, want)
		}
	}
}
