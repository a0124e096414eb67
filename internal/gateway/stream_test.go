package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/mesonet/mesonet/internal/gateway"
)

// lines returns the objects of a stream.
func (a answer) lines(t *testing.T) []map[string]any {
	t.Helper()
	if got := a.header.Get("Content-Type"); a.code != http.StatusOK || got != "application/x-ndjson" {
		t.Errorf("a stream has status %d and type %q", a.code, got)
	}
	var all []map[string]any
	for line := range strings.Lines(a.text) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

func TestStream(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	for chunks := range 4 {
		w.chunks, w.err = chunks, nil
		lines := w.do(t, "GET", "/v1/stations/a/observations:stream", "").lines(t)
		if len(lines) != chunks {
			t.Errorf("%d chunks are the lines %v", chunks, lines)
		}
		for i, line := range lines {
			readings, _ := line["readings"].(map[string]any)
			if fmt.Sprint(readings["minutes"]) != fmt.Sprint([]int{i}) {
				t.Errorf("line %d of %d is %v", i, chunks, line)
			}
		}
	}
	w.chunks, w.err = 2, fails(codes.FailedPrecondition, "CORRUPT")
	lines := w.do(t, "GET", "/v1/stations/a/observations:stream", "").lines(t)
	last, _ := lines[len(lines)-1]["error"].(map[string]any)
	if len(lines) != 3 || last["reason"] != "CORRUPT" || last["code"] != 9.0 || last["message"] != "because" {
		t.Errorf("a stream that breaks off is %v", lines)
	}
}

func TestIngest(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	for _, test := range []struct {
		name, body string
		numbers    string // of the acknowledgements
		wrong      string // in the message of the last line, or of the answer
	}{
		{"nothing", "", "[]", ""},
		{"space", "\n \n", "[]", ""},
		{"one", `{"number":1,"readings":[{"station":"a","minutes":[5],"columns":[{"measure":"temperature","values":[12]}]}]}`, "[1]", ""},
		{"two", "{\"number\":1}\r\n\n{\"number\":\"2\"}\n", "[1 2]", ""},
		{"a bad line", "{\"number\":1}\n{\"number\":2}\n{\"numbr\":3}\n{\"number\":4}\n", "[1 2]", `line 3: syntax`},
		{"a bad line at first", "{\"numbr\":1}\n{\"number\":2}\n", "", `line 1: `},
		{"two on a line", `{"number":1}{"number":2}`, "", `line 1: `},
		{"no object", "[]", "", `line 1: `},
	} {
		a := w.do(t, "POST", "/v1/ingest", test.body)
		if test.numbers == "" {
			if e := a.failed(t); a.code != 400 || !strings.Contains(e.Message, test.wrong) {
				t.Errorf("%s: %d %s", test.name, a.code, a.text)
			}
			continue
		}
		lines := a.lines(t)
		numbers := []any{}
		message := ""
		for _, line := range lines {
			if e, ok := line["error"].(map[string]any); ok {
				message = fmt.Sprint(e["message"])
				continue
			}
			numbers = append(numbers, line["number"])
		}
		if fmt.Sprint(numbers) != test.numbers || (message == "") != (test.wrong == "") {
			t.Errorf("%s: acknowledged %v and says %q, want %s", test.name, numbers, message, test.numbers)
		}
	}
}

// Lines that are too long, as they are or as messages, and a suggestion.
func TestIngestLimits(t *testing.T) {
	cfg := gateway.DefaultConfig()
	cfg.MaxBody, cfg.MaxMessage = 1000, 100
	w := start(t, &fake{}, cfg)
	short := "{\"number\":1}\n"
	many := strings.Repeat(short, 500) // longer than a body may be that is no stream
	if lines := w.do(t, "POST", "/v1/ingest", many).lines(t); len(lines) != 500 {
		t.Errorf("%d lines for 500", len(lines))
	}
	for _, test := range []struct {
		line string
		code int
		text string
	}{
		{`{"number":` + strings.Repeat(" ", 1000) + `1}`, 413, "line 1: the line is over the limit of 1000 bytes"},
		{strings.Repeat("x", 200_000), 413, "line 1: the line is over the limit of 1000 bytes"},
		{`{"readings":[{"station":"` + strings.Repeat("x", 200) + `"}]}`, 413, "line 1: the batch takes 20"},
		{`{"reading":[]}`, 400, `did you mean "readings"?`},
	} {
		a := w.do(t, "POST", "/v1/ingest", test.line)
		if e := a.failed(t); a.code != test.code || !strings.Contains(e.Message, test.text) {
			t.Errorf("%.40s: %d %s", test.line, a.code, a.text)
		}
	}
	w.err = fails(codes.Unavailable, "UNAVAILABLE")
	if a := w.do(t, "POST", "/v1/ingest", many); a.code != 503 || a.failed(t).Reason != "UNAVAILABLE" {
		t.Errorf("%d %s", a.code, a.text)
	}
}

// What is left of a stream that ended early is not taken for another request.
//
// Seen to fail without the header Connection of ingest.
func TestRestOfAStreamIsNoRequest(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	smuggled := "DELETE /v1/stations/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	body := strings.Repeat(" ", 70_000-len("bad\n")) + "bad\n" + strings.Repeat(smuggled, 10_000) // more than is read ahead
	c, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go say(t, c, "POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body)+1_000_000, body)
	in := bufio.NewReader(c)
	for n := 0; ; n++ {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			if n != 1 {
				t.Errorf("%d answers to one request", n)
			}
			return
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "line 1") || !response.Close {
			t.Errorf("answer %d is %d %.200s", n, response.StatusCode, text)
		}
	}
}

// A client may wait for each acknowledgement before it sends more, and sees it
// though the stream goes on.
func TestIngestIsTwoWay(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		w := start(t, &fake{}, gateway.DefaultConfig())
		body, send := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL+"/v1/ingest", body)
		if err != nil {
			t.Fatal(err)
		}
		if encoding == "identity" {
			r.Header.Set("Accept-Encoding", encoding) // otherwise net/http asks for gzip
		}
		go say(t, send, "{\"number\":1}\n") // the header comes with the first answer
		response, err := w.http.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(response.Body)
		for i := 1; i <= 3; i++ {
			line, err := in.ReadString('\n')
			var got struct{ Number string }
			if err := errors.Join(err, json.Unmarshal([]byte(line), &got)); err != nil || got.Number != fmt.Sprint(i) {
				t.Fatalf("%s: batch %d was answered %q, %v", encoding, i, line, err)
			}
			if i < 3 {
				say(t, send, "{\"number\":%d}\n", i+1)
			}
		}
		send.Close()
		if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
			t.Errorf("%s: at the end came %q, %v", encoding, rest, err)
		}
		response.Body.Close()
	}
}

// A call ends when its client has gone: a question, a stream that waits for the
// server, and one that waits for the client.
//
// Seen to fail with context.WithoutCancel around the context of the call.
func TestClientGoes(t *testing.T) {
	f := &fake{hang: make(chan struct{}), ended: make(chan struct{}, 10), chunks: 1}
	w := start(t, f, gateway.DefaultConfig())
	for _, target := range []string{"GET /v1/stations/a", "GET /v1/stations/a/observations:stream", "POST /v1/ingest"} {
		method, path, _ := strings.Cut(target, " ")
		c, err := net.Dial("tcp", w.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		say(t, c, "%s %s HTTP/1.1\r\nHost: x\r\n", method, path)
		if method == "POST" {
			say(t, c, "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"number\":1}\n\r\n")
		} else {
			say(t, c, "\r\n")
		}
		if path != "/v1/stations/a" { // wait until it is under way
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		} else {
			waitFor(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.station != nil })
		}
		c.Close()
		select {
		case <-f.ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s goes on without its client", target)
		}
	}
}

// say writes to a server. One that has heard enough breaks the connection off,
// and what is read from it says why.
func say(t *testing.T, to io.Writer, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(to, format, args...); err != nil {
		t.Logf("writing: %v", err)
	}
}

// waitFor waits for what only can be looked at.
func waitFor(t *testing.T, happened func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not happen")
		}
	}
}

// One that reads nothing, or sends nothing more, is given up after a while, and
// what it took is free again: the gateway closes.
//
// Seen to fail without the deadline of writing in patientWriter, and without
// those of readBody and of streamBody.
func TestSlowClients(t *testing.T) {
	f := &fake{ended: make(chan struct{}, 10), chunks: 1 << 20}
	cfg := gateway.DefaultConfig()
	cfg.Patience, cfg.Idle = 50*time.Millisecond, 50*time.Millisecond
	w := start(t, f, cfg)
	dial := func(request string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", w.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		return c
	}
	reads := dial("GET /v1/stations/a/observations:stream HTTP/1.1\r\nHost: x\r\n\r\n")
	defer reads.Close()
	select {
	case <-f.ended:
	case <-time.After(20 * time.Second):
		t.Error("a stream that nobody reads goes on")
	}
	for _, request := range []string{
		"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
		"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
	} {
		c := dial(request)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%q: %v", request, err)
			continue
		}
		text, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "TOO_SLOW") {
			t.Errorf("%q: %d %s", request, response.StatusCode, text)
		}
		response.Body.Close()
		c.Close()
	}
}

// A body that has come in time leaves no deadline for the call itself.
func TestCallsMayTakeLongerThanBodies(t *testing.T) {
	f := &fake{hang: make(chan struct{}), ended: make(chan struct{}, 10)}
	cfg := gateway.DefaultConfig()
	cfg.Patience = 20 * time.Millisecond
	w := start(t, f, cfg)
	time.AfterFunc(100*time.Millisecond, func() { close(f.hang) })
	if a := w.do(t, "POST", "/v1/stations:register", `{"stations":[]}`); a.code != http.StatusOK {
		t.Errorf("%d %s", a.code, a.text)
	}
}

// Nor does the body of a stream, whose last acknowledgements may take longer than
// its client may be silent.
func TestAcknowledgementsMayTakeLonger(t *testing.T) {
	f := &fake{slow: make(chan struct{})}
	cfg := gateway.DefaultConfig()
	cfg.Idle = 20 * time.Millisecond
	w := start(t, f, cfg)
	time.AfterFunc(100*time.Millisecond, func() { close(f.slow) })
	if lines := w.do(t, "POST", "/v1/ingest", "{\"number\":1}\n{\"number\":2}\n").lines(t); len(lines) != 2 {
		t.Errorf("%v", lines)
	}
}
