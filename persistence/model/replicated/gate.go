package replicated

const (
	// fresh is how long a check is good for answers from memory, in steps: the
	// 500 ms of the real thing.
	fresh = 200
	// never is long before any time.
	never = -1 << 30
)

// reply is an outcome at the gate.
type reply struct {
	call
	outcome
	at    position // that the decision was made at: it saw the events below
	rests position // the end of the newest event that it rests on
	again bool     // the command was known
}

// answer lets an outcome go when all is validated that its decision saw, and when
// a check that began after the request came has succeeded; an answer from memory
// when the newest check is not old.
func (s *shard) answer(r reply) {
	s.gate = append(s.gate, r)
	s.openGate()
}

func (s *shard) openGate() {
	waiting := s.gate[:0:0]
	for _, r := range s.gate {
		if s.mayLeave(r) {
			r.token = max(s.validated, r.request.token)
			r.request.client.hear(s, r)
		} else {
			waiting = append(waiting, r)
		}
	}
	s.gate = waiting
}

func (s *shard) mayLeave(r reply) bool {
	switch {
	case s.silent && !s.w.broken(answerDuringMove):
		return false
	case s.validated < r.request.token && !s.w.broken(ignoreToken):
		return false
	case r.rests > s.validated && !s.mayLeaveEarly(r):
		return false
	case r.request.verb == ask:
		return s.p.clock-s.checked <= fresh || s.w.broken(answerAnyTime)
	case r.verdict == accepted && !r.again:
		return true // a check began after it was durable
	}
	return s.confirmed >= r.arrived ||
		s.w.broken(rejectUnchecked) && r.verdict == rejected ||
		s.w.broken(repeatUnchecked) && r.again ||
		s.w.broken(answerUnchecked) && r.verdict == answered ||
		s.w.broken(checkBeforeAsked) && s.confirmed >= 0
}

func (s *shard) mayLeaveEarly(r reply) bool {
	return s.w.broken(acceptUnvalidated) && r.verdict == accepted ||
		s.w.broken(rejectUnvalidated) && r.verdict == rejected ||
		s.w.broken(answerUnvalidated) && r.verdict == answered
}
