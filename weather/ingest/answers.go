package ingest

import (
	"fmt"
	"sync"
)

// answers collects what the sink says, from any goroutine, until the load has
// time for it. Putting does not block; what is held is bounded by what is in
// flight.
type answers struct {
	mu   sync.Mutex
	list []answer
	err  error
	news chan struct{} // holds one when there may be something to take
}

// answer is the outcomes of a batch.
type answer struct {
	parcels  []*parcel
	outcomes []Outcome
}

func (a *answers) put(parcels []*parcel, outcomes []Outcome) {
	if len(outcomes) != len(parcels) {
		a.fail(fmt.Errorf("ingest: the sink answered %d outcomes for %d runs", len(outcomes), len(parcels)))
		return
	}
	a.mu.Lock()
	a.list = append(a.list, answer{parcels, outcomes})
	a.mu.Unlock()
	a.notify()
}

// fail keeps the first error.
func (a *answers) fail(err error) {
	a.mu.Lock()
	if a.err == nil {
		a.err = err
	}
	a.mu.Unlock()
	a.notify()
}

func (a *answers) notify() {
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// take returns what has come, and the error that ends the load, if there is one.
func (a *answers) take() ([]answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list, a.err
}
