package client

import (
	"cmp"
	"slices"
	"sync"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// session is what a client has seen: the highest token of each shard. Sent with
// each question, they make it read what it wrote, and never go back in time.
type session struct {
	mu sync.Mutex
	// tokens are of one store, in the order of their shards. The slice is shared
	// with the requests that carry it, so it is replaced and never changed.
	tokens []*mesonetv1.Token
}

// saw notes tokens.
func (s *session) saw(tokens ...*mesonetv1.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tokens {
		s.tokens = noted(s.tokens, t)
	}
}

func (s *session) all() []*mesonetv1.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens
}

func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = nil
}

// noted returns the tokens with another, as a new slice if that changes
// anything. One of another store takes the place of all: a server refuses those
// of a store that is not its own, and what they stood for is not there.
func noted(tokens []*mesonetv1.Token, t *mesonetv1.Token) []*mesonetv1.Token {
	if t == nil {
		return tokens
	}
	if len(tokens) > 0 && tokens[0].GetStore() != t.GetStore() {
		tokens = nil
	}
	i, known := slices.BinarySearchFunc(tokens, t.GetShard(), func(t *mesonetv1.Token, shard uint32) int { return cmp.Compare(t.GetShard(), shard) })
	if known && tokens[i].GetPosition() >= t.GetPosition() {
		return tokens
	}
	// What the caller was given is the caller's, and may change.
	t = &mesonetv1.Token{Store: t.GetStore(), Shard: t.GetShard(), Position: t.GetPosition()}
	if known {
		tokens = slices.Clone(tokens)
		tokens[i] = t
		return tokens
	}
	return slices.Insert(slices.Clip(tokens), i, t)
}

// Tokens returns the highest token of each shard that the client has seen, in
// the order of the shards. With Saw another client goes on where this one is,
// also one in another process. They must not be changed.
func (c *Client) Tokens() []*mesonetv1.Token { return slices.Clone(c.session.all()) }

// Saw makes later questions see at least what whoever was given the tokens saw.
func (c *Client) Saw(tokens ...*mesonetv1.Token) { c.session.saw(tokens...) }

// Forget makes later questions see whatever a new client would. It is the way on
// when a server's data has been replaced on purpose, and its questions are
// refused with the reason WRONG_STORE.
func (c *Client) Forget() { c.session.forget() }
