package daemon

import (
	"context"
	"errors"
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

// Surface is what a daemon serves at one of its addresses, in words.
type Surface string

// The surfaces of a daemon.
const (
	SurfaceAPI   Surface = "the API"
	SurfaceAdmin Surface = "metrics and health"
	SurfaceHTTP  Surface = "the API as JSON"
)

// ListenError says which of its addresses a daemon can't listen on.
type ListenError struct {
	// Surface is what would be served there.
	Surface Surface
	Addr    string
	Err     error
}

// Error says what is served there and why it can't be.
func (e *ListenError) Error() string {
	return fmt.Sprintf("daemon: can't listen on %s for %s: %v", e.Addr, e.Surface, e.Err)
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

func listen(ctx context.Context, addr string, what Surface) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &ListenError{Surface: what, Addr: addr, Err: err}
	}
	return l, nil
}

// listeners are those of a daemon; nil where nothing is to be served.
type listeners struct{ api, admin, http net.Listener }

// listenAll listens on every address, or on none.
func listenAll(ctx context.Context, cfg Config) (listeners, error) {
	var ls listeners
	var opened []net.Listener
	for _, s := range []struct {
		to   *net.Listener
		addr string
		what Surface
	}{
		{&ls.api, cfg.Listen, SurfaceAPI},
		{&ls.admin, cfg.Admin, SurfaceAdmin},
		{&ls.http, cfg.HTTP, SurfaceHTTP},
	} {
		if s.addr == "" {
			continue
		}
		l, err := listen(ctx, s.addr, s.what)
		if err != nil {
			for _, o := range opened {
				err = errors.Join(err, o.Close())
			}
			return listeners{}, err
		}
		*s.to = l
		opened = append(opened, l)
	}
	return ls, nil
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
