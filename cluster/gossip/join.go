package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mesonet/mesonet/cluster"
)

const (
	joinsAtATime = 8   // a name may stand for a hundred nodes
	rejoinsAtOne = 4   // attempts to find lost nodes, an interval
	maxMissing   = 256 // lost nodes that are looked for
)

// Join is part of [cluster.Gossip]. An address is host:port, or a name that stands for
// several, as that of a headless service of Kubernetes does: all are asked. Without a
// port it is [DefaultPort]. This node's own address is passed over, and no error when
// it is the only one: somebody has to be the first.
//
// The addresses are remembered: as long as no node is at one of them it is tried
// again, so that nodes that start at a time, or were apart, find each other.
func (g *Gossip) Join(ctx context.Context, addresses []string) (int, error) {
	if g.isLeaving() {
		return 0, ErrClosed
	}
	g.remember(addresses)

	var (
		errs    []error
		targets []netip.AddrPort
		named   = map[netip.AddrPort]string{}
	)
	for _, address := range addresses {
		found, err := g.lookup(ctx, address)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", address, err))
		}
		for _, at := range found {
			if _, twice := named[at]; !twice && !g.isSelf(at) {
				targets, named[at] = append(targets, at), address
			}
		}
	}

	var (
		mu       sync.Mutex
		asking   sync.WaitGroup
		answered int
		slots    = make(chan struct{}, joinsAtATime)
	)
	for _, at := range targets {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			err := g.contact(ctx, at)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				answered++
				return
			}
			if who := at.String(); named[at] != who {
				err = fmt.Errorf("%s (%s): %w", named[at], who, err)
			} else {
				err = fmt.Errorf("%s: %w", who, err)
			}
			errs = append(errs, err)
		})
	}
	asking.Wait()
	if answered == 0 && len(errs) > 0 {
		return 0, &joinError{errs}
	}
	for _, err := range errs {
		g.log.Debug("gossip: joining", "error", err)
	}
	return answered, nil
}

// A joinError says what became of each address.
type joinError struct{ errs []error }

func (e *joinError) Error() string {
	var b strings.Builder
	b.WriteString("gossip: no node has answered; is one running there, and may TCP and UDP pass to its gossip port?")
	for _, err := range e.errs {
		b.WriteString("\n  ")
		b.WriteString(err.Error())
	}
	return b.String()
}

func (e *joinError) Unwrap() []error { return e.errs }

func (g *Gossip) remember(addresses []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, address := range addresses {
		if !slices.Contains(g.seeds, address) {
			g.seeds = append(g.seeds, address)
		}
	}
}

// contact exchanges all that is known with the node at an address.
func (g *Gossip) contact(ctx context.Context, at netip.AddrPort) error {
	result := make(chan error, 1)
	if !g.goUnlessClosed(func() {
		_, err := g.list.Join([]string{at.String()}) // ends with the stream timeout, or with Close
		result <- err
	}) {
		return ErrClosed
	}
	select {
	case err := <-result:
		return g.explain(at, err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// explain makes an error of memberlist's, which has its cause as text only, one that
// says what to do.
func (g *Gossip) explain(at netip.AddrPort, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if contains(text, keyLines) {
		r := otherKey(at.String())
		g.door.refused(r, at.Addr().String())
		return r
	}
	if i := strings.Index(text, cluster.ErrStranger.Error()); i >= 0 {
		return &stranger{strings.TrimSpace(text[i:])}
	}
	if _, cause, ok := strings.Cut(text, "failed to join "+at.String()+": "); ok {
		text = strings.TrimSpace(cause)
	}
	return errors.New(text)
}

type stranger struct{ text string }

func (s *stranger) Error() string { return s.text }
func (s *stranger) Unwrap() error { return cluster.ErrStranger }

// miss remembers a process that is believed dead. It needs the lock.
func (g *Gossip) miss(at netip.AddrPort, since time.Time) {
	if len(g.missing) >= maxMissing {
		oldest := at
		for other, t := range g.missing {
			if t.Before(g.missing[oldest]) || oldest == at {
				oldest = other
			}
		}
		delete(g.missing, oldest)
	}
	g.missing[at] = since
}

// rejoin looks for nodes that are not there. Memberlist forgets a dead node after a
// while; two halves of a cluster that have forgotten each other would stay apart.
func (g *Gossip) rejoin(ctx context.Context) {
	tick := time.NewTicker(g.config.Tuning.RejoinInterval)
	defer tick.Stop()
	reached := map[netip.AddrPort]time.Time{}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if g.isLeaving() {
			return
		}
		for _, at := range g.absent(ctx, reached) {
			err := g.contact(ctx, at)
			if err == nil {
				reached[at] = time.Now()
			}
			g.log.Debug("gossip: looked for a node", "address", at.String(), "error", err)
		}
	}
}

// reachedAgainAfter is for an address that answers, and is nobody's: one that stands
// for others, as a load balancer's. What is behind it is asked now and then.
const reachedAgainAfter = time.Minute

// absent returns some addresses at which no process is known to be.
func (g *Gossip) absent(ctx context.Context, reached map[netip.AddrPort]time.Time) []netip.AddrPort {
	g.mu.Lock()
	seeds := slices.Clone(g.seeds)
	var candidates []netip.AddrPort
	for at, since := range g.missing {
		if time.Since(since) > g.config.Tuning.RejoinFor {
			delete(g.missing, at)
			continue
		}
		candidates = append(candidates, at)
	}
	g.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, g.config.Tuning.StreamTimeout)
	defer cancel()
	for _, seed := range seeds {
		found, err := g.lookup(limited, seed)
		if err != nil {
			g.log.Debug("gossip: looking for nodes", "address", seed, "error", err)
		}
		candidates = append(candidates, found...)
	}
	known := map[netip.AddrPort]bool{}
	for _, p := range g.others() {
		known[p.address] = true
	}
	candidates = slices.DeleteFunc(candidates, func(at netip.AddrPort) bool {
		return known[at] || time.Since(reached[at]) < reachedAgainAfter || g.isSelf(at)
	})
	slices.SortFunc(candidates, netip.AddrPort.Compare)
	candidates = slices.Compact(candidates)
	rand.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	return candidates[:min(len(candidates), rejoinsAtOne)]
}
