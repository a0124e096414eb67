package memory_test

import (
	"testing"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/memory"
	"github.com/mesonet/mesonet/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	persistencetest.Run(t, func(t *testing.T) persistencetest.Subject {
		s, err := memory.New(32)
		if err != nil {
			t.Fatal(err)
		}
		return persistencetest.Subject{
			Store: s, Many: true,
			As: func(_ *testing.T, known persistence.Levels) (persistence.Store, error) { return s.As(known) },
		}
	})
}

func TestShardsArePowersOfTwo(t *testing.T) {
	for _, n := range []uint32{0, 3, 1 << 17} {
		if _, err := memory.New(n); err == nil {
			t.Errorf("a store of %d shards was made", n)
		}
	}
}
