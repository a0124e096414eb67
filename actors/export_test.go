package actors

// What tests look at from outside.

func Watchers(r *Ref) int {
	r.mb.mu.Lock()
	defer r.mb.mu.Unlock()
	if r.x == nil {
		return 0
	}
	return len(r.x.watchers)
}

// Workers returns how many workers run actors, and how many are parked.
func Workers(s *System) (running, parked int) {
	s.dispatcher.mu.Lock()
	defer s.dispatcher.mu.Unlock()
	return s.dispatcher.running, s.dispatcher.parked
}
