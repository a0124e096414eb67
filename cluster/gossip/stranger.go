package gossip

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
)

// labelPrefix and the cluster's name are the label in front of all that is sent: a
// node of another cluster is known by its first bytes, whatever its key.
const labelPrefix = "mesonet/"

const maxClusterName = memberlist.LabelMaxSize - len(labelPrefix)

// A refusal says in what a node is a stranger. It is a [cluster.ErrStranger].
type refusal struct {
	why  Reason
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return cluster.ErrStranger }

func refuse(why Reason, err error) *refusal { return &refusal{why, err.Error()} }

// strangeness returns in what a process is not of this cluster; nil when it is.
func (g *Gossip) strangeness(who string, a announcement) *refusal {
	own := g.config.Identity
	theirs := cluster.Identity{Cluster: own.Cluster, Store: a.store, Shards: a.shards} // the label was this cluster's
	if err := own.Contradicts(who, theirs); err != nil {
		if own.Store != theirs.Store {
			return refuse(OtherStore, err)
		}
		return refuse(OtherShards, err)
	}
	self := g.self.Load().member
	if r := outdated(who, a.member, self); r != nil {
		return r
	}
	return incompatible(who, a.member.Protocol, "this node", self.Protocol)
}

// outdated refuses a process that doesn't know the level of the store's formats that
// this one has read, and one that has read a level that this one doesn't know: then
// this one is to end, which its store tells it.
func outdated(who string, theirs, self cluster.Member) *refusal {
	switch {
	case self.Level != 0 && !theirs.Levels.Know(self.Level):
		return refuse(OtherLevel, fmt.Errorf("%w: the store is at level %d of formats, and %s, of release %q, knows %s; run a release there that knows level %d",
			cluster.ErrStranger, self.Level, who, theirs.Version, theirs.Levels, self.Level))
	case self.Level != 0 && !self.Levels.Know(theirs.Level):
		return refuse(OtherLevel, fmt.Errorf("%w: by %s the store is at level %d of formats, and this node knows %s; run a release here that knows level %d",
			cluster.ErrStranger, who, theirs.Level, self.Levels, theirs.Level))
	}
	return nil
}

func incompatible(who string, theirs cluster.Protocol, other string, others cluster.Protocol) *refusal {
	if _, ok := theirs.Common(others); ok {
		return nil
	}
	return refuse(OtherProtocol, fmt.Errorf("%w: %s speaks protocol %v, %s %v; of all nodes that run at a time the releases must be next to each other",
		cluster.ErrStranger, who, theirs, other, others))
}

func otherCluster(own cluster.Identity, address, label string) *refusal {
	theirs := cluster.Identity{Cluster: strings.TrimPrefix(label, labelPrefix)}
	err := own.Contradicts("the node at "+address, theirs)
	if err == nil { // names that look alike once they are quoted
		err = fmt.Errorf("%w: the node at %s is of another cluster", cluster.ErrStranger, address)
	}
	return refuse(OtherCluster, err)
}

func otherKey(address string) *refusal {
	return refuse(OtherKey, fmt.Errorf("%w: the node at %s has another gossip key than this node, or only one of the two has any; give all nodes of a cluster the same keys",
		cluster.ErrStranger, address))
}

// bouncer counts what is refused, and says each thing once a peer: who is refused
// tries again many times a second.
type bouncer struct {
	log      *slog.Logger
	listener Listener

	mu   sync.Mutex
	said map[string]time.Time
}

const (
	sayAgainAfter = 10 * time.Minute // so that it stands near the end of a log, too
	maxSaid       = 1024             // strangers choose what is in the map, not how much
)

func newBouncer(log *slog.Logger, listener Listener) *bouncer {
	return &bouncer{log: log, listener: listener, said: map[string]time.Time{}}
}

// refused tells of a node that was refused. Peer is its name or address.
func (b *bouncer) refused(r *refusal, peer string) {
	if b.listener.Refused != nil {
		b.listener.Refused(r.why, peer)
	}
	if b.first(string(r.why), peer) {
		b.log.Warn("gossip: a node is refused; what follows is counted only", "peer", peer, "reason", string(r.why), "error", r)
	}
}

// malformed tells of what is no gossip.
func (b *bouncer) malformed(address, what string) {
	if b.listener.Malformed != nil {
		b.listener.Malformed(address)
	}
	if b.first("malformed", host(address)) {
		b.log.Warn("gossip: something that is no gossip was dropped; what follows is counted only", "peer", address, "what", what)
	}
}

// first reports whether this was not said of the peer lately.
func (b *bouncer) first(what, peer string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key, now := what+" "+peer, time.Now()
	if at, said := b.said[key]; said && now.Sub(at) < sayAgainAfter {
		return false
	}
	if len(b.said) >= maxSaid {
		for key, at := range b.said {
			if now.Sub(at) >= sayAgainAfter {
				delete(b.said, key)
			}
		}
	}
	if len(b.said) >= maxSaid {
		return false
	}
	b.said[key] = now
	return true
}
