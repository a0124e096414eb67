package gateway_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/internal/gateway"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// failed is the body of an answer that is no success.
type failed struct {
	Code    int32
	Reason  string
	Message string
	Details []map[string]any
}

func (a answer) failed(t *testing.T) failed {
	t.Helper()
	var f failed
	d := json.NewDecoder(strings.NewReader(a.text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%d %q is no error: %v", a.code, a.text, err)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("an error is of type %q", got)
	}
	return f
}

func TestZerosAreThereAndAbsentIsAbsent(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	a := w.do(t, "GET", "/v1/stations/a/precipitation/2008", "")
	want := map[string]any{"station": "a", "observations": 0.0, "missing_hours": 0.0, "millimetres": 0.0, "trace_hours": 0.0}
	var got map[string]any
	if err := json.Unmarshal([]byte(a.text), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %d %s, want %v", a.code, a.text, want)
	}
	if strings.Contains(a.text, " ") || !strings.HasSuffix(a.text, "}\n") {
		t.Errorf("it is not written the same way each time: %q", a.text)
	}
}

// Where a request goes: paths with and without optional parts, parameters of the
// query, bodies.
func TestRequests(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	for _, test := range []struct {
		method, target, body string
		got                  func() proto.Message
		want                 string
	}{
		{"GET", "/v1/stations/a/precipitation/2008/02/29?method=PRECIPITATION_METHOD_BEST&until=2008-02-29T12:00:00Z&include_erroneous=true", "", func() proto.Message { return w.rain }, `station: "a" year: 2008 month: 2 day: 29 method: PRECIPITATION_METHOD_BEST until: {seconds: 1204286400} include_erroneous: true`},
		{"GET", "/v1/stations/a/precipitation/2008?month=2", "", func() proto.Message { return w.rain }, `station: "a" year: 2008 month: 2`},
		{"GET", "/v1/stations?box.south=-1.5&box.west=170&box.north=2&box.east=-170&page_size=7&read.consistency=CONSISTENCY_LINEARIZABLE", "", func() proto.Message { return w.list }, `page_size: 7 read: {consistency: CONSISTENCY_LINEARIZABLE} box: {south: -1.5 west: 170 north: 2 east: -170}`},
		{"HEAD", "/v1/stations?near.latitude=40.7&near.longitude=-73.9", "", func() proto.Message { return w.list }, `near: {latitude: 40.7 longitude: -73.9}`},
		{"PUT", "/v1/stations/a/quality", `{"ranges":[{"measure":"temperature","low":-3}]}`, func() proto.Message { return w.quality }, `station: "a" ranges: {measure: "temperature" low: -3}`},
		{"POST", "/v1/entities/station/725030:14732:skip", `{"position":"1:2"}`, func() proto.Message { return w.skipped }, `kind: "station" id: "725030:14732" position: "1:2"`},
		{"POST", "/v1/entities/station/x:skip:skip", `{"position":"1:2"}`, func() proto.Message { return w.skipped }, `kind: "station" id: "x:skip" position: "1:2"`},
		{"POST", "/v1/ask", `{"questions":[{"wind":{"station":"a","year":2008}}]}`, func() proto.Message { return w.asked }, `questions: {wind: {station: "a" year: 2008}}`},
		{"GET", "/v1/stations/a/observations:stream?from=2008-01-01T00:00:00Z", "", func() proto.Message { return w.streamed }, `station: "a" from: {seconds: 1199145600}`},
	} {
		a := w.do(t, test.method, test.target, test.body)
		if a.code != http.StatusOK {
			t.Errorf("%s %s: %d %s", test.method, test.target, a.code, a.text)
			continue
		}
		want := proto.Clone(test.got())
		proto.Reset(want)
		if err := prototext.Unmarshal([]byte(test.want), want); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(test.got(), want) {
			t.Errorf("%s %s: the server got\n\t%v\nwant\n\t%v", test.method, test.target, test.got(), want)
		}
	}
}

// Every id that an entity may have comes through, escaped or not where both are
// allowed; also when it ends like a verb.
func TestIDsInPaths(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	ids := []string{"725030:14732", "a:stream", "a:register", ":skip", "50%25", "a?b", "a#b", "a%b", "..", "a+b&c=d", `"\`, "{station}", "~*'();:@$,[]"}
	for c := byte('!'); c <= '~'; c++ {
		if c != '/' {
			ids = append(ids, string(c), "x"+string(c)+"y")
		}
	}
	for _, id := range ids {
		escaped := ""
		for i := range len(id) {
			escaped += fmt.Sprintf("%%%02X", id[i])
		}
		for _, form := range []string{pathEscape(id), escaped} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.http.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = "/v1/stations/" + form // as it is
			if a := w.send(t, r); a.code != http.StatusOK || w.station.GetStation() != id {
				t.Errorf("id %q as %q: the server got %q; %d %s", id, form, w.station.GetStation(), a.code, a.text)
			}
		}
	}
	if a := w.do(t, "GET", "/v1/stations/a%2Fb", ""); a.code != http.StatusOK || w.station.GetStation() != "a/b" {
		t.Errorf("a slash that is escaped: the server got %q; %d", w.station.GetStation(), a.code)
	}
}

// pathEscape escapes what has to be.
func pathEscape(id string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", `"`, "%22", "<", "%3C", ">", "%3E").Replace(id)
}

// What can't be right is refused with words that say what is.
func TestMalformedRequests(t *testing.T) {
	cfg := gateway.DefaultConfig()
	cfg.MaxBody, cfg.MaxMessage = 2000, 1000
	w := start(t, &fake{}, cfg)
	long := `{"questions":[` + strings.Repeat(`{"wind":{"station":"abcdefghijklmnopqrstuvwxyz"}},`, 60)
	for _, test := range []struct {
		method, target, body string
		headers              []string
		code                 int
		reason               string
		message              string // a part of it
	}{
		{"GET", "/v1/station/a", "", nil, 404, "UNKNOWN_PATH", "there is nothing at /v1/station/a; /openapi.yaml"},
		{"GET", "/", "", nil, 404, "UNKNOWN_PATH", "there is nothing at /"},
		{"GET", "//v1/stations", "", nil, 404, "UNKNOWN_PATH", ""},
		{"POST", "/v1/stations/a", "", nil, 405, "METHOD_NOT_ALLOWED", "it takes DELETE, GET, HEAD"},
		{"OPTIONS", "/v1/stations", "", nil, 405, "METHOD_NOT_ALLOWED", ""},
		{"GET", "/v1/stations?pagesize=3", "", nil, 400, "INVALID_REQUEST", `there is no parameter "pagesize"; did you mean "page_size"?`},
		{"GET", "/v1/stations?pageSize=3", "", nil, 400, "INVALID_REQUEST", `did you mean "page_size"?`},
		{"GET", "/v1/stations?zebra=3", "", nil, 400, "INVALID_REQUEST", `there is no parameter "zebra"; /v1/stations takes page_size, page_token, country`},
		{"GET", "/v1/stations/a/current?station=b", "", nil, 400, "INVALID_REQUEST", `there is no parameter "station"`},
		{"GET", "/v1/measures?x=1", "", nil, 400, "INVALID_REQUEST", "takes none"},
		{"POST", "/v1/ask?x=1", "{}", nil, 400, "INVALID_REQUEST", "takes all in its body"},
		{"GET", "/v1/stations?page_size=-1", "", nil, 400, "INVALID_REQUEST", `page_size is "-1"; it takes a whole number, 0 or more`},
		{"GET", "/v1/stations?page_size=1&page_size=2", "", nil, 400, "INVALID_REQUEST", "page_size comes 2 times"},
		{"GET", "/v1/stations?page_size=99999999999", "", nil, 400, "INVALID_REQUEST", "out of range"},
		{"GET", "/v1/stations?box.south=NaN", "", nil, 400, "INVALID_REQUEST", "it takes a number"},
		{"GET", "/v1/stations?box.south=1&near.latitude=2", "", nil, 400, "INVALID_REQUEST", "where"},
		{"GET", "/v1/stations?country=%ff", "", nil, 400, "INVALID_REQUEST", "not UTF-8"},
		{"GET", "/v1/stations?a;b", "", nil, 400, "INVALID_REQUEST", "the query can't be read"},
		{"GET", "/v1/stations/%ff", "", nil, 400, "INVALID_REQUEST", "not UTF-8"},
		{"GET", "/v1/stations/a/precipitation/may", "", nil, 400, "INVALID_REQUEST", `year is "may"; it takes a whole number`},
		{"GET", "/v1/stations/a/precipitation/2008?method=best", "", nil, 400, "INVALID_REQUEST", "it takes PRECIPITATION_METHOD_ONE_HOUR, PRECIPITATION_METHOD_SIX_HOUR, PRECIPITATION_METHOD_BEST"},
		{"GET", "/v1/stations/a/precipitation/2008?include_erroneous=perhaps", "", nil, 400, "INVALID_REQUEST", "it takes true or false"},
		{"GET", "/v1/stations/a/current?at=yesterday", "", nil, 400, "INVALID_REQUEST", "it takes a time such as 2008-05-01T12:00:00Z"},
		{"GET", "/v1/stations/a", "{}", nil, 400, "INVALID_REQUEST", "takes no body"},
		{"POST", "/v1/ask", `{"questons":[]}`, nil, 400, "INVALID_REQUEST", `unknown field "questons"; did you mean "questions"?`},
		{"POST", "/v1/ask", `{"questions":[{"wnd":{}}]}`, nil, 400, "INVALID_REQUEST", `unknown field "wnd"; did you mean "wind"?`},
		{"POST", "/v1/ask", `{"questions":[]} and more`, nil, 400, "INVALID_REQUEST", "invalid value and"},
		{"POST", "/v1/ask", `{"questions":`, nil, 400, "INVALID_REQUEST", "unexpected"},
		{"POST", "/v1/ask", `{"questions":[{"wind":{"year":"x"}}]}`, nil, 400, "INVALID_REQUEST", "year"},
		{"POST", "/v1/ask", "\xff", nil, 400, "INVALID_REQUEST", ""},
		{"POST", "/v1/ask", long + long, nil, 413, "TOO_LARGE", "the body is over the limit of 2000 bytes"},
		{"PUT", "/v1/stations/a/quality", `{"ranges":[` + strings.Repeat(`{"low":1},`, 110) + `{}]}`, nil, 413, "TOO_LARGE", "the request takes 1"},
		{"POST", "/v1/ask", "{}", []string{"Content-Encoding", "gzip"}, 415, "UNKNOWN_ENCODING", "gzip"},
		{"POST", "/v1/ask", "{}", []string{"Sec-Fetch-Site", "cross-site"}, 403, "CROSS_ORIGIN", "a page of another site"},
		{"POST", "/v1/ask", "{}", []string{"Origin", "https://elsewhere.example"}, 403, "CROSS_ORIGIN", ""},
		{"GET", "/v1/stations/a", "", []string{"Grpc-Timeout", "soon"}, 400, "INVALID_REQUEST", "soon"},
		{"GET", "/v1/stations/a", "", []string{"Mesonet-Token", "1.2.3, 1.2"}, 400, "INVALID_REQUEST", `"1.2" in the header Mesonet-Token is no token`},
		{"GET", "/v1/measures", "", nil, 501, "UNIMPLEMENTED", ""},
	} {
		a := w.do(t, test.method, test.target, test.body, test.headers...)
		f := a.failed(t)
		if a.code != test.code || f.Reason != test.reason || !strings.Contains(f.Message, test.message) {
			t.Errorf("%s %s %.40q: %d %s, want %d %s … %s", test.method, test.target, test.body, a.code, a.text, test.code, test.reason, test.message)
		}
		if a.code == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 does not say what is allowed", test.method, test.target)
		}
	}
}

func TestErrors(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	for _, test := range []struct {
		err    error
		code   int
		reason string
	}{
		{fails(codes.NotFound, "NO_DATA"), 404, "NO_DATA"},
		{fails(codes.InvalidArgument, "BAD_PERIOD"), 400, "BAD_PERIOD"},
		{fails(codes.FailedPrecondition, "REJECTED"), 409, "REJECTED"},
		{fails(codes.Unavailable, "UNAVAILABLE"), 503, "UNAVAILABLE"},
		{fails(codes.DeadlineExceeded, "OUTCOME_UNKNOWN"), 504, "OUTCOME_UNKNOWN"},
		{fails(codes.Unknown, "OUTCOME_UNKNOWN"), 500, "OUTCOME_UNKNOWN"},
		{fails(codes.DataLoss, "CORRUPT"), 500, "CORRUPT"},
		{fails(codes.Internal, "CRASHED"), 500, "CRASHED"},
		{fails(codes.AlreadyExists, "X"), 409, "X"},
		{fails(codes.Aborted, "X"), 409, "X"},
		{fails(codes.OutOfRange, "X"), 400, "X"},
		{fails(codes.PermissionDenied, "X"), 403, "X"},
		{fails(codes.Unauthenticated, "X"), 401, "X"},
		{fails(codes.Canceled, "X"), 499, "X"},
		{fails(codes.Code(99), "X"), 500, "X"},
		{status.Error(codes.Unavailable, "broken off"), 503, "UNAVAILABLE"}, // a question: nothing happened
		{status.Error(codes.Internal, "a bug"), 500, "INTERNAL"},
	} {
		for _, target := range []string{"/v1/stations/a", "/v1/stations/a/observations:stream"} {
			w.mu.Lock()
			w.err = test.err
			w.mu.Unlock()
			a := w.do(t, "GET", target, "")
			f := a.failed(t)
			if a.code != test.code || f.Reason != test.reason || f.Code != int32(status.Code(test.err)) || f.Message != status.Convert(test.err).Message() {
				t.Errorf("%s with %v: %d %s, want %d %s", target, test.err, a.code, a.text, test.code, test.reason)
			}
		}
	}
	w.mu.Lock()
	w.err = fails(codes.ResourceExhausted, "OVERLOADED", 1100*time.Millisecond, &mesonetv1.Token{Store: 1, Shard: 2, Position: 3})
	w.mu.Unlock()
	for _, target := range []string{"/v1/stations/a", "/v1/stations/a/observations:stream"} {
		a := w.do(t, "GET", target, "")
		if f := a.failed(t); a.code != 429 || a.header.Get("Retry-After") != "2" || len(f.Details) != 3 || a.header.Get("Mesonet-Token") != "1.2.3" {
			t.Errorf("overloaded: %d %v %s", a.code, a.header, a.text)
		}
	}
}

// What broke off may have happened, unless nothing was to.
func TestBrokenOffCommandIsUnknown(t *testing.T) {
	f := &fake{}
	w := start(t, f, gateway.DefaultConfig())
	f.err = status.Error(codes.Unavailable, "broken off")
	if e := w.do(t, "POST", "/v1/ingest", "{}").failed(t); e.Reason != "OUTCOME_UNKNOWN" {
		t.Errorf("got %+v", e)
	}
}

func TestTokens(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	if got := w.do(t, "GET", "/v1/stations/a", "").header.Get("Mesonet-Token"); got != "18446744073709551615.3.1099511627783" {
		t.Errorf("the token of an answer is %q", got)
	}
	if got := w.do(t, "GET", "/v1/stations", "").header.Get("Mesonet-Token"); got != "9.1.4, 9.2.5" {
		t.Errorf("the tokens of an answer are %q", got)
	}
	if got := w.do(t, "POST", "/v1/observations", `{"observations":[{},{},{}]}`).header.Get("Mesonet-Token"); got != "9.4.12" {
		t.Errorf("the tokens of outcomes are %q, want the highest", got)
	}
	want := []*mesonetv1.Token{{Store: 9, Shard: 1, Position: 8}, {Store: 9, Shard: 2, Position: 5}}
	check := func(what string, got []*mesonetv1.Token) {
		t.Helper()
		if !proto.Equal(&mesonetv1.Read{Tokens: got}, &mesonetv1.Read{Tokens: want}) {
			t.Errorf("%s is asked after %v, want %v", what, got, want)
		}
	}
	header := []string{"Mesonet-Token", "9.2.5,9.1.4", "Mesonet-Token", " 9.1.8 "}
	w.do(t, "GET", "/v1/stations/a?read.consistency=CONSISTENCY_LINEARIZABLE", "", header...)
	check("a question", w.station.GetRead().GetTokens())
	if w.station.GetRead().GetConsistency() != mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE {
		t.Error("the tokens took the place of the consistency")
	}
	w.do(t, "GET", "/v1/stations/a/observations:stream", "", header...)
	check("a stream", w.streamed.GetRead().GetTokens())
	w.do(t, "POST", "/v1/ask", `{"questions":[{"wind":{"station":"a"}},{"station":{"read":{"tokens":[{"store":"9","shard":1,"position":"7"}]}}}]}`, header...)
	check("the first of many", w.asked.GetQuestions()[0].GetWind().GetRead().GetTokens())
	check("the second of many", w.asked.GetQuestions()[1].GetStation().GetRead().GetTokens())
}

func TestCompression(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	plain := w.do(t, "GET", "/v1/stations/a", "", "Accept-Encoding", "identity")
	a := w.do(t, "GET", "/v1/stations/a", "", "Accept-Encoding", "gzip")
	if plain.header.Get("Content-Encoding") != "" || a.header.Get("Content-Encoding") != "gzip" || len(a.text) > len(plain.text)/10 {
		t.Fatalf("%d bytes as they are %v, %d compressed %v", len(plain.text), plain.header, len(a.text), a.header)
	}
	z, err := gzip.NewReader(strings.NewReader(a.text))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != plain.text {
		t.Errorf("compressed it is %s, %v", text, err)
	}
}

func TestDeadlines(t *testing.T) {
	f := &fake{hang: make(chan struct{}), ended: make(chan struct{}, 10)}
	cfg := gateway.DefaultConfig()
	cfg.Timeout = 20 * time.Millisecond
	w := start(t, f, cfg)
	for _, headers := range [][]string{nil, {"Grpc-Timeout", "10m"}} {
		a := w.do(t, "GET", "/v1/stations/a", "", headers...)
		if e := a.failed(t); a.code != 504 || e.Reason != "UNAVAILABLE" {
			t.Errorf("with %v: %d %s", headers, a.code, a.text)
		}
		<-f.ended
	}
}

func TestClosedGateway(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	w.close(t)
	a := w.do(t, "GET", "/v1/stations/a", "")
	if e := a.failed(t); a.code != 503 || e.Reason != "UNAVAILABLE" {
		t.Errorf("%d %s", a.code, a.text)
	}
}

func TestConfigs(t *testing.T) {
	for i, change := range []func(*gateway.Config){
		func(c *gateway.Config) { c.MaxBody = 0 },
		func(c *gateway.Config) { c.MaxMessage = 0 },
		func(c *gateway.Config) { c.Timeout = 0 },
		func(c *gateway.Config) { c.Patience = -1 },
		func(c *gateway.Config) { c.Idle = 0 },
	} {
		cfg := gateway.DefaultConfig()
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("change %d is taken", i)
		}
	}
}
