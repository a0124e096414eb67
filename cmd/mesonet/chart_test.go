package main

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Charts are where somebody watches, unless told otherwise.
func TestChartWanted(t *testing.T) {
	for _, test := range []struct {
		name     string
		chart    charting
		format   format
		terminal bool
		want     bool
		wrong    string
	}{
		{name: "on a terminal", format: formatTable, terminal: true, want: true},
		{name: "in a pipe", format: formatTable},
		{name: "in a pipe when asked for", chart: charting{yes: true}, format: formatTable, want: true},
		{name: "not when asked for", chart: charting{no: true}, format: formatTable, terminal: true},
		{name: "for programs", format: formatJSON, terminal: true},
		{name: "both", chart: charting{yes: true, no: true}, format: formatTable, wrong: "contradict"},
		{name: "for programs when asked for", chart: charting{yes: true}, format: formatCSV, wrong: "for programs"},
	} {
		got, err := test.chart.wanted(test.format, test.terminal)
		if got != test.want || (err != nil) != (test.wrong != "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: got %v, %v", test.name, got, err)
		}
	}
}

func TestIsUTF8(t *testing.T) {
	for locale, want := range map[string]bool{
		"": true, "en_US.UTF-8": true, "C.utf8": true, "de_DE.UTF-8@euro": true,
		"C": false, "POSIX": false, "en_US.ISO-8859-1": false, "de_DE@euro": false,
	} {
		if got := isUTF8(locale); got != want {
			t.Errorf("%q is UTF-8: %v, want %v", locale, got, want)
		}
	}
	// The first that is set decides, as in setlocale.
	t.Setenv("LC_ALL", "")
	t.Setenv("LC_CTYPE", "C")
	t.Setenv("LANG", "en_US.UTF-8")
	if a := (&app{out: &checkedWriter{}}); !a.pen(a.out).ascii {
		t.Error("LC_CTYPE=C draws with blocks")
	}
}

func TestRanges(t *testing.T) {
	days := []dayRange{{1, -0.4, 1.7}, {2, 2, 2}, {4, 0, 3.4}, {31, 9, 9}, {0, 1, 1}} // those outside of the month are not drawn
	for ascii, want := range map[bool]string{
		false: `     °C
   9 │
   8 │
   7 │
   6 │
   5 │
   4 │
   3 │       ▄
   2 │   ▄   █
   1 │ █     █
   0 │ █     █
  -1 │ ▀
     └────────
       1
`,
		true: `     °C
   9 |
   8 |
   7 |
   6 |
   5 |
   4 |
   3 |       #
   2 |   #   #
   1 | #     #
   0 | #     #
  -1 | #
     +--------
       1
`,
	} {
		var b strings.Builder
		pen{ascii: ascii}.ranges(&b, "°C", 4, days)
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	}
}

// Whatever the temperatures are, the chart is not high, has all of them, and none
// where there are none.
func TestRangesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(28, 31).Draw(t, "days")
		var of []dayRange
		for day := 1; day <= days; day++ {
			if rapid.Bool().Draw(t, "known") {
				low := rapid.Float64Range(-95, 60).Draw(t, "low")
				of = append(of, dayRange{day, low, low + rapid.Float64Range(0, 60).Draw(t, "spread")})
			}
		}
		p := pen{ascii: rapid.Bool().Draw(t, "ascii")}
		var b strings.Builder
		p.ranges(&b, "°C", days, of)
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(of) == 0 {
			if b.Len() > 0 {
				t.Fatalf("a chart of nothing:\n%s", b.String())
			}
			return
		}
		if n := len(lines) - 3; n < 1 || n > mostRows {
			t.Fatalf("%d lines:\n%s", n, b.String())
		}
		drawn := make(map[int]bool)
		for _, line := range lines[1 : len(lines)-2] {
			runes := []rune(line)
			side := strings.IndexAny(string(runes), "│|")
			at := len([]rune(line[:side]))
			for i := at + 2; i < len(runes); i++ {
				if runes[i] == ' ' {
					continue
				}
				if (i-at-2)%2 != 0 {
					t.Fatalf("something is drawn between days:\n%s", b.String())
				}
				drawn[(i-at-2)/2+1] = true
			}
		}
		if len(drawn) != len(of) {
			t.Fatalf("%d days are drawn of %d:\n%s", len(drawn), len(of), b.String())
		}
		for _, d := range of {
			if !drawn[d.day] {
				t.Fatalf("day %d is not drawn:\n%s", d.day, b.String())
			}
		}
	})
}

func TestBars(t *testing.T) {
	lines := []barLine{{"Jan", 54, "54.0"}, {"February", math.NaN(), "-"}, {"Mar", 0, "0.0"}, {"Apr", 108, "108.0"}, {"May", 0.001, "0.0"}}
	for _, test := range []struct {
		pen  pen
		want string
	}{
		{pen{}, `  Jan       ████       54.0
  February  no data       -
  Mar                   0.0
  Apr       ████████  108.0
  May       ▏           0.0
`},
		{pen{ascii: true}, `  Jan       ####       54.0
  February  no data       -
  Mar                   0.0
  Apr       ########  108.0
  May       #           0.0
`},
		{pen{style: style{coloured: true}}, "  Jan       \x1b[34m████    \x1b[0m   54.0\n" +
			"  February  no data       -\n" +
			"  Mar       \x1b[34m        \x1b[0m    0.0\n" +
			"  Apr       \x1b[34m████████\x1b[0m  108.0\n" +
			"  May       \x1b[34m▏       \x1b[0m    0.0\n"},
	} {
		var b strings.Builder
		test.pen.bars(&b, 8, lines)
		if b.String() != test.want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), test.want)
		}
	}
	var b strings.Builder
	pen{}.bars(&b, 8, []barLine{{"Jul", 0, "0.0"}})
	if want := "  Jul            0.0\n"; b.String() != want { // a dry year divides by nothing
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
