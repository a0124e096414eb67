package replicated

// mutation is the protocol with one thing done wrong. Above each stands what.
type mutation string

const none mutation = ""

// Of replicas.
const (
	// R1: a write counts as durable when one replica has it.
	durableAtOne mutation = "durable-at-one"
	// R2: a read asks one replica.
	readAtOne mutation = "read-at-one"
	// R2: what a read returned may be on one replica only: frames,
	logWithoutRepair mutation = "log-without-repair"
	// R2: pages,
	pageWithoutRepair mutation = "page-without-repair"
	// R2: or the checkpoint.
	checkpointWithoutRepair mutation = "checkpoint-without-repair"
	// R3: the page that comes last stays, whatever its position.
	lastWriteWins mutation = "last-write-wins"
	// R3: a deletion has an earlier time than what it deletes, or none, so that
	// what comes late stays.
	deleteByClock mutation = "delete-by-clock"
)

// Of incarnations.
const (
	// B1: a process goes on with the incarnation that its node had.
	bootWithoutRaise mutation = "boot-without-raise"
	// B2: a raised incarnation is taken for one's own, whose token it may have.
	bootWithoutToken mutation = "boot-without-token"
	// F1: a shard is claimed from an owner who was not fenced,
	claimUnfenced mutation = "claim-unfenced"
	// F1: from one whom a plain read shows as fenced,
	claimAfterPlainRead mutation = "claim-after-plain-read"
	// F2: or by a change of which nobody knows what came of it.
	trustUncertainFence mutation = "trust-uncertain-fence"
)

// Of claims.
const (
	// C1: a new owner goes on in the epoch of the row, when that is its own.
	reopenEpoch mutation = "reopen-epoch"
	// C2: the shard is claimed from oneself while it is open.
	claimWhileOpen mutation = "claim-while-open"
	// C3: the tail is read from the beginning of an epoch, where frames may be
	// gone that the checkpoint covers.
	readFromBeginning mutation = "read-from-beginning"
	// C3: the seal is the end of what was read, gaps or not.
	sealBehindGap mutation = "seal-behind-gap"
	// C4: neither the checkpoint is read again, nor is low in the condition.
	claimBlindToDeletion mutation = "claim-blind-to-deletion"
	// C4: a frame that is missing below a seal is taken for damage at once.
	missingIsDamage mutation = "missing-is-damage"
	// C5: a claim changes the row whatever it has become.
	claimUnconditionally mutation = "claim-unconditionally"
	// C6: a row with one's own name in it is taken for one's own claim.
	claimWithoutToken mutation = "claim-without-token"
	// C7: a recovery reads on where an epoch was sealed, into late frames.
	readPastSeal mutation = "read-past-seal"
)

// Of appends, acknowledgements and answers.
const (
	// A1: a frame that is sent again takes along what was appended since.
	retryWithMore mutation = "retry-with-more"
	// A2: what is durable is acknowledged without a check,
	ackUnchecked mutation = "ack-unchecked"
	// A2: or after one that began before it was durable,
	checkBeforeDurable mutation = "check-before-durable"
	// A2: or that asked one replica,
	checkAtOne mutation = "check-at-one"
	// A2: or across a gap.
	ackAcrossGap mutation = "ack-across-gap"
	// A3: an accepted command passes the gate,
	acceptUnvalidated mutation = "accept-unvalidated"
	// A3: a refused one,
	rejectUnvalidated mutation = "reject-unvalidated"
	// A3: or an answer.
	answerUnvalidated mutation = "answer-unvalidated"
	// A4: a refusal does without a check that began after the command came,
	rejectUnchecked mutation = "reject-unchecked"
	// A4: a linearizable answer,
	answerUnchecked mutation = "answer-unchecked"
	// A4: or the check may have begun before.
	checkBeforeAsked mutation = "check-before-asked"
	// A5: an answer from memory does not look at the age of the check,
	answerAnyTime mutation = "answer-any-time"
	// A5: or counts it from the check's end.
	countFromCheckEnd mutation = "count-from-check-end"
	// A6: an owner answers who is behind the session.
	ignoreToken mutation = "ignore-token"
)

// Of moves.
const (
	// M1: the epoch is sealed with frames under way.
	moveUndrained mutation = "move-undrained"
	// M2: the owner goes on answering while it moves the shard.
	answerDuringMove mutation = "answer-during-move"
	// M3: it goes on when the row is its own after a move that ended uncertain.
	resumeAfterMove mutation = "resume-after-move"
	// M3: what ended uncertain is asked for anew, on what the row has become.
	moveAnew mutation = "move-anew"
	// M4: the next owner is named by an incarnation that it has not had yet.
	moveToNobody mutation = "move-to-nobody"
	// M5: the next owner's row begins with no low.
	moveForgetsLow mutation = "move-forgets-low"
)

// Of pages.
const (
	// P1: a page is written with events that are not validated.
	flushUnvalidated mutation = "flush-unvalidated"
	// P2: a page of a later epoch is taken.
	ignoreLaterPage mutation = "ignore-later-page"
	// P3: an entity is let go while some of its events are not validated,
	passivateUnvalidated mutation = "passivate-unvalidated"
	// P3: or while a flush of it is not acknowledged.
	passivateUnacknowledged mutation = "passivate-unacknowledged"
	// P4: an entity restarts with what a deletion left of its tail.
	restartWithoutSecondRead mutation = "restart-without-second-read"
)

// Of the checkpoint and what is deleted.
const (
	// K1: the checkpoint ignores entities of the tail that did not wake yet,
	checkpointOverAsleep mutation = "checkpoint-over-asleep"
	// K1: or flushes that are not acknowledged.
	checkpointOverUnacknowledged mutation = "checkpoint-over-unacknowledged"
	// K2: low is raised to a checkpoint that is not durable,
	lowBeforeCheckpoint mutation = "low-before-checkpoint"
	// K2: or after the deletion.
	deleteBeforeLow mutation = "delete-before-low"
)

// Of commands.
const (
	// D1: a command that comes again is executed again,
	executeAgain mutation = "execute-again"
	// D1: or one that is too old to be known.
	executeBelowWindow mutation = "execute-below-window"
	// D2: the window holds the newest commands, and not the highest numbers.
	windowByAge mutation = "window-by-age"
)

// Alternatives, which are as safe as the protocol.
const (
	// C4: the checkpoint is not read again: low, in the condition, has moved if
	// anything was deleted.
	noSecondRead mutation = "no-second-read"
	// C4: low is not in the condition: the checkpoint, which is read again, has
	// moved if anything was deleted.
	noLowCondition mutation = "no-low-condition"
	// C5: the condition is the epoch alone, which rises with each owner.
	conditionEpochOnly mutation = "condition-epoch-only"
	// A4: a command that comes again does without a check: it has taken effect.
	repeatUnchecked mutation = "repeat-unchecked"
	// P2: a checkpoint of a later epoch is read on from: the pages that it rests
	// on are of that epoch too, or have nothing new.
	ignoreLaterCheckpoint mutation = "ignore-later-checkpoint"
	// K2: low is raised by an owner whose epoch is over: it is still not above a
	// checkpoint that is durable.
	lowUnderAnyEpoch mutation = "low-under-any-epoch"
	// P1: a page is stamped with the end of its newest event, which may be of a
	// former epoch.
	stampOfPage mutation = "stamp-of-page"
)
