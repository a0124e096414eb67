package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// row has all that may be in an answer.
type row struct {
	Text     string             `json:"text"`
	Number   float64            `json:"number"`
	Count    uint32             `json:"count"`
	Truth    bool               `json:"truth"`
	Time     time.Time          `json:"time"`
	Maybe    *float64           `json:"maybe"`
	When     *time.Time         `json:"when"`
	Names    []string           `json:"names"`
	Values   map[string]float64 `json:"values"`
	Inner    rowInner           `json:"inner"`
	Absent   *rowInner          `json:"absent"`
	Plain    rowPlain           `json:"plain" csv:"inline"`
	Hidden   string             `json:"-"`
	internal string
	*rowEmbedded
}

type rowInner struct {
	Text  string `json:"text"`
	Count int32  `json:"count"`
}

type rowPlain struct {
	Height float64 `json:"height"`
}

type rowEmbedded struct {
	Depth float64 `json:"depth"`
}

var rowColumns = []string{
	"text", "number", "count", "truth", "time", "maybe", "when", "names", "values",
	"inner.text", "inner.count", "absent.text", "absent.count", "height", "depth",
}

// texts have what csv and JSON have to quote.
var texts = rapid.OneOf(rapid.StringMatching(`[a-z ,;"'\\\n\t<>&=]{0,12}`), rapid.String())

func generateRow(t *rapid.T) row {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-9e9, 9e9).Draw(t, "second"), 0).UTC()
	})
	number := rapid.Float64Range(-1e9, 1e9)
	r := row{
		// A line within a field comes back with line feeds alone: csv.Reader makes
		// them of "\r\n".
		Text:   strings.ReplaceAll(texts.Draw(t, "text"), "\r", ""),
		Number: number.Draw(t, "number"), Count: rapid.Uint32().Draw(t, "count"), Truth: rapid.Bool().Draw(t, "truth"),
		Time: moment.Draw(t, "time"), Maybe: rapid.Ptr(number, true).Draw(t, "maybe"), When: rapid.Ptr(moment, true).Draw(t, "when"),
		Names:  rapid.SliceOfN(rapid.StringMatching("[a-z_]{1,5}"), 0, 3).Draw(t, "names"),
		Values: rapid.MapOfN(rapid.StringMatching("[a-z]{1,3}"), number, 0, 3).Draw(t, "values"),
		Inner:  rowInner{Text: strings.ReplaceAll(texts.Draw(t, "inner"), "\r", ""), Count: rapid.Int32().Draw(t, "inner count")},
		Plain:  rowPlain{number.Draw(t, "height")}, Hidden: "x", internal: "x",
	}
	if rapid.Bool().Draw(t, "has absent") {
		r.Absent = &rowInner{"a", 1}
	}
	if rapid.Bool().Draw(t, "has embedded") {
		r.rowEmbedded = &rowEmbedded{number.Draw(t, "depth")}
	}
	return r
}

// What is written as csv and jsonl can be read back, by the readers of the
// standard library, and says the same.
func TestRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(generateRow), 0, 5).Draw(t, "rows")
		var b bytes.Buffer
		if err := listOf(slices.Values(rows)).csv(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "\r\n") {
			t.Fatalf("a line ends with a carriage return: %q", b.String())
		}
		read, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatalf("%v in %q", err, b.String())
		}
		if len(read) != len(rows)+1 || !slices.Equal(read[0], rowColumns) {
			t.Fatalf("%d rows below the header %v, want %d below %v", len(read)-1, read[0], len(rows), rowColumns)
		}
		for i, want := range rows {
			checkCells(t, read[i+1], want)
		}

		b.Reset()
		if err := listOf(slices.Values(rows)).jsonl(&b); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if b.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(rows) {
			t.Fatalf("%d lines for %d rows: %q", len(lines), len(rows), b.String())
		}
		for i, want := range rows {
			got := row{rowEmbedded: &rowEmbedded{}}
			if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
				t.Fatalf("%v in %q", err, lines[i])
			}
			again, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if want.rowEmbedded == nil {
				want.rowEmbedded = &rowEmbedded{}
			}
			wanted, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if string(again) != string(wanted) {
				t.Fatalf("got %s, want %s", again, wanted)
			}
		}
	})
}

func checkCells(t *rapid.T, got []string, want row) {
	t.Helper()
	number := func(column int) float64 {
		v, err := strconv.ParseFloat(got[column], 64)
		if err != nil || strings.ContainsAny(got[column], "e,") {
			t.Fatalf("%s is %q, which is no plain number", rowColumns[column], got[column])
		}
		return v
	}
	absent := func(column int, nothing bool) bool {
		if nothing && got[column] != "" {
			t.Fatalf("%s is %q, want nothing", rowColumns[column], got[column])
		}
		return nothing
	}
	values := map[string]float64{}
	if got[8] != "" {
		if err := json.Unmarshal([]byte(got[8]), &values); err != nil {
			t.Fatal(err)
		}
	}
	at, err := time.Parse(time.RFC3339, got[4])
	if err != nil {
		t.Fatal(err)
	}
	right := got[0] == want.Text && number(1) == want.Number && got[2] == strconv.FormatUint(uint64(want.Count), 10) &&
		got[3] == strconv.FormatBool(want.Truth) && at.Equal(want.Time) &&
		(absent(5, want.Maybe == nil) || number(5) == *want.Maybe) &&
		(absent(6, want.When == nil) || got[6] == want.When.Format(time.RFC3339)) &&
		slices.Equal(strings.Fields(got[7]), want.Names) && maps.Equal(values, want.Values) &&
		got[9] == want.Inner.Text && number(10) == float64(want.Inner.Count) &&
		(absent(11, want.Absent == nil) || got[11] == want.Absent.Text) && (absent(12, want.Absent == nil) || number(12) == 1) &&
		number(13) == want.Plain.Height && (absent(14, want.rowEmbedded == nil) || number(14) == want.rowEmbedded.Depth)
	if !right {
		t.Fatalf("got the cells %q of %+v", got, want)
	}
}

// An answer that is no list is a list of itself.
func TestSingleAnswer(t *testing.T) {
	var b bytes.Buffer
	f := formatCSV
	if err := f.write(&b, buildInfo{Version: "v1", Go: "go1"}); err != nil || b.String() != "version,commit,modified,go,platform\nv1,,false,go1,\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
	b.Reset()
	f = formatJSONL
	if err := f.write(&b, buildInfo{Version: "v1 <&>"}); err != nil || b.String() != `{"version":"v1 <&>","commit":"","modified":false,"go":"","platform":""}`+"\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}

// Rows that come from afar are written as far as they come, and a header only
// above rows: nothing looks like an empty answer that is none.
func TestRowsThatBreak(t *testing.T) {
	broken := errors.New("broken")
	after := func(n int, err error) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) {
			for range n {
				if !yield(rowInner{"a", 1}, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
			}
		}
	}
	for _, test := range []struct {
		rows       int
		err        error
		csv, jsonl string
	}{
		{0, nil, "text,count\n", ""},
		{0, broken, "", ""},
		{1, broken, "text,count\na,1\n", `{"text":"a","count":1}` + "\n"},
	} {
		l := listOf(slices.Values([]rowInner{}))
		l.rows = after(test.rows, test.err)
		var b bytes.Buffer
		if err := l.csv(&b); !errors.Is(err, test.err) || b.String() != test.csv {
			t.Errorf("csv of %d rows and %v is %q, %v; want %q", test.rows, test.err, b.String(), err, test.csv)
		}
		b.Reset()
		if err := l.jsonl(&b); !errors.Is(err, test.err) || b.String() != test.jsonl {
			t.Errorf("jsonl of %d rows and %v is %q, %v; want %q", test.rows, test.err, b.String(), err, test.jsonl)
		}
	}
}

// Where nobody takes the rows any more no more are asked for.
func TestFullDiskStopsRows(t *testing.T) {
	for name, write := range map[string]func(listing, io.Writer) error{"csv": listing.csv, "jsonl": listing.jsonl} {
		asked := 0
		l := listOf(slices.Values([]rowInner{}))
		l.rows = func(yield func(any, error) bool) {
			for asked < 1_000_000 && yield(rowInner{strings.Repeat("a", 100), 1}, nil) {
				asked++
			}
		}
		if err := write(l, fullDisk{}); !errors.Is(err, errDiskFull) || asked > 10_000 {
			t.Errorf("%s asked for %d rows, and ended with %v", name, asked, err)
		}
	}
}

// What others named something can't steer a terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Zürich, 12 °C █": "Zürich, 12 °C █",
		"a\x1b[2Jb":       `a\x1b[2Jb`,
		"a\r\nb\tc":       `a\r\nb\tc`,
		"abc\u202edef":    `abc\u202edef`,
		"\u009b31m":       `\u009b31m`,
		"it's":            "it's",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if got := printable(text); strings.IndexFunc(got, hidden) >= 0 {
			t.Fatalf("%q is shown as %q", text, got)
		}
	})
	var b bytes.Buffer
	list := table{header: []string{"NAME", ">N"}}
	list.add("\x1b]0;x\a", "1")
	list.write(&b)
	if want := "NAME        N\n" + `\x1b]0;x\a  1` + "\n"; b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}

func TestTableWithLinesInItsHeader(t *testing.T) {
	var b bytes.Buffer
	list := table{header: []string{"TIME", ">DEW\nPOINT\n°C"}}
	list.add("now", "1.0")
	list.write(&b)
	if want := "        DEW\n      POINT\nTIME     °C\nnow     1.0\n"; b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
