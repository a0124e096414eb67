// Package mesonetv1 is version 1 of mesonet's public API as Go code: its
// messages, and clients and servers of its gRPC services IngestService,
// StationService and WeatherService.
//
// What each call and field promises (units, absence, order, errors) is said
// once, in the .proto files beside this one; everything here but this comment
// is generated from them by "make generate". Version 1 changes only in ways
// that old clients and old stored messages do not notice.
//
// Clients and servers are safe for concurrent use. Messages are not: a message
// that more than one goroutine holds must no longer change.
package mesonetv1
