package main

import (
	"bytes"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

// A mistake ends the program before anything is measured, with a message that
// says what is allowed.
func TestWrongUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // in the first line
	}{
		{[]string{"-o", "xml"}, "the formats are table and json"},
		{[]string{"-run", "nothing"}, "the rows are observe-interleaved, observe-runs, ask"},
		{[]string{"-run", "("}, "regular expression"},
		{[]string{"-time", "3"}, "from 10ms to 1h"},
		{[]string{"-time", "1ms"}, "from 10ms to 1h"},
		{[]string{"-time", "2h"}, "from 10ms to 1h"},
		{[]string{"-shards", "3"}, "a power of two from 1 to 65536"},
		{[]string{"-shards", "0"}, "a power of two from 1 to 65536"},
		{[]string{"-shards", "4294967297"}, "a power of two from 1 to 65536"},
		{[]string{"-stations", "many"}, "a number from 10 to 10000000"},
		{[]string{"-stations", "9"}, "a number from 10 to 10000000"},
		{[]string{"-hourly-stations", "0"}, "a number from 1 to 10000000"},
		{[]string{"-days", "366"}, "a number from 1 to 365"},
		{[]string{"-keep", ""}, "it is a path"},
		{[]string{"-full", "-quick"}, "exclude each other"},
		{[]string{"-quick=perhaps"}, "-quick"},
		{[]string{"-fast"}, "-fast"},
		{[]string{"observe"}, `"observe" is no flag`},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), test.args, &stdout, &stderr)
		first, rest, _ := strings.Cut(stderr.String(), "\n")
		if code != exitUsage || stdout.Len() > 0 || !strings.Contains(first, test.want) || !strings.Contains(rest, usage()) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %q", test.args, code, stdout.String(), stderr.String(), test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr); code != exitOK || stdout.String() != usage() || stderr.Len() > 0 {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
	for name := range flags {
		if !strings.Contains(usage(), "\n  -"+name+" ") {
			t.Errorf("the help does not know -%s", name)
		}
	}
	if _, err := parse([]string{"-help"}); err != flag.ErrHelp { //nolint:errorlint // as it is
		t.Errorf("-help: %v", err)
	}
}

// What is said counts more than -quick and -full, whatever comes first.
func TestParse(t *testing.T) {
	opt, err := parse([]string{"-time", "2s", "-stations", "50", "-quick", "-run", "grpc", "-shards", "8"})
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, b := range opt.rows {
		rows = append(rows, b.id)
	}
	if !opt.quick || opt.time != 2*time.Second || opt.live != 50 || opt.shards != 8 || opt.recoverEach != quickOptions().recoverEach ||
		!slices.Equal(rows, []string{"grpc-1", "grpc-4"}) {
		t.Errorf("options are %+v", opt)
	}
	if opt, err := parse([]string{"-full"}); err != nil || opt.live != million || opt.time != 3*time.Second {
		t.Errorf("-full: %+v, %v", opt, err)
	}
}
