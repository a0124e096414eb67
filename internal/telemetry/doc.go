// Package telemetry turns what a node does into Prometheus metrics.
//
//	m := telemetry.New("v1.2.3")
//	cfg.Listener, cfg.LogListener = m.EntityListener(), m.LogListener()
//	node, err := mesonet.Start(ctx, cfg, kinds...)
//	m.Watch(node)
//	server := grpc.NewServer(m.ServerOptions()...)
//	mux.Handle("GET /metrics", m.Handler(logger))
//
// # What is counted, and what is read
//
// What happens is counted when it happens: the runtime and the API tell their
// listeners, and these are the functions that a [Metrics] offers them. What is
// there at a moment (shards, entities that are awake, memory, the length of the
// tails) is read at a scrape, from [Node.Stats], so that it costs nothing while
// nobody looks.
//
// # Names
//
// Every metric of ours begins with mesonet_; the Go runtime's and the process's
// have the names that every Go program gives them. Units are seconds and bytes.
// Labels are a kind, a method, a code, an outcome or a direction: their values
// are written in the program and therefore few. An id of a station or of any
// other entity is never a label; it would make a series for each. The table of
// all metrics is docs/operations.md, and a test compares it with the registry.
//
// # Several in one process
//
// Each Metrics has a registry of its own and nothing is global, so nodes of one
// process don't get in each other's way. The Go runtime's and the process's
// metrics are the same in all of them.
//
// All methods may be called from any goroutine; the functions that they return
// don't block. Nothing here starts a goroutine.
package telemetry
