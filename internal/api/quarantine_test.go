package api_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/mesonet/mesonet/internal/api"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// client returns a client of the server's quarantine over gRPC.
func (s *served) client(t testing.TB) mesonetv1.QuarantineServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	s.Register(server)
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:server", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return mesonetv1.NewQuarantineServiceClient(conn)
}

func badLine(number uint32, text string) *mesonetv1.QuarantinedLine {
	return &mesonetv1.QuarantinedLine{Line: number, Text: []byte(text), Reason: "13 columns are too few", Format: "csv/river"}
}

// quarantinedLines returns all lines of a source, page by page, with the token of
// what was done before.
func quarantinedLines(t testing.TB, c mesonetv1.QuarantineServiceClient, source string, size uint32, seen *mesonetv1.Token) (lines []*mesonetv1.QuarantinedLine) {
	t.Helper()
	r := &mesonetv1.ListQuarantinedRequest{Source: source, PageSize: size, Read: &mesonetv1.Read{Tokens: []*mesonetv1.Token{seen}}}
	for {
		page, err := c.ListQuarantined(t.Context(), r)
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		lines = append(lines, page.GetLines()...)
		if page.GetToken().GetPosition() < seen.GetPosition() {
			t.Errorf("the page is of %v, before %v", page.GetToken(), seen)
		}
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return lines
		}
	}
}

// sources returns all sources, page by page, and calls between one and the next.
func sources(t testing.TB, c mesonetv1.QuarantineServiceClient, size uint32, between func()) (all []*mesonetv1.QuarantineSource) {
	t.Helper()
	r := &mesonetv1.ListQuarantineSourcesRequest{PageSize: size}
	for {
		page, err := c.ListQuarantineSources(t.Context(), r)
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		if len(page.GetSources()) > 0 && len(page.GetTokens()) == 0 {
			t.Error("a page of sources has no token")
		}
		all = append(all, page.GetSources()...)
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return all
		}
		if between != nil {
			between()
		}
	}
}

// What could not be taken in is kept, listed, taken over a start, and released,
// over gRPC and by the clock of the server.
func TestQuarantine(t *testing.T) {
	s := serve(t)
	defer func() { s.stop(t) }()
	c := s.client(t)
	first, second := time.Unix(1_800_000_000, 0), time.Unix(1_800_000_060, 0)
	s.now = first
	const name = "archive.zip!a/../\x1b[2J\n.csv"
	lie := badLine(3, "a,b\xff")
	lie.Time = timestamppb.New(second) // it is set by the server
	kept, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: []*mesonetv1.QuarantinedLine{badLine(9, ""), lie, badLine(9, "x")}})
	if err != nil || kept.GetKept() != 2 || kept.GetDropped() != 0 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	s.now = second
	if kept, err = c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: []*mesonetv1.QuarantinedLine{badLine(5, "new")}}); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"a", "z"} {
		if _, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: other, Lines: []*mesonetv1.QuarantinedLine{badLine(1, "")}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []*mesonetv1.QuarantinedLine{badLine(3, "a,b\xff"), badLine(5, "new"), badLine(9, "x")}
	want[0].Time, want[1].Time, want[2].Time = timestamppb.New(first), timestamppb.New(second), timestamppb.New(first)
	wantSources := []*mesonetv1.QuarantineSource{
		{Source: "a", Lines: 1, LastTime: timestamppb.New(second)},
		{Source: name, Lines: 3, LastTime: timestamppb.New(second)},
		{Source: "z", Lines: 1, LastTime: timestamppb.New(second)},
	}
	for range 2 {
		for _, size := range []uint32{0, 1, 2, 3} {
			if diff := cmp.Diff(want, quarantinedLines(t, c, name, size, kept.GetToken()), protocmp.Transform()); diff != "" {
				t.Errorf("lines in pages of %d differ (-want +got)\n%s", size, diff)
			}
			if diff := cmp.Diff(wantSources, sources(t, c, size, nil), protocmp.Transform()); diff != "" {
				t.Errorf("sources in pages of %d differ (-want +got)\n%s", size, diff)
			}
		}
		s.stop(t)
		s.start(t)
		c = s.client(t)
	}
	released, err := c.ReleaseQuarantined(t.Context(), &mesonetv1.ReleaseQuarantinedRequest{Source: name, Lines: []uint32{5, 5, 6}})
	if err != nil || released.GetReleased() != 1 || released.GetToken() == nil {
		t.Fatalf("released are %v, %v", released, err)
	}
	if diff := cmp.Diff([]*mesonetv1.QuarantinedLine{want[0], want[2]}, quarantinedLines(t, c, name, 0, released.GetToken()), protocmp.Transform()); diff != "" {
		t.Errorf("lines differ (-want +got)\n%s", diff)
	}
	if released, err = c.ReleaseQuarantined(t.Context(), &mesonetv1.ReleaseQuarantinedRequest{Source: name, All: true}); err != nil || released.GetReleased() != 2 {
		t.Errorf("released are %v, %v", released, err)
	}
	if got := sources(t, c, 0, nil); len(got) != 2 {
		t.Errorf("there are still %v", got)
	}
	if want := []api.Quarantined{{Kept: 2}, {Kept: 1}, {Kept: 1}, {Kept: 1}, {Released: 1}, {Released: 2}}; !slices.Equal(s.quarantined, want) {
		t.Errorf("the listener was told %+v, want %+v", s.quarantined, want)
	}
}

// As much as a call may have passes over gRPC, in both directions.
func TestQuarantineLargest(t *testing.T) {
	s := serve(t)
	defer s.stop(t)
	c := s.client(t)
	name := strings.Repeat("n", 1024)
	var lines []*mesonetv1.QuarantinedLine
	for i := range uint32(1000) {
		l := badLine(i+1, strings.Repeat("t", 524-22-9))
		lines = append(lines, l)
	}
	response, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: lines})
	if err != nil || response.GetKept() != 1000 {
		t.Fatalf("%v, %v", response, err)
	}
	page, err := c.ListQuarantined(t.Context(), &mesonetv1.ListQuarantinedRequest{Source: name, PageSize: 1000})
	if err != nil || len(page.GetLines()) != 1000 || page.GetNextPageToken() != "" {
		t.Errorf("a page has %d lines, %v", len(page.GetLines()), err)
	}
	for i := range uint32(9) {
		for _, l := range lines {
			l.Line, l.Text = l.GetLine()+1000, nil
		}
		if response, err = c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: lines}); err != nil || response.GetKept() != 1000 {
			t.Fatalf("%d: %v, %v", i, response, err)
		}
	}
	response, err = c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: []*mesonetv1.QuarantinedLine{badLine(1, ""), badLine(99_999, "")}})
	if err != nil || response.GetKept() != 1 || response.GetDropped() != 1 {
		t.Errorf("over the limit: %v, %v", response, err)
	}
	if got := sources(t, c, 0, nil); len(got) != 1 || got[0].GetLines() != 10_000 || got[0].GetDropped() != 1 {
		t.Errorf("sources are %v", got)
	}
	if last := s.quarantined[len(s.quarantined)-1]; last != (api.Quarantined{Kept: 1, Dropped: 1}) {
		t.Errorf("the listener was told %+v", last)
	}
}

// Whatever comes and goes between two pages, a source that stays comes once.
// Mutation seen to fail: a page going on behind the source that comes next.
func TestQuarantineSourcesWhileTheyChange(t *testing.T) {
	s := serve(t)
	defer s.stop(t)
	c := s.client(t)
	rapid.Check(t, func(rt *rapid.T) {
		id := func(name string) string { return fmt.Sprintf("f/%d", rapid.IntRange(0, 15).Draw(rt, name)) }
		put := func(name string) {
			if _, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: []*mesonetv1.QuarantinedLine{badLine(1, "")}}); err != nil {
				rt.Fatal(err)
			}
		}
		remove := func(name string) {
			_, err := c.ReleaseQuarantined(t.Context(), &mesonetv1.ReleaseQuarantinedRequest{Source: name, All: true})
			if err != nil && status.Code(err) != codes.NotFound {
				rt.Fatal(err)
			}
		}
		defer func() {
			for i := range 16 {
				remove(fmt.Sprintf("f/%d", i))
			}
		}()
		stay, touched := map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(1, 10).Draw(rt, "sources") {
			name := id("source")
			stay[name] = true
			put(name)
		}
		times := map[string]int{}
		pages := 0
		for _, source := range sources(t, c, uint32(rapid.IntRange(1, 4).Draw(rt, "size")), func() {
			if pages++; pages > 6 {
				return
			}
			name := id("changed")
			touched[name] = true
			if rapid.Bool().Draw(rt, "release") {
				remove(name)
			} else {
				put(name)
			}
		}) {
			times[source.GetSource()]++
		}
		for name := range stay {
			if !touched[name] && times[name] != 1 {
				rt.Fatalf("%s comes %d times in %v", name, times[name], times)
			}
		}
	})
}

// A page of sources asks no more of them than it has room for.
func TestQuarantineSourcesAskFew(t *testing.T) {
	s := serve(t)
	defer s.stop(t)
	c := s.client(t)
	for i := range 20 {
		if _, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: fmt.Sprint(i), Lines: []*mesonetv1.QuarantinedLine{badLine(1, "")}}); err != nil {
			t.Fatal(err)
		}
	}
	s.asked.Store(0)
	page, err := c.ListQuarantineSources(t.Context(), &mesonetv1.ListQuarantineSourcesRequest{PageSize: 3})
	if err != nil || len(page.GetSources()) != 3 || s.asked.Load() != 3 {
		t.Errorf("a page of 3 has %d and asked %d, %v", len(page.GetSources()), s.asked.Load(), err)
	}
}

// A source that goes between its name being found and its being asked is left out,
// and the others are there. Mutation seen to fail: askSources returning that it is
// not found.
func TestQuarantineSourceGoesMeanwhile(t *testing.T) {
	s := serve(t)
	defer s.stop(t)
	c := s.client(t)
	for _, name := range []string{"a", "b", "c"} {
		if _, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: []*mesonetv1.QuarantinedLine{badLine(1, "")}}); err != nil {
			t.Fatal(err)
		}
	}
	s.meanwhile = func() {
		if _, err := c.ReleaseQuarantined(t.Context(), &mesonetv1.ReleaseQuarantinedRequest{Source: "b", All: true}); err != nil {
			t.Error(err)
		}
	}
	if got := sources(t, c, 0, nil); len(got) != 2 || got[0].GetSource() != "a" || got[1].GetSource() != "c" {
		t.Errorf("sources are %v", got)
	}
}

func TestQuarantineRefuses(t *testing.T) {
	s := serve(t)
	defer s.stop(t)
	c := s.client(t)
	for _, name := range []string{"a", "b"} {
		if _, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: name, Lines: []*mesonetv1.QuarantinedLine{badLine(1, ""), badLine(2, "")}}); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := c.ListQuarantined(t.Context(), &mesonetv1.ListQuarantinedRequest{Source: "a", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.ListQuarantineSources(t.Context(), &mesonetv1.ListQuarantineSourcesRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	lineToken, sourceToken := lines.GetNextPageToken(), all.GetNextPageToken()
	foreign := &mesonetv1.Read{Tokens: []*mesonetv1.Token{{Store: 1}}}
	keep := func(source string, lines ...*mesonetv1.QuarantinedLine) error {
		_, err := c.Quarantine(t.Context(), &mesonetv1.QuarantineRequest{Source: source, Lines: lines})
		return err
	}
	list := func(r *mesonetv1.ListQuarantinedRequest) error {
		_, err := c.ListQuarantined(t.Context(), r)
		return err
	}
	listSources := func(r *mesonetv1.ListQuarantineSourcesRequest) error {
		_, err := c.ListQuarantineSources(t.Context(), r)
		return err
	}
	release := func(r *mesonetv1.ReleaseQuarantinedRequest) error {
		_, err := c.ReleaseQuarantined(t.Context(), r)
		return err
	}
	for name, refused := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		says   string
	}{
		"no source":               {keep(""), codes.InvalidArgument, "BAD_SOURCE", "1 to 1024 bytes"},
		"a long source":           {keep(strings.Repeat("x", 1025)), codes.InvalidArgument, "BAD_SOURCE", "has 1025"},
		"line 0":                  {keep("a", badLine(0, "")), codes.InvalidArgument, "BAD_LINE", "no line 0"},
		"a long text":             {keep("a", badLine(7, strings.Repeat("x", 4097))), codes.InvalidArgument, "BAD_LINE", "the text of line 7 has 4097 bytes"},
		"many lines":              {keep("a", make([]*mesonetv1.QuarantinedLine, 1001)...), codes.InvalidArgument, "BAD_LINE", "1001 lines"},
		"lines of none":           {list(&mesonetv1.ListQuarantinedRequest{Source: "../a"}), codes.NotFound, "NOT_QUARANTINED", `"../a"`},
		"lines of no source":      {list(&mesonetv1.ListQuarantinedRequest{}), codes.InvalidArgument, "BAD_SOURCE", "1 to 1024 bytes"},
		"a large page of lines":   {list(&mesonetv1.ListQuarantinedRequest{Source: "a", PageSize: 1001}), codes.InvalidArgument, "INVALID_REQUEST", "page_size 1001"},
		"a token of another":      {list(&mesonetv1.ListQuarantinedRequest{Source: "b", PageToken: lineToken}), codes.InvalidArgument, "INVALID_REQUEST", "belongs to another list"},
		"a token of sources":      {list(&mesonetv1.ListQuarantinedRequest{Source: "a", PageToken: sourceToken}), codes.InvalidArgument, "INVALID_REQUEST", "belongs to another list"},
		"a token cut short":       {list(&mesonetv1.ListQuarantinedRequest{Source: "a", PageToken: lineToken[:8]}), codes.InvalidArgument, "INVALID_REQUEST", "not one that this server gave"},
		"a made-up token":         {list(&mesonetv1.ListQuarantinedRequest{Source: "a", PageToken: "%"}), codes.InvalidArgument, "INVALID_REQUEST", "not one that this server gave"},
		"lines of another store":  {list(&mesonetv1.ListQuarantinedRequest{Source: "a", Read: foreign}), codes.InvalidArgument, "WRONG_STORE", "another store"},
		"a large page of sources": {listSources(&mesonetv1.ListQuarantineSourcesRequest{PageSize: 1001}), codes.InvalidArgument, "INVALID_REQUEST", "page_size 1001"},
		"a token of lines":        {listSources(&mesonetv1.ListQuarantineSourcesRequest{PageToken: lineToken}), codes.InvalidArgument, "INVALID_REQUEST", "belongs to another list"},
		"a token without a name":  {listSources(&mesonetv1.ListQuarantineSourcesRequest{PageToken: sourceToken[:6]}), codes.InvalidArgument, "INVALID_REQUEST", "not one that this server gave"},
		"sources of another":      {listSources(&mesonetv1.ListQuarantineSourcesRequest{Read: foreign}), codes.InvalidArgument, "WRONG_STORE", "another store"},
		"a release of nothing":    {release(&mesonetv1.ReleaseQuarantinedRequest{Source: "a"}), codes.InvalidArgument, "INVALID_REQUEST", "name the lines"},
		"a release of both":       {release(&mesonetv1.ReleaseQuarantinedRequest{Source: "a", All: true, Lines: []uint32{1}}), codes.InvalidArgument, "INVALID_REQUEST", "not both"},
		"a release of none":       {release(&mesonetv1.ReleaseQuarantinedRequest{Source: "c", All: true}), codes.NotFound, "NOT_QUARANTINED", `"c"`},
		"a release of many":       {release(&mesonetv1.ReleaseQuarantinedRequest{Source: "a", Lines: make([]uint32, 1001)}), codes.InvalidArgument, "BAD_LINE", "1001 lines"},
	} {
		st := status.Convert(refused.err)
		reason := ""
		for _, d := range st.Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok {
				reason = info.GetReason()
			}
		}
		if st.Code() != refused.code || reason != refused.reason || !strings.Contains(st.Message(), refused.says) {
			t.Errorf("%s: %v with reason %q; want %s, %s, %q", name, refused.err, reason, refused.code, refused.reason, refused.says)
		}
	}
	if got := sources(t, c, 0, nil); len(got) != 2 || got[0].GetLines() != 2 || got[1].GetLines() != 2 {
		t.Errorf("what was refused left %v", got)
	}
	if len(s.quarantined) != 2 {
		t.Errorf("the listener was told %+v", s.quarantined)
	}
}

// A token that is taken is one that the server would give.
func FuzzQuarantineToken(f *testing.F) {
	f.Add("", "AAAAAAAA")
	f.Add("a", "AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, source, token string) {
		again, err := api.ParseQuarantineToken(source, token)
		if err != nil || token == "" {
			return
		}
		if twice, err := api.ParseQuarantineToken(source, again); err != nil || twice != again {
			t.Errorf("%q is %q, and that is %q, %v", token, again, twice, err)
		}
	})
}
