package gateway_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/mesonet/mesonet/internal/gateway"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// calls are all calls of mesonet.v1.
func calls(t *testing.T) map[string]protoreflect.MethodDescriptor {
	t.Helper()
	all := make(map[string]protoreflect.MethodDescriptor)
	protoregistry.GlobalFiles.RangeFilesByPackage(mesonetv1.File_mesonet_v1_station_proto.Package(), func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				name := string(methods.Get(j).Name())
				if all[name] != nil {
					t.Errorf("two calls are named %s; the document tells them apart by name", name)
				}
				all[name] = methods.Get(j)
			}
		}
		return true
	})
	return all
}

// Every call has a rule.
func TestEveryCallHasARule(t *testing.T) {
	text, err := os.ReadFile("../../proto/mesonet/v1/http.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ruled := make(map[string]int)
	for _, match := range regexp.MustCompile(`(?m)^ *- selector: (\S+)$`).FindAllSubmatch(text, -1) {
		ruled[string(match[1])]++
	}
	for name, call := range calls(t) {
		if n := ruled[string(call.FullName())]; n != 1 {
			t.Errorf("%s has %d rules in http.yaml: %s is to be reached over HTTP too", call.FullName(), n, name)
		}
	}
}

// parameter, operation and document are what is looked at of an OpenAPI 2
// document.
type parameter struct {
	Name, In, Type, Format string
	Required               bool
	Schema                 map[string]any
}

type operation struct {
	OperationID string
	Summary     string
	Tags        []string
	Parameters  []parameter
	Consumes    []string
	Produces    []string
	Responses   map[string]struct {
		Description string
		Schema      map[string]any
	}
}

type document struct {
	Swagger     string
	Info        struct{ Title, Version, Description string }
	Paths       map[string]map[string]operation
	Definitions map[string]map[string]any
}

func readDocument(t *testing.T, w *world) (document, string) {
	t.Helper()
	a := w.do(t, "GET", "/openapi.json", "")
	if got := a.header.Get("Content-Type"); a.code != http.StatusOK || got != "application/json" {
		t.Fatalf("/openapi.json is %d %s", a.code, got)
	}
	var d document
	if err := json.Unmarshal([]byte(a.text), &d); err != nil {
		t.Fatal(err)
	}
	return d, a.text
}

// The document is one that tools can read: what it refers to is there, the
// variables of its paths are declared, every call is in it, and each operation
// can fail.
func TestDocument(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	d, text := readDocument(t, w)
	if d.Swagger != "2.0" || d.Info.Title != "mesonet" || d.Info.Version == "" || !strings.Contains(d.Info.Description, gateway.TokenHeader) {
		t.Errorf("it is %q, of %+v", d.Swagger, d.Info)
	}
	for _, match := range regexp.MustCompile(`"\$ref": *"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		name, ok := strings.CutPrefix(match[1], "#/definitions/")
		if d.Definitions[name] == nil || !ok {
			t.Errorf("it refers to %s, which is not there", match[1])
		}
	}
	if properties, _ := d.Definitions["Error"]["properties"].(map[string]any); len(properties) != 4 {
		t.Errorf("an Error has %v", slices.Collect(maps.Keys(properties)))
	}
	found := make(map[string]bool)
	ids := make(map[string]string)
	for path, operations := range d.Paths {
		for method, o := range operations {
			where := method + " " + path
			if ids[o.OperationID] != "" {
				t.Errorf("%s and %s have one name", where, ids[o.OperationID])
			}
			ids[o.OperationID] = where
			found[strings.TrimRight(o.OperationID, "0123456789")] = true
			checkOperation(t, where, path, o)
		}
	}
	for name, call := range calls(t) {
		if !found[name] {
			t.Errorf("%s is not in the document", name)
		}
		if call.IsStreamingServer() {
			o := operationOf(d, name)
			if !slices.Equal(o.Produces, []string{"application/x-ndjson"}) || call.IsStreamingClient() && !slices.Equal(o.Consumes, o.Produces) {
				t.Errorf("the stream %s takes %v and gives %v", name, o.Consumes, o.Produces)
			}
		}
	}
}

func operationOf(d document, id string) operation {
	for _, operations := range d.Paths {
		for _, o := range operations {
			if o.OperationID == id {
				return o
			}
		}
	}
	return operation{}
}

func checkOperation(t *testing.T, where, path string, o operation) {
	t.Helper()
	var variables, declared []string
	for _, match := range regexp.MustCompile(`\{([^}]*)\}`).FindAllStringSubmatch(path, -1) {
		variables = append(variables, match[1])
	}
	for _, p := range o.Parameters {
		switch p.In {
		case "path":
			declared = append(declared, p.Name)
			if !p.Required {
				t.Errorf("%s: %s is in the path and not required", where, p.Name)
			}
		case "query":
			if p.Type == "" {
				t.Errorf("%s: %s has no type", where, p.Name)
			}
		case "body":
			if p.Schema == nil {
				t.Errorf("%s: its body has no schema", where)
			}
		default:
			t.Errorf("%s: %s is in %q", where, p.Name, p.In)
		}
	}
	slices.Sort(variables)
	slices.Sort(declared)
	if !slices.Equal(variables, declared) {
		t.Errorf("%s declares %v", where, declared)
	}
	if o.Summary == "" || len(o.Tags) != 1 {
		t.Errorf("%s: summary %q, tags %v", where, o.Summary, o.Tags)
	}
	if o.Responses["200"].Schema["$ref"] == nil || o.Responses["default"].Schema["$ref"] != "#/definitions/Error" {
		t.Errorf("%s: responses %v", where, o.Responses)
	}
}

// What the document has is there: each operation is found by the gateway and by
// grpc-gateway, with every parameter that it names.
func TestDocumentIsTrue(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	d, _ := readDocument(t, w)
	for path, operations := range d.Paths {
		for method, o := range operations {
			target, body := path, ""
			query := []string{}
			for _, p := range o.Parameters {
				value := "a"
				switch {
				case p.In == "body":
					body = "{}"
					continue
				case p.Type == "integer" || p.Type == "number":
					value = "1"
				case p.Type == "boolean":
					value = "true"
				case p.Format == "date-time":
					value = "2008-01-01T00:00:00Z"
				case strings.HasSuffix(p.Name, "consistency"):
					value = "CONSISTENCY_SESSION"
				case p.Name == "method":
					value = "PRECIPITATION_METHOD_BEST"
				case p.Name == "span":
					value = "SPAN_DAY"
				case strings.HasPrefix(p.Name, "box."):
					continue // or near
				}
				if p.In == "path" {
					target = strings.ReplaceAll(target, "{"+p.Name+"}", value)
				} else if !strings.HasPrefix(p.Name, "box.") {
					query = append(query, p.Name+"="+value)
				}
			}
			if len(query) > 0 {
				target += "?" + strings.Join(query, "&")
			}
			a := w.do(t, strings.ToUpper(method), target, body)
			// The fake does not have all calls.
			if a.code != http.StatusOK && a.code != http.StatusNotImplemented || strings.Contains(a.text, "METHOD_NOT_ALLOWED") {
				t.Errorf("%s %s: %d %s", method, target, a.code, a.text)
			}
		}
	}
}

func TestDocumentAsYAML(t *testing.T) {
	w := start(t, &fake{}, gateway.DefaultConfig())
	d, _ := readDocument(t, w)
	a := w.do(t, "GET", "/openapi.yaml", "")
	if a.header.Get("Content-Type") != "application/yaml" || !strings.HasPrefix(a.text, `swagger: "2.0"`) {
		t.Errorf("%v %.30s", a.header, a.text)
	}
	for path := range d.Paths {
		if !strings.Contains(a.text, fmt.Sprintf("\n  %s:\n", path)) {
			t.Errorf("%s is not in the YAML", path)
		}
	}
}
