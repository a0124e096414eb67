package ingest

import (
	"fmt"
	"time"
)

// Config says how Load works. Begin with DefaultConfig.
type Config struct {
	// Format returns the format of a source by the first bytes of what it
	// holds, 64 KiB if there are so many, and its name. The default is that of
	// KillrWeather for all; see Formats.Recognise and Only.
	Format func(head []byte, name string) (Format, error)
	// RunLength is the most observations in a run. At 256 a run's cost is
	// spread over enough observations, and a refused one is soon split.
	RunLength int
	// BatchLength is the most observations in a batch: 4,096 are 16 runs or
	// more, for as many shards.
	BatchLength int
	// Buffer is the most readings that wait to be grouped into runs, and as
	// many more wait to be sent meanwhile. 262,144 take 13 MB twice and fill
	// runs of 64 for 4,000 stations whose readings come in turns.
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
	// Quarantine, when set, is given each malformed line and each reading that
	// the sink has refused, one at a time, from goroutines of the load. An
	// error ends the load. A load that is resumed may give it again what the
	// one before has given it last.
	Quarantine func(Quarantined) error
	// Kept, when set, is called before resume points are saved, and returns once
	// what Quarantine was given is kept for good. With an error the points stay
	// where they are: a load that is resumed gives it again.
	Kept func() error
	// Resume, when set, keeps how far the load has come, and says where one
	// before has stopped. It is saved every ResumeEvery, 1 second, and at the
	// end.
	Resume      *Resume
	ResumeEvery time.Duration
	// Progress, when set, is told how far the load is, from the goroutine of
	// the caller of Load: every ProgressEvery at most, and at the end.
	Progress      func(Progress)
	ProgressEvery time.Duration
}

// DefaultConfig returns the configuration that the fields document.
func DefaultConfig() Config {
	return Config{
		Format: Only(&lineFormat{KillrWeatherName, func(string) (Parser, error) {
			return NewKillrWeather(), nil
		}}),
		RunLength:     256,
		BatchLength:   4096,
		Buffer:        1 << 18,
		InFlight:      1 << 16,
		RetryFirst:    50 * time.Millisecond,
		RetryMost:     5 * time.Second,
		RetryFor:      2 * time.Minute,
		MaxErrors:     100,
		ResumeEvery:   time.Second,
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
	case c.ResumeEvery <= 0:
		return fmt.Errorf("ingest: config: ResumeEvery is %s: above 0", c.ResumeEvery)
	case c.RetryFor < 0 || c.MaxErrors < 0 || c.ProgressEvery <= 0:
		return fmt.Errorf("ingest: config: RetryFor %s, MaxErrors %d, ProgressEvery %s: not below 0, the last above", c.RetryFor, c.MaxErrors, c.ProgressEvery)
	}
	return nil
}

// isKept waits until what the quarantine was given is kept, and says whether it is.
func (c *Config) isKept() bool { return c.Kept == nil || c.Kept() == nil }
