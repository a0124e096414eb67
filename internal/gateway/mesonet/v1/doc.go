// Package mesonetv1 turns HTTP requests into calls of mesonet.v1 and their
// replies into responses, by the rules of proto/mesonet/v1/http.yaml. It is
// generated. Package gateway puts it behind checks of what comes in and gives
// its answers their form; nobody else should need it.
package mesonetv1
