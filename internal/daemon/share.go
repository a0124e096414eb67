package daemon

import (
	"context"
	"errors"

	"github.com/mesonet/mesonet/persistence"
)

// OnStore returns c on a store that is open already, as several nodes of this process
// use one (cluster.Share). Whoever opened it closes it when the daemon has stopped.
func (c Config) OnStore(s persistence.Store) Config {
	c.store = s
	return c
}

// Kill ends the daemon as a crash would: nothing is handed over or said, and what is
// not acknowledged is lost. It is to show what the other nodes of a cluster do then.
// ctx bounds the wait for what runs still.
func (d *Daemon) Kill(ctx context.Context) error {
	d.fail(nil)
	err := d.node.Kill(ctx)
	now, cancel := context.WithCancel(ctx)
	cancel() // no call under way will be answered
	d.server.Stop()
	d.serving.Wait()
	return errors.Join(err, d.front.stop(now), d.closeStore(), d.admin.stop(ctx))
}
