package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mesonet/mesonet/internal/gateway"
)

// Whatever comes in is answered with JSON, and is the client's fault when it
// fails: the server behind answers everything.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, query, body, header string }{
		{"GET", "/v1/stations/725030%3A14732/precipitation/2008/05", "method=PRECIPITATION_METHOD_BEST&until=2008-05-01T00:00:00Z", "", "1.2.3"},
		{"GET", "/v1/stations", "box.south=1&box.west=2&near.latitude=3&page_size=4&read.consistency=1", "", ""},
		{"POST", "/v1/stations:register", "", `{"stations":[{"id":"a","latitude":1.5,"latestObservation":"2008-05-01T00:00:00Z"}]}`, ""},
		{"POST", "/v1/ask", "", `{"questions":[{"wind":{"station":"a","read":{"tokens":[{"store":"1"}]}}},{"top":null}]}`, "5.6.7"},
		{"POST", "/v1/observations", "", `{"observations":[{"values":{"temperature":"NaN","wind":1e400}}]}`, ""},
		{"POST", "/v1/ingest", "", "{\"number\":1,\"readings\":[{\"minutes\":[\"1\"]}]}\n\n{\"number\":\"2\"}\n{", ""},
		{"PUT", "/v1/stations/%ff/quality", "", `{"ranges":[{}]}`, ""},
		{"DELETE", "/v1/stations/a", "", "", ""},
		{"POST", "/v1/entities/station/a:b:skip", "", `{"position":"1:2"}`, ""},
		{"GET", "/v1/stations/a/observations:stream", "from=0001-01-01T00:00:00Z", "", "99999999999999999999.1.1"},
		{"GET", "/v1/quarantine/lines", "source=%00%ff", "", ""},
		{"HEAD", "/openapi.yaml", "", "", ""},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body, seed.header)
	}
	cfg := gateway.DefaultConfig()
	cfg.MaxBody, cfg.MaxMessage = 1<<16, 1<<14
	w := start(f, &fake{chunks: 1}, cfg)
	f.Fuzz(func(t *testing.T, method, path, query, body, header string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || strings.ContainsAny(method, " \t\r\n") || method == "" {
			t.Skip() // net/http refuses it before the gateway
		}
		u.RawQuery = query
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set(gateway.TokenHeader, header)
		r.Header.Set("Grpc-Timeout", header)
		if body == "" || header != "" && header[0] != '1' {
			r.Header.Del("Grpc-Timeout")
		}
		answer := httptest.NewRecorder()
		w.gateway.ServeHTTP(answer, r)
		code, text := answer.Code, answer.Body.Bytes()
		if code >= 500 && code != http.StatusNotImplemented { // of calls that the fake does not have
			t.Fatalf("%s %s ? %q %q: %d %s", method, u, query, body, code, text)
		}
		switch answer.Header().Get("Content-Type") {
		case "application/yaml":
		case "application/json":
			if !json.Valid(text) {
				t.Fatalf("%s %s: %d %q is not JSON", method, u, code, text)
			}
		case "application/x-ndjson":
			for line := range bytes.Lines(text) {
				if !json.Valid(line) {
					t.Fatalf("%s %s: %d %q is not JSON", method, u, code, line)
				}
			}
		default:
			t.Fatalf("%s %s: %d is of type %q", method, u, code, answer.Header().Get("Content-Type"))
		}
	})
}
