package api

import (
	"errors"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather/station"
)

// Listener is a set of functions that are told what the API does. Any may be
// nil. They are called from whatever goroutine found out, several at a time, and
// must not block.
type Listener struct {
	// Observed: readings of a station have been dealt with.
	Observed func(Observed)
	// Quarantined: lines were kept in quarantine, or released.
	Quarantined func(Quarantined)
}

// Observed says what became of a station's observations.
type Observed struct {
	Stored, Duplicates, Corrected int
	// Refused is how many the domain said no to: they are of a station that is
	// not registered, or can't be.
	Refused int
	// Failed is how many have no such outcome: the node was overloaded, could
	// not answer, or does not know. Their sender sends them again.
	Failed int
}

// Quarantined says what became of lines that could not be taken in.
type Quarantined struct {
	// Kept in quarantine, dropped because there was no room, or released.
	Kept, Dropped, Released int
}

// observedOf returns what became of n observations that a station was sent.
func observedOf(n int, done station.Observed, err error) Observed {
	var refused *entity.Rejection
	switch {
	case err == nil:
		return Observed{Stored: done.Stored, Duplicates: done.Duplicates, Corrected: done.Corrected}
	case errors.As(err, &refused):
		return Observed{Refused: n}
	}
	return Observed{Failed: n}
}

// observed tells the listener.
func (s *Server) observed(o Observed) {
	if l := s.cfg.Listener.Observed; l != nil {
		l(o)
	}
}

func (s *Server) quarantined(q Quarantined) {
	if l := s.cfg.Listener.Quarantined; l != nil {
		l(q)
	}
}
