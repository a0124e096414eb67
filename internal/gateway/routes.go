package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// routes are what the OpenAPI document says there is. grpc-gateway finds its way
// by itself, but ignores parameters that it does not know, and can't say what a
// path does take.
type routes struct {
	all []*route
}

// route is an operation of the document.
type route struct {
	method   string
	template string
	segments []string                                // of the template
	call     protoreflect.MethodDescriptor           // that it is
	fields   map[string]protoreflect.FieldDescriptor // by the name of a parameter, of path or query
	query    []string                                // names of the parameters of the query
	body     bool
}

// apiPackage is the package of the calls.
var apiPackage = mesonetv1.File_mesonet_v1_consistency_proto.Package()

func readRoutes(document []byte) (*routes, error) {
	var d struct {
		Paths map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("gateway: reading the OpenAPI document: %w", err)
	}
	calls := callsByName()
	rs := &routes{}
	for _, template := range slices.Sorted(maps.Keys(d.Paths)) {
		for method, operation := range d.Paths[template] {
			// A second rule of a call has its name with a number.
			call, known := calls[strings.TrimRight(operation.OperationID, "0123456789")]
			if !known {
				return nil, fmt.Errorf("gateway: the OpenAPI document has an operation %q, and there is no such call", operation.OperationID)
			}
			r := &route{
				method: strings.ToUpper(method), template: template, segments: strings.Split(template[1:], "/"),
				call: call, fields: make(map[string]protoreflect.FieldDescriptor),
			}
			for _, p := range operation.Parameters {
				if err := r.add(p.Name, p.In); err != nil {
					return nil, err
				}
			}
			rs.all = append(rs.all, r)
		}
	}
	return rs, nil
}

func callsByName() map[string]protoreflect.MethodDescriptor {
	calls := make(map[string]protoreflect.MethodDescriptor)
	protoregistry.GlobalFiles.RangeFilesByPackage(apiPackage, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				calls[string(methods.Get(j).Name())] = methods.Get(j)
			}
		}
		return true
	})
	return calls
}

// add takes a parameter of the document in.
func (r *route) add(name, in string) error {
	if in == "body" {
		r.body = true
		return nil
	}
	var field protoreflect.FieldDescriptor
	message := r.call.Input()
	for part := range strings.SplitSeq(name, ".") {
		if message == nil {
			return fmt.Errorf("gateway: the OpenAPI document has a parameter %q of %s, which has no such field", name, r.template)
		}
		if field = message.Fields().ByName(protoreflect.Name(part)); field == nil {
			return fmt.Errorf("gateway: the OpenAPI document has a parameter %q of %s, which has no such field", name, r.template)
		}
		message = field.Message()
	}
	r.fields[name] = field
	if in == "query" {
		r.query = append(r.query, name)
	}
	return nil
}

// find returns the route of a request, with the parameters of its path, or why
// there is none. allow are the methods of a path that has others.
func (rs *routes) find(method string, u *url.URL) (found *route, values map[string]string, allow []string, err error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	// As grpc-gateway does: what is escaped in a segment does not end it.
	path, unescape := u.RawPath, url.PathUnescape
	if path == "" {
		path, unescape = u.Path, func(s string) (string, error) { return s, nil }
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for _, r := range rs.all {
		values, ok := r.match(segments)
		switch {
		case !ok:
		case r.method != method:
			allow = append(allow, r.method)
		default:
			for name, value := range values {
				if values[name], err = unescape(value); err != nil {
					return nil, nil, nil, invalid("%q in the path: %v", shorten(value), err)
				}
			}
			return r, values, nil, nil
		}
	}
	if len(allow) > 0 {
		if slices.Contains(allow, http.MethodGet) {
			allow = append(allow, http.MethodHead)
		}
		slices.Sort(allow)
		allow = slices.Compact(allow)
		return nil, nil, allow, refuse(codes.Unimplemented, ReasonMethod, "%s does not take %s; it takes %s", shown(u), shorten(method), strings.Join(allow, ", "))
	}
	return nil, nil, nil, refuse(codes.NotFound, ReasonUnknownPath, "there is nothing at %s; /openapi.yaml lists what there is", shown(u))
}

// shown is a path as a message shows it.
func shown(u *url.URL) string { return shorten(u.EscapedPath()) }

// shorten cuts what a client sent, where it is quoted.
func shorten(text string) string {
	const enough = 200
	if len(text) <= enough {
		return text
	}
	return text[:enough] + "…"
}

// match returns the variables of the template in a path. A variable is a whole
// segment, or all of one before a verb: what is after the last colon is a verb
// only where the template has it.
func (r *route) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	values := make(map[string]string)
	for i, want := range r.segments {
		variable, isVariable := strings.CutPrefix(want, "{")
		if !isVariable {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		name, verb, _ := strings.Cut(variable, "}")
		value, ok := strings.CutSuffix(segments[i], verb)
		if !ok || verb != "" && value == "" {
			return nil, false
		}
		values[name] = value
	}
	return values, true
}

// check returns what is wrong with the parameters of a request.
func (r *route) check(path map[string]string, rawQuery string) error {
	for _, name := range slices.Sorted(maps.Keys(path)) {
		if err := checkValue(name, r.fields[name], path[name]); err != nil {
			return err
		}
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return invalid("the query can't be read: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		switch {
		case !slices.Contains(r.query, name) && r.body:
			return invalid("there is no parameter %q; %s %s takes all in its body", shorten(name), r.method, r.template)
		case !slices.Contains(r.query, name) && len(r.query) == 0:
			return invalid("there is no parameter %q; %s takes none", shorten(name), r.template)
		case !slices.Contains(r.query, name):
			return invalid("there is no parameter %q%s; %s takes %s", shorten(name), suggestion(name, r.query), r.template, strings.Join(r.query, ", "))
		case len(values) > 1:
			return invalid("%s comes %d times; once is enough", name, len(values))
		}
		if err := checkValue(name, r.fields[name], values[0]); err != nil {
			return err
		}
	}
	return nil
}
