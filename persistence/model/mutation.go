package model

// mutation is the protocol with one thing done wrong. Above each stands what.
type mutation string

const none mutation = ""

// Of the store.
const (
	// S1: a frame counts as durable when it is written, before it is synced.
	ackWritten mutation = "ack-written"
	// S1: so do pages, checkpoints and low marks.
	flushWritten mutation = "flush-written"
	// S2: the page that is written last stays, whatever its position.
	lastWriteWins mutation = "last-write-wins"
	// S2: a deleted page is removed, so that a late flush brings it back.
	deleteWithoutTombstone mutation = "delete-without-tombstone"
	// S3: a page that was read, and counts as durable, may still be lost.
	readUnsyncedPage mutation = "read-unsynced-page"
	// S3: so may a frame below the seal that was set after reading it,
	readUnsyncedFrame mutation = "read-unsynced-frame"
	// S3: or a checkpoint below which the log is being deleted.
	readUnsyncedCheckpoint mutation = "read-unsynced-checkpoint"
)

// Of the log and the gate.
const (
	// L1: the events of one command are cut into two frames.
	splitCommand mutation = "split-command"
	// L2: an accepted command is acknowledged before its events are validated.
	acceptAtOnce mutation = "accept-at-once"
	// L2: a refusal, or "nothing to do", passes the gate.
	rejectAtOnce mutation = "reject-at-once"
	// L2: the answer to a question passes the gate.
	answerAtOnce mutation = "answer-at-once"
	// L2: a reply carries the position of its own entity only. On one node that
	// alone does no harm.
	forgetSession mutation = "forget-session"
	// L3: a recovery reads on where an epoch was sealed, into late frames.
	readPastSeal mutation = "read-past-seal"
	// L3: a shard that was given up goes on in the same epoch.
	reopenEpoch mutation = "reopen-epoch"
	// L3: entities outlive the epoch, with what was never in the log,
	keepState mutation = "keep-state"
	// L3: or replies at its gate, which the positions of the next one open,
	keepGate mutation = "keep-gate"
	// L3: or copies that wait until they are validated.
	keepCopies mutation = "keep-copies"
)

// Of pages in memory.
const (
	// P2: the tail is redone without a look at the page's position.
	redoAlways mutation = "redo-always"
	// P2: an event exactly at the page's position counts as being in it.
	redoAbove mutation = "redo-above"
	// P3: a new event is compared by the end of the entity's newest event.
	compareNew mutation = "compare-new"
	// P3: a page notes where its newest event would be, were the entity alone.
	guessPosition mutation = "guess-position"
	// P4: events kept for a page that is not in memory don't hold the
	// checkpoint back.
	forgetPending mutation = "forget-pending"
	// P5: a page is read again while it is in memory, and the newer one lost.
	loadTwice mutation = "load-twice"
	// P5: a page that an incarnation before the crash asked for is taken.
	loadOfFormerLife mutation = "load-of-former-life"
	// P6: a page with unflushed events is dropped from memory,
	evictDirty mutation = "evict-dirty"
	// P6: or one whose flush is not acknowledged.
	evictUnacknowledged mutation = "evict-unacknowledged"
	// P6: an entity is let go while some of its events are not validated,
	passivateUnvalidated mutation = "passivate-unvalidated"
	// P6: while a flush of it is not acknowledged,
	passivateUnacknowledged mutation = "passivate-unacknowledged"
	// P6: or while events are kept for a page that is not in memory.
	passivatePending mutation = "passivate-pending"
)

// Of flushes.
const (
	// F1: the stamp is the position of the page's newest event, not its end.
	stampLastEvent mutation = "stamp-last-event"
	// F1: the stamp is the end of what is appended. No page is lost by that,
	// but it stands above the seal if a crash comes now.
	stampAppended mutation = "stamp-appended"
	// F1: the stamp is taken when the copy is written, not with the copy.
	stampLate mutation = "stamp-late"
	// F2: a page is written with events that are not validated.
	flushUnvalidated mutation = "flush-unvalidated"
	// F3: an acknowledged flush clears the page, newer events too.
	flushClearsAll mutation = "flush-clears-all"
)

// Of the checkpoint and what is deleted.
const (
	// C1: the checkpoint ignores entities of the tail that did not wake yet,
	forgetAsleep mutation = "forget-asleep"
	// C1: pages in memory with unflushed events,
	forgetDirty mutation = "forget-dirty"
	// C1: an entity that crashed and is not back,
	forgetCrashed mutation = "forget-crashed"
	// C1: or events that are not validated.
	checkpointAppended mutation = "checkpoint-appended"
	// C2: the checkpoint lies within a frame.
	checkpointInFrame mutation = "checkpoint-in-frame"
	// C3: it is written while the flushes that it rests on are under way.
	flushIssued mutation = "flush-issued"
	// C3: low is raised to the end of what is validated,
	lowAboveCheckpoint mutation = "low-above-checkpoint"
	// C3: or to a checkpoint that is not durable.
	lowBeforeCheckpoint mutation = "low-before-checkpoint"
	// C3: frames are deleted before low is durable.
	dropBeforeLow mutation = "drop-before-low"
)

// Of entities that come and go.
const (
	// E1: an entity wakes with its pages only.
	wakeWithoutTail mutation = "wake-without-tail"
	// E2: an entity restarts with its pages only,
	restartFromPages mutation = "restart-from-pages"
	// E2: or while events of it are under way.
	restartEarly mutation = "restart-early"
	// E3: a deletion leaves the pages that are stored and not in memory,
	deleteForgetsStored mutation = "delete-forgets-stored"
	// E3: or those that are not stored yet.
	deleteForgetsUnstored mutation = "delete-forgets-unstored"
)

// Alternatives, which are as safe as the protocol on one node.
const (
	// F1: a page is stamped with the end of its newest event. That does no harm
	// among several nodes either (package replicated, stamp-of-page).
	stampLastEnd mutation = "stamp-last-end"
	// F1: the first stamps of an epoch are the end of the one before.
	stampFormerEpoch mutation = "stamp-former-epoch"
	// F2: a page is copied only while all its events are validated.
	waitForQuiet mutation = "wait-for-quiet"
)
