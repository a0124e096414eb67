package journal

import "time"

// Pace is for tests.
type Pace = pace

// Add is for tests.
func (p *pace) Add(now time.Time, took time.Duration) { p.add(now, took) }

// Crowded is for tests.
func (p *pace) Crowded() bool { return p.crowded() }
