package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Lines are listed as they came, whatever is in them, and released.
func TestQuarantine(t *testing.T) {
	addr := newNode(t)
	c, err := dial(addr, 10*time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	keep := func(source string, lines ...*mesonetv1.QuarantinedLine) {
		t.Helper()
		if _, err := c.QuarantineServiceClient.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: source, Lines: lines}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(code int, want string, args ...string) result {
		t.Helper()
		r := runArgs(t, append(args, "--addr", addr)...)
		if r.code != code || !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%v ends with %d, want %d and %q:\n%s%s", args, r.code, code, want, r.stdout, r.stderr)
		}
		return r
	}
	run(exitOK, "0 sources\n", "quarantine", "list")
	keep("ny.csv",
		&mesonetv1.QuarantinedLine{Line: 2, Text: []byte("half,\"a\x1b[2J line\xff"), Reason: "3 fields\nare too few", Format: "killrweather"},
		&mesonetv1.QuarantinedLine{Line: 1204, Text: []byte(strings.Repeat("x", 4000)), Reason: "too long", Format: "csv/river"})
	many := make([]*mesonetv1.QuarantinedLine, 1000)
	for part := range 3 {
		for i := range many {
			many[i] = &mesonetv1.QuarantinedLine{Line: uint32(part*1000 + i + 1), Text: fmt.Appendf(nil, "line, %d", part*1000+i+1), Reason: "no"}
		}
		keep("many\x1b]0;x\a.csv", many...)
	}

	run(exitOK, `many\x1b]0;x\a.csv  3,000            0  `, "quarantine", "list")
	if r := run(exitOK, "", "quarantine", "list", "-o", "csv"); !strings.Contains(r.stdout, "\nny.csv,2,0,20") || r.stderr != "" {
		t.Errorf("got %q %q", r.stdout, r.stderr)
	}
	run(exitOK, "1 source; for those after them add --page-token ", "quarantine", "list", "--limit", "1")

	r := run(exitOK, "", "quarantine", "list", "ny.csv")
	want := "LINE  REASON                TEXT\n" +
		"   2  3 fields are too few  half,\"a\\x1b[2J line\ufffd\n" +
		"1204  too long              " + strings.Repeat("x", 100) + "…\n"
	if r.stdout != want || r.stderr != "2 lines of ny.csv\n" {
		t.Errorf("got\n%s%s\nwant\n%s", r.stdout, r.stderr, want)
	}
	rows := rowsOf(t, addr, "quarantine", "list", "ny.csv")
	if len(rows) != 2 || rows[0]["text"] != "half,\"a\x1b[2J line\xff" || rows[0]["reason"] != "3 fields\nare too few" || rows[1]["format"] != "csv/river" || len(rows[1]["text"]) != 4000 {
		t.Errorf("got %q", rows)
	}
	var list quarantinedLines
	if err := json.Unmarshal([]byte(run(exitOK, "", "quarantine", "list", "ny.csv", "-o", "json").stdout), &list); err != nil || len(list.Lines) != 2 || list.Lines[1].Line != 1204 || list.Lines[0].Time == nil {
		t.Errorf("got %+v, %v", list, err)
	}
	const hostile = "many\x1b]0;x\a.csv"
	run(exitOK, "50 lines of many\\x1b]0;x\\a.csv; for those after them add --page-token ", "quarantine", "list", hostile)
	if rows := rowsOf(t, addr, "quarantine", "list", hostile, "--all"); len(rows) != 3000 || rows[2999]["line"] != "3000" || rows[2999]["text"] != "line, 3000" {
		t.Errorf("%d rows", len(rows))
	}
	run(exitOK, "1,500 lines", "quarantine", "list", hostile, "--limit", "1500")
	run(exitNotFound, `no lines of source "sf.csv"`, "quarantine", "list", "sf.csv")
	run(exitNotFound, `no lines of source "sf.csv"`, "quarantine", "list", "sf.csv", "-o", "csv")

	run(exitOK, "released 1 line of ny.csv\n", "quarantine", "release", "ny.csv", "2", "7")
	run(exitOK, `"released": 1`, "quarantine", "release", "ny.csv", "1204", "-o", "json")
	run(exitNotFound, "no lines of source", "quarantine", "release", "ny.csv", "--all")
	args := []string{"quarantine", "release", hostile}
	for line := range 3500 { // in calls of 1,000; with the third the source goes
		args = append(args, fmt.Sprint(line+1))
	}
	run(exitOK, "released 3,000 lines of many\\x1b]0;x\\a.csv\n", args...)
	keep("ny.csv", many...)
	run(exitOK, "released 1,000 lines of ny.csv\n", "quarantine", "release", "ny.csv", "--all")
	run(exitOK, "0 sources\n", "quarantine", "list")
}
