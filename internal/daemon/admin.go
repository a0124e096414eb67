package daemon

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// The admin listener's limits. Package pprof adds to the one for writing what a
// profile takes.
const (
	adminHeader = 5 * time.Second
	adminRead   = 10 * time.Second
	adminWrite  = 30 * time.Second
	adminIdle   = 2 * time.Minute
	adminGrace  = time.Second
)

// admin serves health, metrics and profiles over HTTP to those who run the node.
type admin struct{ *listening }

// serveAdmin serves until stop. failed is told when it can't.
func serveAdmin(listener net.Listener, ready, metrics http.Handler, logger *slog.Logger, failed func(error)) *admin {
	return &admin{serveHTTP(listener, SurfaceAdmin, &http.Server{
		Handler:           adminRoutes(ready, metrics),
		ReadHeaderTimeout: adminHeader,
		ReadTimeout:       adminRead,
		WriteTimeout:      adminWrite,
		IdleTimeout:       adminIdle,
	}, logger, failed)}
}

const adminIndex = `A mesonet node.

/livez          200 while the process works
/readyz         200 when every question can be answered, else 503 and why; ?verbose lists the checks
/metrics        for Prometheus
/debug/pprof/   profiles for go tool pprof
`

func adminRoutes(ready, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { writeText(w, adminIndex) })
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") })
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte(text))
}

// stop ends serving: requests under way end, or are cut off after a moment.
func (a *admin) stop(ctx context.Context) error {
	if a == nil {
		return nil
	}
	a.cancel() // ends profiles that are being taken
	grace, cancel := context.WithTimeout(ctx, adminGrace)
	defer cancel()
	return a.end(grace)
}
