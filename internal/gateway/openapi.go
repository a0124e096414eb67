package gateway

import (
	_ "embed"
	"net/http"
)

// The OpenAPI document is generated, as YAML for people and as JSON for
// programs. The gateway is one of these: it takes its routes from there, so that
// it does what it says.
var (
	//go:embed openapi.json
	openAPIJSON []byte
	//go:embed openapi.yaml
	openAPIYAML []byte
)

// serveDocument answers with the document, when the path is one of its.
func serveDocument(w http.ResponseWriter, path string) bool {
	switch path {
	case "/openapi.json":
		w.Header().Set("Content-Type", "application/json")
		w.Write(openAPIJSON)
	case "/openapi.yaml":
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(openAPIYAML)
	default:
		return false
	}
	return true
}
