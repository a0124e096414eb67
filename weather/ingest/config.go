package ingest

import (
	"fmt"
	"time"
)

// Config says how Load works. Begin with DefaultConfig.
type Config struct {
	// Format returns a new reader of the format of the sources. The default
	// is that of KillrWeather.
	Format func() Format
	// RunLength is the most observations in a run. At 64 a run's cost is
	// spread over enough observations, and a refused one holds up few.
	RunLength int
	// BatchLength is the most observations in a batch: 4,096 are 64 runs, one
	// for each shard or two.
	BatchLength int
	// Buffer is the most readings that wait to be grouped into runs. 262,144
	// take 13 MB and fill runs of 64 for 4,000 stations whose readings come
	// in turns.
	Buffer int
	// InFlight is the most observations that are sent and not answered:
	// 65,536, what a node grants to bulk work.
	InFlight int
	// RetryFirst is the pause before a run is sent again; it doubles with each
	// attempt up to RetryMost. 50 ms and 5 s: a shard that moves is away for
	// about 200 ms, a node that dies for 3 s.
	RetryFirst, RetryMost time.Duration
	// RetryFor is how long a station's runs are sent again before the load is
	// given up: 2 minutes, for the restart of a store.
	RetryFor time.Duration
	// MaxErrors is the most malformed lines that the summary shows, and the
	// most refusals that it tells apart.
	MaxErrors int
	// Malformed, when set, is told each malformed line, one at a time, from
	// a goroutine of the load.
	Malformed func(*LineError)
	// Progress, when set, is told how far the load is, from the goroutine of
	// the caller of Load: every ProgressEvery at most, and at the end.
	Progress      func(Progress)
	ProgressEvery time.Duration
}

// DefaultConfig returns the configuration that the fields document.
func DefaultConfig() Config {
	return Config{
		Format:        func() Format { return NewKillrWeather() },
		RunLength:     64,
		BatchLength:   4096,
		Buffer:        1 << 18,
		InFlight:      1 << 16,
		RetryFirst:    50 * time.Millisecond,
		RetryMost:     5 * time.Second,
		RetryFor:      2 * time.Minute,
		MaxErrors:     100,
		ProgressEvery: 100 * time.Millisecond,
	}
}

// Validate returns an error that names the first field that is wrong.
func (c *Config) Validate() error {
	switch {
	case c.Format == nil:
		return fmt.Errorf("ingest: config: Format is not set")
	case c.RunLength < 1:
		return fmt.Errorf("ingest: config: RunLength is %d: at least 1", c.RunLength)
	case c.BatchLength < c.RunLength:
		return fmt.Errorf("ingest: config: BatchLength is %d: at least RunLength, %d", c.BatchLength, c.RunLength)
	case c.Buffer < 1 || c.Buffer > 1<<30:
		return fmt.Errorf("ingest: config: Buffer is %d: 1 to 2^30", c.Buffer)
	case c.InFlight < c.BatchLength:
		return fmt.Errorf("ingest: config: InFlight is %d: at least BatchLength, %d", c.InFlight, c.BatchLength)
	case c.RetryFirst <= 0 || c.RetryMost < c.RetryFirst:
		return fmt.Errorf("ingest: config: RetryFirst and RetryMost are %s and %s: above 0, and not falling", c.RetryFirst, c.RetryMost)
	case c.RetryFor < 0 || c.MaxErrors < 0 || c.ProgressEvery <= 0:
		return fmt.Errorf("ingest: config: RetryFor %s, MaxErrors %d, ProgressEvery %s: not below 0, the last above", c.RetryFor, c.MaxErrors, c.ProgressEvery)
	}
	return nil
}
