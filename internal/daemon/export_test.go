package daemon

import "github.com/mesonet/mesonet/persistence"

// OnStore makes a daemon use a store of the test's, which the test closes.
func (c Config) OnStore(s persistence.Store) Config {
	c.store = s
	return c
}
