package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mesonet/mesonet/internal/spelling"
)

// Problem is something that can't be used as it is.
type Problem struct {
	// Place is where it stands: "mesonet.yaml:3", "MESONET_LISTEN", "--listen".
	Place string
	// Text says what is wrong, and what to do.
	Text string

	line int // of a file, for the order; 0 for another place
}

// Error returns the place and the text.
func (p Problem) Error() string { return p.Place + ": " + p.Text }

// Problems is the error of a configuration: all that is wrong with it.
type Problems []Problem

// Error returns all problems, a line each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(place, format string, args ...any) {
	one := Problem{Place: place, Text: oneLine(fmt.Errorf(format, args...).Error())}
	if i := strings.LastIndexByte(place, ':'); i >= 0 {
		one.line, _ = strconv.Atoi(place[i+1:]) // 0 when it is none
	}
	*p = append(*p, one)
}

// sort puts those of a file into the order of its lines, before the others.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(uint(a.line-1), uint(b.line-1)) })
}

// err returns p, or nil when there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// oneLine keeps a problem on its line, whatever somebody wrote.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// instead says which of the names was most likely meant, else names all.
func instead(name string, names []string) string {
	// A dash for an underscore, or a flag's name, is the most likely slip.
	if like := spelling.Closest(strings.ReplaceAll(name, "-", "_"), names); like != "" {
		return "did you mean " + like + "?"
	}
	return "there are: " + strings.Join(names, ", ")
}

// shown is what somebody wrote, shortened.
func shown(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return fmt.Sprintf("%q…", string(r[:most]))
	}
	return fmt.Sprintf("%q", text)
}
