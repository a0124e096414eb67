// Package clusterv1 is version 1 of what nodes of a cluster say to each other, as
// Go code: the messages of the service that cluster/transport speaks.
//
// What each field means is said in the .proto file beside this one; everything here
// but this comment is generated from it by "make generate". The frames that travel
// in them are laid out in docs/design/transport.md. Nobody but nodes speaks it, and
// it changes in ways that nodes of the release before understand.
//
// A message that more than one goroutine holds must no longer change.
package clusterv1
