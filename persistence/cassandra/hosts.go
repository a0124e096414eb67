package cassandra

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// hosts is what a session knows of the nodes of Cassandra beyond what the driver
// does: which have stopped to answer though their connections stand, as on a
// machine that hangs. The driver would go on to send them a third of all requests,
// until its heartbeats have failed for half a minute or Cassandra's other nodes
// have noticed, and each request would take Timeout to fail. Such a host is asked
// after all others, until it answers a question that nobody waits for.
//
// It also tells operators who is away and who is back, once each: the driver does
// so with every attempt to connect.
type hosts struct {
	log *slog.Logger

	mu   sync.Mutex
	away map[string]bool // by address: told to be away
	// silent are the hosts, by id, that are asked last. It is replaced, never
	// changed, and nil when there is none.
	silent atomic.Pointer[map[string]bool]
}

func newHosts(log *slog.Logger) *hosts { return &hosts{log: log, away: make(map[string]bool)} }

// OnHostDown is for the driver: it has no connection to the host any more.
func (h *hosts) OnHostDown(e gocql.HostDownEvent) {
	h.setSilent(e.Host, false) // it is not asked at all
	h.setAway(e.Host, true, errNotConnected)
}

// OnHostUp is for the driver: it has connected to the host.
func (h *hosts) OnHostUp(e gocql.HostUpEvent) {
	h.setSilent(e.Host, false)
	h.setAway(e.Host, false, nil)
}

var errNotConnected = errors.New("it can't be connected to")

// heard takes note of how a request to a host has ended, and reports whether the
// host has just fallen silent: somebody has to find out when it answers again.
func (h *hosts) heard(host *gocql.HostInfo, err error) (fell bool) {
	if host == nil || !errors.Is(err, gocql.ErrTimeoutNoResponse) || !host.IsUp() {
		return false
	}
	return h.setSilent(host, true)
}

func (h *hosts) isSilent(host *gocql.HostInfo) bool {
	silent := h.silent.Load()
	return silent != nil && (*silent)[host.HostID()]
}

// setSilent reports whether that is news.
func (h *hosts) setSilent(host *gocql.HostInfo, is bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isSilent(host) == is {
		return false
	}
	silent := make(map[string]bool)
	if old := h.silent.Load(); old != nil {
		maps.Copy(silent, *old)
	}
	if is {
		silent[host.HostID()] = true
	} else {
		delete(silent, host.HostID())
	}
	if len(silent) == 0 {
		h.silent.Store(nil)
	} else {
		h.silent.Store(&silent)
	}
	return true
}

// confirm tells that a silent host is away. Its first request without an answer
// does not: that may have waited for others behind the host.
func (h *hosts) confirm(host *gocql.HostInfo, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isSilent(host) {
		h.tell(host, true, err)
	}
}

func (h *hosts) setAway(host *gocql.HostInfo, is bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell(host, is, err)
}

// tell logs who is away and who is back, if that is news. mu is held.
func (h *hosts) tell(host *gocql.HostInfo, is bool, err error) {
	address := host.ConnectAddressAndPort()
	switch {
	case h.away[address] == is:
	case is:
		h.away[address] = true
		h.log.Warn("a node of Cassandra is away; the others are asked", "host", address, "error", err)
	default:
		delete(h.away, address)
		h.log.Info("a node of Cassandra is back", "host", address)
	}
}

// last returns an iterator over the same hosts, with those last that are silent.
func (h *hosts) last(next gocql.NextHost) gocql.NextHost {
	silent := h.silent.Load()
	if silent == nil {
		return next
	}
	var late []gocql.SelectedHost
	return func() gocql.SelectedHost {
		for {
			host := next()
			switch {
			case host != nil && host.Info() != nil && (*silent)[host.Info().HostID()]:
				late = append(late, host)
			case host == nil && len(late) > 0:
				host, late = late[0], late[1:]
				return host
			default:
				return host
			}
		}
	}
}

// probeEvery is how often a silent host is asked whether it answers.
const probeEvery = 500 * time.Millisecond

// probe asks a silent host until it answers or is not connected any more, in which
// case the driver says when it is back.
func (s *Store) probe(host *gocql.HostInfo) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for s.conn.hosts.isSilent(host) {
		err := s.conn.Query("SELECT key FROM system.local").SetHostID(host.HostID()).ExecContext(s.closing)
		var answer gocql.RequestError // even one that is no good
		switch {
		case err == nil || errors.As(err, &answer):
			if s.conn.hosts.setSilent(host, false) {
				s.conn.hosts.setAway(host, false, nil)
			}
			return
		case errors.Is(err, gocql.ErrTimeoutNoResponse):
			s.conn.hosts.confirm(host, err)
		}
		select {
		case <-ticker.C:
		case <-s.closing.Done():
			return
		}
	}
}

// driverLog passes on what the driver warns of, but for news of hosts that come
// and go, which it repeats with every attempt: hosts tells those.
type driverLog struct{ log *slog.Logger }

// comeAndGo are the beginnings of such messages.
var comeAndGo = []string{
	"Connection pool filling failed",
	"Control connection error",
	"Error executing control connection statement",
	"Failed to await schema agreement",
	"Failed to refresh schema metadata after reconnecting",
	"Node is DOWN",
	"Pool failed to connect to host",
	"Unable to connect to any ring node",
	"Unable to reconnect control connection",
	"Unable to refresh ring",
}

func (l driverLog) at(level slog.Level, msg string, fields []gocql.LogField) {
	for _, beginning := range comeAndGo {
		if strings.HasPrefix(msg, beginning) {
			level = slog.LevelDebug
		}
	}
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, len(fields))
	for i, f := range fields {
		attrs[i] = slog.Any(f.Name, f.Value.Any())
	}
	l.log.LogAttrs(ctx, level, "cassandra: "+msg, attrs...)
}

// Error, Warning, Info and Debug are one level lower here than they are there.
func (l driverLog) Error(msg string, f ...gocql.LogField)   { l.at(slog.LevelWarn, msg, f) }
func (l driverLog) Warning(msg string, f ...gocql.LogField) { l.at(slog.LevelInfo, msg, f) }
func (l driverLog) Info(msg string, f ...gocql.LogField)    { l.at(slog.LevelDebug, msg, f) }
func (l driverLog) Debug(msg string, f ...gocql.LogField)   { l.at(slog.LevelDebug, msg, f) }
