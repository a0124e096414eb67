package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/cassandra"
	"github.com/mesonet/mesonet/weather/station"
	"github.com/mesonet/mesonet/weather/view"
)

// StoreError says why a store that has a URL can't be opened.
type StoreError struct {
	// URL is the store's.
	URL string
	// Away says that the store can't be reached, or can't answer now: it may be
	// another time. Otherwise something about it has to be changed first.
	Away bool

	err error
}

// Error says what is wrong with the store.
func (e *StoreError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong with it.
func (e *StoreError) Unwrap() error { return e.err }

// nodeName is what a node may be called: it stands in logs and on command lines.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// checkStore returns what is wrong with the URL and the node's name.
func (c Config) checkStore() error {
	if c.Node != "" && !nodeName.MatchString(c.Node) {
		return fmt.Errorf("daemon: %q is no name for a node: up to 64 letters, digits, '.', '_' and '-', a letter or digit first", c.Node)
	}
	if c.Store == "" {
		return nil
	}
	cc, err := cassandra.ParseURL(c.Store)
	if err != nil {
		return err
	}
	return view.Beside(cc.Keyspace, c.ViewsKeyspace, c.Views).Validate()
}

// openViews returns the views of the stations, if there are any.
func (d *Daemon) openViews(ctx context.Context, cfg Config, stations *station.Station) ([]*entity.TableView, error) {
	if d.store == nil || len(cfg.Views) == 0 {
		return nil, nil
	}
	vc := view.Beside(d.store.Keyspace(), cfg.ViewsKeyspace, cfg.Views)
	tables, err := d.store.Views(ctx, vc.Keyspace, view.Tables(vc))
	if err != nil {
		return nil, err
	}
	cfg.Logger.Info("tables are kept for others", "keyspace", vc.Keyspace, "tables", view.Format(vc.Tables))
	return view.New(stations, tables, vc)
}

// openStore opens the store that has a URL, if there is one.
func (d *Daemon) openStore(ctx context.Context, cfg *Config) error {
	if cfg.Store == "" {
		if cfg.Cluster != nil && cfg.store == nil {
			return errors.New("daemon: nodes of a cluster use one store that all reach, and the data is in a folder: give the node a store on Cassandra, or leave gossip away")
		}
		if len(cfg.Views) > 0 {
			return errors.New("daemon: tables for others (views) are kept in Cassandra, and the store is a folder: give the node a store there, or leave the views away")
		}
		return nil
	}
	cc, err := cassandra.ParseURL(cfg.Store)
	if err != nil {
		return err
	}
	cc.Logger = cfg.Logger
	if cfg.Node == "" {
		if cfg.Node, err = os.Hostname(); err != nil {
			return fmt.Errorf("daemon: the host's name, which is to be the node's, can't be found out: %w; give the node a name", err)
		}
		if !nodeName.MatchString(cfg.Node) {
			return fmt.Errorf("daemon: the host's name %q can't be the node's; give the node a name", cfg.Node)
		}
	}
	store, err := cassandra.Open(ctx, cc)
	if err != nil {
		// What the cluster is refused on can be asked for again; else it could
		// not even be asked.
		_, away := cassandra.Check(ctx, cc)
		return &StoreError{URL: cc.String(), Away: away != nil, err: err}
	}
	info := store.Info()
	cfg.Logger.Info("the store is open", "store", cc, "id", info.ID, "shards", info.Shards, "consistency", store.Consistency(), "node", cfg.Node)
	cfg.store, d.store = store, store
	if cfg.Cluster == nil { // else its node does so
		d.beats = beat(store, persistence.NodeID(cfg.Node), cfg.Logger)
	}
	return nil
}

// closeStore closes the store that has a URL.
func (d *Daemon) closeStore() error {
	if d.store == nil {
		return nil
	}
	d.beats.stop()
	return d.store.Close()
}

// beatEvery is how often a sign of life is left. Who looks whether a node is alive
// waits for some of them.
const beatEvery = time.Second

// heartbeat leaves signs of life of a node in its store. They are hints for people:
// nothing that is safe rests on them.
type heartbeat struct {
	store  *cassandra.Store
	node   persistence.NodeID
	logger *slog.Logger
	inc    atomic.Uint64 // 0 while the node has none
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func beat(store *cassandra.Store, node persistence.NodeID, logger *slog.Logger) *heartbeat {
	ctx, cancel := context.WithCancel(context.Background())
	b := &heartbeat{store: store, node: node, logger: logger, cancel: cancel}
	b.wg.Go(func() { b.run(ctx) })
	return b
}

// entities returns the listener with what the heartbeat has to hear.
func (b *heartbeat) entities(l entity.Listener) entity.Listener {
	if b == nil {
		return l
	}
	joined := l.Joined
	l.Joined = func(inc persistence.Incarnation) {
		joined(inc)
		b.inc.Store(uint64(inc))
	}
	return l
}

func (b *heartbeat) run(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for n := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		inc := persistence.Incarnation(b.inc.Load())
		if inc == 0 {
			continue
		}
		n++
		err := b.store.Beat(ctx, persistence.Heartbeat{Node: b.node, Incarnation: inc, Number: n})
		if err != nil && ctx.Err() == nil && !errors.Is(err, persistence.ErrClosed) {
			b.logger.Debug("no sign of life could be left in the store", "error", err)
		}
	}
}

func (b *heartbeat) stop() {
	if b == nil {
		return
	}
	b.cancel()
	b.wg.Wait()
}
