package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

// quiet keeps strangers who try again and again from filling the log.
type quiet struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// sayAgain is how long the same is not said again.
const sayAgain = time.Minute

// quietMost is how much is remembered.
const quietMost = 256

// may reports whether a line about somebody is to be logged.
func (q *quiet) may(line string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if at, ok := q.said[line]; ok && now.Sub(at) < sayAgain {
		return false
	}
	if q.said == nil || len(q.said) >= quietMost {
		q.said = make(map[string]time.Time)
	}
	q.said[line] = now
	return true
}

// host is an address without its port, which changes with each attempt.
func host(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[:i]
		}
	}
	return address
}

// tellRefused tells of somebody who did not come in.
func (t *Transport) tellRefused(address string, err error) {
	if reason, ok := reasonOf(err); ok {
		if f := t.cfg.Listener.Refused; f != nil {
			f(reason, err)
		}
		if t.said.may(host(address) + " " + string(reason)) {
			t.cfg.Logger.Warn("refused a connection", "from", address, "err", err)
		}
		return
	}
	if errors.Is(err, errMalformed) {
		t.tellMalformed(address, err)
	}
}

func (t *Transport) tellMalformed(address string, err error) {
	if f := t.cfg.Listener.Malformed; f != nil {
		f(address, err)
	}
	if t.said.may(host(address)) {
		t.cfg.Logger.Warn("closed a connection with malformed input", "from", address, "err", err)
	}
}

// failedHandshake tells of somebody whose certificate is not good, or who does not
// speak TLS. Who closes without a word, or too late, is nobody's business.
func (t *Transport) failedHandshake(address string, err error) {
	switch {
	case isCertificate(err):
		t.tellRefused(address, refuse(ReasonCertificate, "%s: %v", address, err))
	case isNetwork(err):
	default:
		t.tellMalformed(address, malformed("no TLS handshake: %v", err))
	}
}

// tellLost tells of a connection that has ended, or never was.
func (t *Transport) tellLost(address string, about Connection, up bool, err error) {
	switch reason, refused := reasonOf(err); {
	case refused:
		if f := t.cfg.Listener.Refused; f != nil {
			f(reason, err)
		}
	case errors.Is(err, errMalformed):
		if f := t.cfg.Listener.Malformed; f != nil {
			f(address, err)
		}
	}
	if !up {
		return
	}
	if f := t.cfg.Listener.Broken; f != nil {
		f(about, err)
	}
	log := t.cfg.Logger.With("node", about.Node, "address", about.Address, "err", err)
	switch {
	case errors.Is(err, errMalformed):
		log.Warn("closed a connection with malformed input")
	case errors.Is(err, cluster.ErrStranger):
		log.Warn("a connection was refused")
	default:
		log.Info("a connection has ended")
	}
}
