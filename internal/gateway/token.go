package gateway

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// TokenHeader has the tokens of an answer, or of a question, each as
// store.shard.position in decimal, with commas between.
const TokenHeader = "Mesonet-Token"

var (
	tokenName = (*mesonetv1.Token)(nil).ProtoReflect().Descriptor().FullName()
	readName  = (*mesonetv1.Read)(nil).ProtoReflect().Descriptor().FullName()
)

// log is what a token is a position in.
type log struct {
	store uint64
	shard uint32
}

// tokens are the highest of each shard.
type tokens map[log]uint64

func (ts tokens) add(t *mesonetv1.Token) {
	l := log{t.GetStore(), t.GetShard()}
	ts[l] = max(ts[l], t.GetPosition())
}

// list returns the tokens in the order of their shards.
func (ts tokens) list() []*mesonetv1.Token {
	logs := slices.SortedFunc(maps.Keys(ts), func(a, b log) int {
		return cmp.Or(cmp.Compare(a.store, b.store), cmp.Compare(a.shard, b.shard))
	})
	var all []*mesonetv1.Token
	for _, l := range logs {
		all = append(all, &mesonetv1.Token{Store: l.store, Shard: l.shard, Position: ts[l]})
	}
	return all
}

// parseTokens reads the tokens of a request's header.
func parseTokens(h http.Header) (tokens, error) {
	ts := make(tokens)
	for _, line := range h.Values(TokenHeader) {
		for text := range strings.SplitSeq(line, ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			t, err := parseToken(text)
			if err != nil {
				return nil, err
			}
			ts.add(t)
		}
	}
	return ts, nil
}

func parseToken(text string) (*mesonetv1.Token, error) {
	store, rest, _ := strings.Cut(text, ".")
	shard, position, _ := strings.Cut(rest, ".")
	var t mesonetv1.Token
	var wrong error
	parse := func(text string, bits int) uint64 {
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			wrong = err
		}
		return n
	}
	t.Store, t.Shard, t.Position = parse(store, 64), uint32(parse(shard, 32)), parse(position, 64)
	if wrong != nil {
		return nil, invalid("%q in the header %s is no token; send what that header of an answer had, such as 81985529216486895.7.1099511627776", shorten(text), TokenHeader)
	}
	return &t, nil
}

// setTokens sets the header of an answer, if it has any.
func setTokens(h http.Header, ts tokens) {
	if len(ts) == 0 {
		return
	}
	var texts []string
	for _, t := range ts.list() {
		texts = append(texts, fmt.Sprintf("%d.%d.%d", t.GetStore(), t.GetShard(), t.GetPosition()))
	}
	h.Set(TokenHeader, strings.Join(texts, ", "))
}

// tokensOf returns the tokens that are anywhere in an answer.
func tokensOf(m proto.Message) tokens {
	ts := make(tokens)
	collect(m.ProtoReflect(), ts)
	return ts
}

// tokensOfError returns those in the details of an error.
func tokensOfError(err error) tokens {
	ts := make(tokens)
	for _, detail := range status.Convert(err).Details() {
		if t, ok := detail.(*mesonetv1.Token); ok {
			ts.add(t)
		}
	}
	return ts
}

func collect(m protoreflect.Message, ts tokens) {
	if t, ok := m.Interface().(*mesonetv1.Token); ok {
		ts.add(t)
		return
	}
	if !reaches(m.Descriptor(), tokenName) {
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				collect(value.List().Get(i).Message(), ts)
			}
		default:
			collect(value.Message(), ts)
		}
		return true
	})
}

// askAfter makes every question in a request one after the tokens.
func askAfter(m protoreflect.Message, ts tokens) {
	if len(ts) == 0 || !reaches(m.Descriptor(), readName) {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for j := range m.Get(field).List().Len() {
				askAfter(m.Get(field).List().Get(j).Message(), ts)
			}
		case field.Message().FullName() == readName:
			if read, ok := m.Mutable(field).Message().Interface().(*mesonetv1.Read); ok {
				all := maps.Clone(ts)
				for _, t := range read.GetTokens() {
					all.add(t)
				}
				read.Tokens = all.list()
			}
		case m.Has(field):
			askAfter(m.Get(field).Message(), ts)
		}
	}
}

// reached remembers what [reaches] has found out, by the names of both.
var reached sync.Map

// reaches reports whether a message may have one of the name in it, so that the
// many that don't are not searched.
func reaches(d protoreflect.MessageDescriptor, name protoreflect.FullName) bool {
	key := [2]protoreflect.FullName{d.FullName(), name}
	if known, ok := reached.Load(key); ok {
		return known == true
	}
	seen := make(map[protoreflect.FullName]bool)
	var search func(protoreflect.MessageDescriptor) bool
	search = func(d protoreflect.MessageDescriptor) bool {
		if d == nil || seen[d.FullName()] {
			return false
		}
		seen[d.FullName()] = true
		if d.FullName() == name {
			return true
		}
		for i := range d.Fields().Len() {
			if search(d.Fields().Get(i).Message()) {
				return true
			}
		}
		return false
	}
	found := search(d)
	reached.Store(key, found)
	return found
}

type tokensKey struct{}

// withTokens makes the questions of a request be asked after tokens.
func withTokens(ctx context.Context, ts tokens) context.Context {
	return context.WithValue(ctx, tokensKey{}, ts)
}

func tokensFrom(ctx context.Context) tokens {
	ts, _ := ctx.Value(tokensKey{}).(tokens)
	return ts
}
