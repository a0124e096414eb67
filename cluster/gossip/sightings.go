package gossip

import (
	"sync"

	"github.com/mesonet/mesonet/cluster"
)

// sightings hands news to who wants them, on a goroutine of its own: memberlist has
// locks while it tells what happens, and must not wait.
type sightings struct {
	tell func(cluster.Sighting)
	done chan struct{}

	mu     sync.Mutex
	some   sync.Cond
	queue  []cluster.Sighting
	closed bool
}

func newSightings(tell func(cluster.Sighting)) *sightings {
	s := &sightings{tell: tell, done: make(chan struct{})}
	s.some.L = &s.mu
	go s.run()
	return s
}

func (s *sightings) put(news []cluster.Sighting) {
	if s.tell == nil || len(news) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, news...)
	s.some.Signal()
}

func (s *sightings) run() {
	defer close(s.done)
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.some.Wait()
		}
		if s.closed {
			s.mu.Unlock()
			return
		}
		news := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, one := range news {
			if s.isClosed() {
				return
			}
			s.tell(one)
		}
	}
}

func (s *sightings) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// close forgets what was not told yet, and waits for what is being told.
func (s *sightings) close() {
	s.mu.Lock()
	s.closed = true
	s.some.Signal()
	s.mu.Unlock()
	<-s.done
}
