package ingest

import "github.com/mesonet/mesonet/weather"

// maxInterned bounds the ids that are kept, also for a file of nothing but
// different ones.
const maxInterned = 1 << 20

// ids keeps the ids of stations as strings, so that a line allocates nothing.
type ids struct {
	known map[string]string
	last  string
}

func newIDs() ids { return ids{known: map[string]string{}} }

// intern returns the id as a string, checked when it is first seen.
func (s *ids) intern(id []byte) (string, error) {
	if string(id) == s.last && s.last != "" {
		return s.last, nil
	}
	known, ok := s.known[string(id)]
	if !ok {
		if err := weather.CheckStationID(id); err != nil {
			return "", err
		}
		if len(s.known) >= maxInterned {
			clear(s.known)
		}
		known = string(id)
		s.known[known] = known
	}
	s.last = known
	return known, nil
}
