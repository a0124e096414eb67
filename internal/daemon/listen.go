package daemon

import (
	"context"
	"fmt"
	"net"
)

// Addresses by default: on loopback, as nothing asks callers who they are. A
// second node on one machine takes the next number of each.
const (
	DefaultListen = "127.0.0.1:7210" // the API
	DefaultAdmin  = "127.0.0.1:7310" // metrics, health, profiles
	DefaultHTTP   = "127.0.0.1:7410" // the API as JSON
)

// ListenError says which of its addresses a daemon can't listen on.
type ListenError struct {
	// Admin says that it is the address of metrics and health, not the API's.
	Admin bool
	Addr  string
	Err   error
}

// Error says what is served there and why it can't be.
func (e *ListenError) Error() string {
	what := "the API"
	if e.Admin {
		what = "metrics and health"
	}
	return fmt.Sprintf("daemon: can't listen on %s for %s: %v", e.Addr, what, e.Err)
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

func listen(ctx context.Context, addr string, admin bool) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &ListenError{Admin: admin, Addr: addr, Err: err}
	}
	return l, nil
}

// checkAddr returns an error unless a server may listen there: plain text and
// without authentication, it is not for others to reach.
func checkAddr(addr, usual string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("daemon: %q is no address to listen on (%w); write host:port, such as %s", addr, err, usual)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("daemon: %q is not a loopback address; what is served there is neither encrypted nor authenticated yet, so listen on %s", addr, usual)
	}
	return nil
}
