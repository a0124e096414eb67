package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const line = "725030:14732,2008,12,01,%02d,6.1,3.9,1001.2,50,8.7,8,0.1,0.8"

// read reads everything, as hours and errors.
func read(r io.Reader) (hours []int, malformed []*LineError, err error) {
	reader := NewReader("test.csv", r, NewKillrWeather())
	for {
		var reading Reading
		err := reader.Read(&reading)
		if lineError, ok := errors.AsType[*LineError](err); ok {
			malformed = append(malformed, lineError)
			continue
		}
		if errors.Is(err, io.EOF) {
			return hours, malformed, nil
		}
		if err != nil {
			return hours, malformed, err
		}
		hour, _ := reading.Time.Clock()
		hours = append(hours, hour)
	}
}

// Whatever the ends of lines are, and however the bytes arrive.
func TestReaderForms(t *testing.T) {
	one, two := fmt.Sprintf(line, 1), fmt.Sprintf(line, 2)
	for name, text := range map[string]string{
		"unix":             one + "\n" + two + "\n",
		"windows":          one + "\r\n" + two + "\r\n",
		"no final newline": one + "\n" + two,
		"only a \\r last":  one + "\n" + two + "\r",
		"byte order mark":  "\xef\xbb\xbf" + one + "\n" + two + "\n",
		"blank lines":      "\n\r\n  \n" + one + "\n\t \n" + two + "\n\n\n",
	} {
		for how, r := range map[string]io.Reader{
			"whole":         strings.NewReader(text),
			"byte by byte":  iotest.OneByteReader(strings.NewReader(text)),
			"data with EOF": iotest.DataErrReader(strings.NewReader(text)),
		} {
			hours, malformed, err := read(r)
			if err != nil || len(malformed) > 0 || !slices.Equal(hours, []int{1, 2}) {
				t.Errorf("%s, %s: %v, %v, %v", name, how, hours, malformed, err)
			}
		}
	}
	if hours, malformed, err := read(strings.NewReader("")); err != nil || len(hours)+len(malformed) > 0 {
		t.Errorf("nothing is %v, %v, %v", hours, malformed, err)
	}
}

func TestReaderGoesOn(t *testing.T) {
	text := strings.Join([]string{
		fmt.Sprintf(line, 1),
		"garbage",
		fmt.Sprintf(line, 24),
		"\x00\x01\x02",
		strings.Repeat("x", MaxLine),    // as long as can be, and still wrong
		strings.Repeat("x", MaxLine+1),  // too long
		strings.Repeat("y", 20*MaxLine), // longer than any buffer
		fmt.Sprintf(line, 2),
	}, "\n")
	hours, malformed, err := read(iotest.HalfReader(strings.NewReader(text)))
	if err != nil || !slices.Equal(hours, []int{1, 2}) {
		t.Errorf("read the hours %v, %v; want 1 and 2", hours, err)
	}
	var lines []int64
	for _, e := range malformed {
		lines = append(lines, e.Line)
		if e.File != "test.csv" || len(e.Text) > 100 || !strings.HasPrefix(e.Error(), fmt.Sprintf("test.csv:%d: ", e.Line)) {
			t.Errorf("an error that does not say where: %v", e)
		}
	}
	if !slices.Equal(lines, []int64{2, 3, 4, 5, 6, 7}) {
		t.Errorf("malformed are the lines %v, want 2 to 7", lines)
	}
	if e := malformed[1]; e.Column != 5 || !strings.Contains(e.Reason, "hour") {
		t.Errorf("an hour of 24: %+v", e)
	}
	for _, e := range malformed[4:] {
		if !strings.Contains(e.Reason, "longer than 65536 bytes") {
			t.Errorf("line %d: %s", e.Line, e.Reason)
		}
	}
}

func TestReaderReportsWhatFails(t *testing.T) {
	broken := errors.New("broken disk")
	text := fmt.Sprintf(line, 1) + "\n" + fmt.Sprintf(line, 2)
	hours, _, err := read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "test.csv failed after line 1") || !slices.Equal(hours, []int{1}) {
		t.Errorf("got %v after the hours %v", err, hours)
	}
	if _, _, err := read(idle{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that reads nothing: %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// Lines are what splitting the whole text gives.
func TestLinesAgainstSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Lengths are drawn, not text, which would be a lot to print.
		short := []string{"\n", "\r\n", "\r", "", "a,b", "\xef\xbb\xbf"}
		var text string
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, len(short)+9), 0, 12).Draw(t, "pieces") {
			switch n -= len(short); {
			case n < 0:
				text += short[n+len(short)]
			case n < 5:
				text += strings.Repeat("z", MaxLine-2+n)
			default:
				text += strings.Repeat("w", 4*MaxLine-7+n)
			}
		}
		size := rapid.SampledFrom([]int{1 << 10, MaxLine, 1 << 20}).Draw(t, "size")
		l := newLines(&pieces{text: []byte(text), size: size})
		want := strings.Split(strings.TrimPrefix(text, "\xef\xbb\xbf"), "\n")
		if want[len(want)-1] == "" && (len(want) > 1 || text == "") {
			want = want[:len(want)-1] // an end, not an empty line
		}
		for i, w := range want {
			w = strings.TrimSuffix(w, "\r")
			got, err := l.next()
			long := len(w) > MaxLine
			if long != errors.Is(err, errLong) || !long && err != nil || !long && string(got) != w {
				t.Fatalf("line %d has %d bytes, %v; want %d", i+1, len(got), err, len(w))
			}
			if int64(i+1) != l.number {
				t.Fatalf("line %d is number %d", i+1, l.number)
			}
		}
		if got, err := l.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last line comes %q, %v", got, err)
		}
		if l.read != int64(len(text)) {
			t.Fatalf("%d bytes read of %d", l.read, len(text))
		}
	})
}

// pieces reads at most size bytes at a time.
type pieces struct {
	text []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.text)
	p.text = p.text[n:]
	return n, nil
}

func BenchmarkKillrWeather(b *testing.B) {
	text := observations(b)
	n := 0
	for b.Loop() {
		r := NewReader("bench", bytes.NewReader(text), NewKillrWeather())
		var reading Reading
		for r.Read(&reading) == nil {
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
	b.SetBytes(int64(len(text)))
}
