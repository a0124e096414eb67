package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/journal"
)

// readiness is what the daemon knows of whether every question can be answered:
// it has started and is not stopping, its store works and answers, and every shard
// that is not another node's is open, at least one. In a cluster the node itself
// knows which are its to serve, perhaps none; and of those that nobody serves it can
// be no less ready than the others, which take them: if each were not, no caller
// would be let in anywhere while one node is replaced.
// It hears of shards from the node's listeners, since the node's own count of
// them walks over all entities, and a probe comes every few seconds. gRPC health
// says the same, and changes at the same moment.
type readiness struct {
	health *health.Server

	mu      sync.Mutex
	node    watched // nil while the node starts
	shards  uint32  // how many there are; 0 while the node starts
	open    map[persistence.Shard]bool
	why     map[persistence.Shard]string // a shard is not open, when there is something to say
	owned   map[persistence.Shard]bool   // is another node's
	part    *cluster.Status              // in a cluster; nil for a node that stands alone
	silent  int                          // how often the store has not answered, in a row
	silence error                        // why
	logger  *slog.Logger
	ending  bool
	cause   error // why the daemon ends, nil when it was told to
}

// watched is what is asked of a node.
type watched interface{ Err() error }

func newReadiness(logger *slog.Logger) *readiness {
	r := &readiness{
		health: health.NewServer(), logger: logger,
		open: make(map[persistence.Shard]bool), why: make(map[persistence.Shard]string), owned: make(map[persistence.Shard]bool),
	}
	r.announce()
	return r
}

// entities returns the listener with what readiness has to hear.
func (r *readiness) entities(l entity.Listener) entity.Listener {
	opened, stopped, owned, checked, handed := l.ShardOpened, l.ShardStopped, l.ShardOwned, l.Checked, l.ShardHandedOver
	l.ShardOpened = func(o entity.ShardOpening) {
		opened(o)
		r.shard(o.Shard, true, "")
	}
	l.ShardStopped = func(n persistence.Shard, err error) {
		stopped(n, err)
		r.shard(n, false, fmt.Sprintf("is stopped until somebody mends it: %v", err))
	}
	l.ShardOwned = func(n persistence.Shard, err error) {
		owned(n, err)
		r.other(n, err)
	}
	l.ShardHandedOver = func(h entity.HandedOver) {
		handed(h)
		if h.Err != nil && !h.Kept {
			r.shard(h.Shard, false, fmt.Sprintf("is being opened again: %v", h.Err))
		}
	}
	l.Checked = func(err error) {
		checked(err)
		r.checked(err)
	}
	return l
}

// log does so for the log. A journal that closes gives up all its shards: that
// is its end, and no loss to be counted.
func (r *readiness) log(l journal.Listener) journal.Listener {
	lost := l.ShardLost
	l.ShardLost = func(n persistence.Shard, err error) {
		if r.shard(n, false, fmt.Sprintf("is being opened again: %v", err)) {
			lost(n, err)
		}
	}
	return l
}

// among does so for the node's part in its cluster, which it has from now on.
func (r *readiness) among(l cluster.Listener) cluster.Listener {
	r.standing(cluster.Status{State: cluster.Joining})
	status := l.Status
	l.Status = func(s cluster.Status) {
		status(s)
		r.standing(s)
	}
	return l
}

// standing takes note of how the node stands in its cluster.
func (r *readiness) standing(s cluster.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part = &s
	r.announce()
}

// shard takes note of a shard's state, and reports whether it counts: when the
// daemon ends it no longer does.
func (r *readiness) shard(n persistence.Shard, open bool, why string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return false
	}
	delete(r.owned, n)
	if open {
		r.open[n] = true
		delete(r.why, n)
	} else {
		delete(r.open, n)
		r.why[n] = why
	}
	r.announce()
	return true
}

// other takes note that a shard is another node's.
func (r *readiness) other(n persistence.Shard, err error) {
	if r.shard(n, false, err.Error()) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.owned[n] = true
		r.announce()
	}
}

// manySilent is how many checks in a row have no answer before the store counts
// as away: one may be lost on the way.
const manySilent = 2

// checked takes note of whether the store has answered a check.
func (r *readiness) checked(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.silent >= manySilent
	if r.silence = err; err == nil {
		r.silent = 0
	} else {
		r.silent++
	}
	switch is := r.silent >= manySilent; {
	case is && !was:
		r.logger.Error("the store does not answer; nothing is acknowledged until it does", "error", err)
	case was && !is:
		r.logger.Info("the store answers again")
	}
	r.announce()
}

// started says that the node has so many shards and has tried to open each.
func (r *readiness) started(node watched, shards uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.node, r.shards = node, shards
	r.announce()
}

// end says that the daemon ends, for ever, with a cause unless it was told to.
func (r *readiness) end(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ending {
		r.ending, r.cause = true, cause
		r.health.Shutdown() // says NOT_SERVING from now on
	}
}

// announce brings gRPC health into step. mu is held.
func (r *readiness) announce() {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if r.node != nil && r.allOpen() && r.silent < manySilent {
		status = healthv1.HealthCheckResponse_SERVING
	}
	r.health.SetServingStatus("", status) // of no effect once it was shut down
}

// allOpen reports whether all shards are open that have to be. mu is held.
func (r *readiness) allOpen() bool {
	if r.part != nil {
		return r.part.State == cluster.Serving && r.part.Awaited == 0
	}
	return len(r.open) > 0 && len(r.open)+len(r.owned) == int(r.shards)
}

// check is one thing that has to be right, as it is now.
type check struct {
	name    string
	state   string   // in words
	reasons []string // a line each; none when all is right
}

// lines are the reasons, each on one line.
func (c check) lines() []string {
	var all []string
	for _, reason := range c.reasons {
		all = append(all, strings.ReplaceAll(reason, "\n", "; ")) // a joined error has lines
	}
	return all
}

func (r *readiness) checks() []check {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.part != nil {
		return []check{r.checkDaemon(), r.checkStore(), r.checkCluster()}
	}
	return []check{r.checkDaemon(), r.checkStore(), r.checkShards()}
}

// reasons are those why the daemon is not ready, a line each, none when it is.
func (r *readiness) reasons() []string {
	var all []string
	for _, c := range r.checks() {
		all = append(all, c.lines()...)
	}
	return all
}

func (r *readiness) checkDaemon() check {
	c := check{name: "daemon", state: "serving"}
	switch {
	case r.ending:
		c.state = "stopping"
		c.reasons = []string{"the node is stopping"}
		if r.cause != nil && r.storeError() == nil {
			c.reasons = []string{fmt.Sprintf("the node can't go on: %v", r.cause)}
		}
	case r.node == nil:
		c.state = "starting"
		c.reasons = []string{fmt.Sprintf("the node is starting; %d shards are open", len(r.open))}
	}
	return c
}

func (r *readiness) checkStore() check {
	c := check{name: "store", state: "works"}
	if err := r.storeError(); err != nil {
		c.state = "failed"
		c.reasons = []string{fmt.Sprintf("the store can't be used any more: %v", err)}
	} else if r.silent >= manySilent {
		c.state = "away"
		c.reasons = []string{fmt.Sprintf("the store does not answer: %v", r.silence)}
	}
	return c
}

func (r *readiness) storeError() error {
	if r.node == nil {
		return nil
	}
	return r.node.Err()
}

// fewShards is how many shards that are not open are listed.
const fewShards = 20

func (r *readiness) checkShards() check {
	if r.node == nil {
		return check{name: "shards", state: fmt.Sprintf("%d open so far", len(r.open))}
	}
	c := check{name: "shards", state: fmt.Sprintf("%d of %d open", len(r.open), r.shards)}
	missing := int(r.shards) - len(r.open) - len(r.owned)
	if len(r.owned) > 0 {
		c.state += fmt.Sprintf(", %d are other nodes'", len(r.owned))
		if len(r.open) == 0 {
			first := slices.Min(slices.Collect(maps.Keys(r.owned)))
			c.reasons = append(c.reasons, fmt.Sprintf("no shard is this node's: %s", r.why[first]))
		}
	}
	for n := persistence.Shard(0); len(c.reasons) < min(missing, fewShards); n++ {
		if r.open[n] || r.owned[n] {
			continue
		}
		why := r.why[n]
		if why == "" {
			why = "is being opened"
		}
		c.reasons = append(c.reasons, fmt.Sprintf("shard %d %s", n, why))
	}
	if missing > fewShards {
		c.reasons = append(c.reasons, fmt.Sprintf("and %d more shards are not open", missing-fewShards))
	}
	return c
}

// checkCluster says how the node stands in its cluster.
func (r *readiness) checkCluster() check {
	c := check{name: "cluster", state: r.part.String()}
	switch r.part.State {
	case cluster.Serving:
	case cluster.LostTouch:
		c.reasons = []string{"the node has lost touch with its store, or with most of the others, and answers nothing until it reaches them again"}
	case cluster.Draining:
		c.reasons = []string{fmt.Sprintf("the node drains: it takes no shards, and has %d still; start it again to bring it back", r.part.Open)}
	default:
		c.reasons = []string{"the node has not joined its cluster yet"}
	}
	if r.part.State != cluster.Serving || r.part.Awaited == 0 {
		return c
	}
	c.reasons = []string{fmt.Sprintf("%d shards are still to be opened", r.part.Awaited)}
	most := min(r.part.Awaited, fewShards)
	for _, n := range slices.Sorted(maps.Keys(r.why)) {
		if !r.owned[n] && len(c.reasons) <= most {
			c.reasons = append(c.reasons, fmt.Sprintf("shard %d %s", n, r.why[n]))
		}
	}
	return c
}

// ServeHTTP answers 200 when the daemon is ready, else 503 with a line for each
// reason; ?verbose lists the checks as well.
func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var list, reasons bytes.Buffer
	for _, c := range r.checks() {
		mark := "+"
		if len(c.reasons) > 0 {
			mark = "-"
		}
		fmt.Fprintf(&list, "[%s] %s: %s\n", mark, c.name, c.state)
		for _, reason := range c.lines() {
			fmt.Fprintln(&reasons, reason)
		}
	}
	code := http.StatusOK
	if reasons.Len() > 0 {
		code = http.StatusServiceUnavailable
	} else {
		reasons.WriteString("ok\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if request.URL.Query().Has("verbose") {
		w.Write(list.Bytes())
	}
	w.Write(reasons.Bytes())
}
