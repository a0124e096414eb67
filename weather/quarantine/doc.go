// Package quarantine keeps what could not be taken in: lines of files and other
// sources, as they came, with the reason. Each source is an entity.
//
// # Pages
//
//	head      the name of the source, and how much is kept of it
//	contents  where each line is, in the order of their numbers
//	lines/7   128 lines with their texts, in slots
//
// A line has the first free slot, and so the pages are no more than the lines
// need, however its numbers are spread, and lines that come one after the other
// are mostly beside each other. What is asked or released reads the contents and
// the pages of these lines, each below 1 MiB.
//
// The names of the sources are an index beside them: [Quarantine.Sources] lists
// them without waking any. A name is any text, so an entity has its hash as id,
// see [ID].
//
// # What it promises
//
// A line that is kept stays until it is released. Another one with its number
// takes its place, so that sending again keeps nothing twice. Of one source no
// more is kept than [Config] says: what has no room is counted, and said to whoever
// sent it. With its last line the source goes, with its counts.
//
// # Use
//
//	kept, err := quarantine.New(quarantine.DefaultConfig())
//	node, err := mesonet.Start(ctx, cfg, kept)
//	_, err = kept.Keep.Ask(ctx, node, quarantine.ID(source), &quarantine.Keep{Source: source, Lines: lines, Now: time.Now()})
//	page, err := kept.Lines.Ask(ctx, node, quarantine.ID(source), &quarantine.GetLines{Source: source, Limit: 50})
//
// A Quarantine is immutable and may be used by many goroutines, one for each node
// or one for all.
package quarantine
