package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command has an example that shows how it is called, and a short text.
func TestEveryHelpHasAnExample(t *testing.T) {
	root := newRoot(&app{out: &checkedWriter{}})
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		if c.Name() == "completion" {
			return // cobra's own
		}
		if !strings.Contains(c.Example, c.CommandPath()) && c.CommandPath() != "mesonet" {
			t.Errorf("the example of %q does not show it: %q", c.CommandPath(), c.Example)
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("the short text of %q is %q", c.CommandPath(), c.Short)
		}
		if n := strings.Count(c.Long, "\n"); n > 6 {
			t.Errorf("the help of %q has %d lines: few read that", c.CommandPath(), n)
		}
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 84 {
				t.Errorf("a line of the help of %q is too long: %s", c.CommandPath(), line)
			}
		}
		for _, below := range c.Commands() {
			look(below)
		}
	}
	look(root)
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]period{
		"2008":       {2008, 0, 0},
		"2008-12":    {2008, 12, 0},
		"2008-02-29": {2008, 2, 29},
	} {
		got, err := parsePeriod(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "8", "08", "20080", "2008-1", "2008-13", "2008-00", "2008-02-30", "2009-02-29", "2008-12-1", "2008-12-32",
		"2008-12-01-01", "2008-12-", "-2008", "+008", "2008/12", "1677", "2262", "20O8", "２００８",
	} {
		if p, err := parsePeriod(text); err == nil {
			t.Errorf("%q is taken for %v", text, p)
		}
	}
}
