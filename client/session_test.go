package client

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"pgregory.net/rapid"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func positions(tokens []*mesonetv1.Token) []uint64 {
	list := []uint64{}
	for _, t := range tokens {
		list = append(list, t.GetPosition())
	}
	return list
}

// A session sends back the highest token of each shard, and the caller's message
// stays as it is.
func TestTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake, c *Client) {
		tokens := []*mesonetv1.Token{
			{Store: 1, Shard: 3, Position: 7},
			{Store: 1, Shard: 3, Position: 5}, // older: not to be kept
			{Store: 1, Shard: 2, Position: 1},
			{Store: 2, Shard: 3, Position: 1}, // another store: those of before are of no use
			{Store: 2, Shard: 4, Position: 9},
		}
		var asked []*mesonetv1.Read
		f.answer = func(_ context.Context, _ string, request any) (any, error) {
			asked = append(asked, request.(*mesonetv1.GetPrecipitationRequest).GetRead())
			return &mesonetv1.GetPrecipitationResponse{Token: tokens[len(asked)-1]}, nil
		}
		request := &mesonetv1.GetPrecipitationRequest{Station: "1:1", Year: 2008, Month: 2}
		before := proto.CloneOf(request)
		for range tokens {
			if _, err := c.Weather().GetPrecipitation(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		}
		if !proto.Equal(request, before) {
			t.Errorf("the caller's request became %v", request)
		}
		want := [][]uint64{{}, {7}, {7}, {1, 7}, {1}}
		for i, read := range asked {
			if got := positions(read.GetTokens()); !slices.Equal(got, want[i]) {
				t.Errorf("question %d carried the positions %v, want %v", i, got, want[i])
			}
			if read.GetConsistency() != mesonetv1.Consistency_CONSISTENCY_SESSION {
				t.Errorf("question %d asked for %v", i, read.GetConsistency())
			}
		}
		if got := positions(c.Tokens()); !slices.Equal(got, []uint64{1, 9}) {
			t.Errorf("the session holds %v, want those of the other store", got)
		}
		c.Forget()
		if got := c.Tokens(); len(got) != 0 {
			t.Errorf("the session has forgotten all but %v", got)
		}
	})
}

// Nothing of a request is lost when tokens are put in, and what the caller set
// holds.
func TestRequestsAreWhole(t *testing.T) {
	c := &Client{}
	c.Saw(&mesonetv1.Token{Store: 1, Shard: 1, Position: 5}, &mesonetv1.Token{Store: 1, Shard: 2, Position: 5})
	request := &mesonetv1.ListStationsRequest{
		PageSize: 7, PageToken: "p", Country: "US", Where: &mesonetv1.ListStationsRequest_Near{Near: &mesonetv1.Place{Latitude: 1, Longitude: 2}},
		Read: &mesonetv1.Read{
			Consistency: mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE,
			Tokens:      []*mesonetv1.Token{{Store: 1, Shard: 2, Position: 8}, {Store: 1, Shard: 1, Position: 3}, {Store: 1, Shard: 9, Position: 1}},
		},
	}
	request.ProtoReflect().SetUnknown([]byte{0xa0, 0x06, 0x01}) // of a later version
	before := proto.CloneOf(request)
	got := c.ask(request).(*mesonetv1.ListStationsRequest)
	if !proto.Equal(request, before) {
		t.Errorf("the caller's request became %v", request)
	}
	if want := []uint64{5, 8, 1}; !slices.Equal(positions(got.GetRead().GetTokens()), want) || got.GetRead().GetConsistency() != mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE {
		t.Errorf("the question carries %v, want the positions %v", got.GetRead(), want)
	}
	got.Read, before.Read = nil, nil
	if !proto.Equal(got, before) {
		t.Errorf("%v was sent as %v", before, got)
	}
	for _, other := range []any{&mesonetv1.DeleteStationRequest{Station: "1:1"}, &emptypb.Empty{}, "no message"} {
		if got := c.ask(other); got != other {
			t.Errorf("%v became %v, and carries no tokens", other, got)
		}
	}
	c.cfg.Linearizable = true
	if got := c.ask(&mesonetv1.GetStationRequest{}).(*mesonetv1.GetStationRequest).GetRead().GetConsistency(); got != mesonetv1.Consistency_CONSISTENCY_LINEARIZABLE {
		t.Errorf("asked for %v", got)
	}
}

// Tokens come from wherever a reply or a rejection has them.
func TestTokensOf(t *testing.T) {
	token := func(position uint64) *mesonetv1.Token {
		return &mesonetv1.Token{Store: 1, Shard: uint32(position), Position: position}
	}
	t.Run("replies", func(t *testing.T) {
		for _, test := range []struct {
			reply proto.Message
			want  []uint64
		}{
			{&mesonetv1.GetStationResponse{Station: &mesonetv1.Station{Id: "1:1"}, Token: token(1)}, []uint64{1}},
			{&mesonetv1.GetStationResponse{}, []uint64{}},
			{&mesonetv1.ListStationsResponse{Stations: []*mesonetv1.Station{{}}, Tokens: []*mesonetv1.Token{token(2), token(1)}}, []uint64{1, 2}},
			{&mesonetv1.RegisterStationsResponse{Outcomes: []*mesonetv1.RegistrationOutcome{{Token: token(3)}, {Failure: &mesonetv1.Failure{}}, {Token: token(4)}}}, []uint64{3, 4}},
			{&mesonetv1.IngestResponse{Outcomes: []*mesonetv1.IngestOutcome{{Token: token(3)}, {}}}, []uint64{3}},
			{&emptypb.Empty{}, []uint64{}},
		} {
			c := &Client{}
			c.hear(test.reply)
			if got := positions(c.Tokens()); !slices.Equal(got, test.want) {
				t.Errorf("of %v the session has %v, want %v", test.reply, got, test.want)
			}
		}
	})
	t.Run("rejections", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *fake, c *Client) {
			f.answer = func(context.Context, string, any) (any, error) {
				return nil, refused(codes.NotFound, "NO_DATA", "nothing", token(5))
			}
			err := calls[question](t.Context(), c)
			var e *Error
			if !errors.As(err, &e) || e.Token.GetPosition() != 5 {
				t.Errorf("the error has the token %v, want 5", e.Token)
			}
			if got := positions(c.Tokens()); !slices.Equal(got, []uint64{5}) {
				t.Errorf("the session has %v, want 5", got)
			}
		})
	})
	t.Run("streams", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *fake, c *Client) {
			f.stream = func(s grpc.ServerStream) error {
				var r mesonetv1.GetStationRequest
				if err := s.RecvMsg(&r); err != nil {
					return err
				}
				for _, seen := range append(r.GetRead().GetTokens(), token(7)) {
					if err := s.SendMsg(&mesonetv1.GetStationResponse{Token: token(seen.GetPosition() + 1)}); err != nil {
						return err
					}
				}
				return refused(codes.Unavailable, "UNAVAILABLE", "away")
			}
			c.Saw(token(2))
			s, err := c.Conn().NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/test.Test/Watch")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.SendMsg(&mesonetv1.GetStationRequest{}), s.CloseSend()); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				err = s.RecvMsg(&mesonetv1.GetStationResponse{})
			}
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("the stream ended with %v, want that it is unavailable", err)
			}
			if got := positions(c.Tokens()); !slices.Equal(got, []uint64{2, 3, 8}) {
				t.Errorf("the session has %v, want 2, sent 3 for it, and 8", got)
			}
		})
	})
}

// The session is like a map that keeps the highest, of one store. Mutations seen
// to fail: the slice changed in place; tokens of two stores kept; the caller's
// token kept itself.
func TestTokensLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s session
		twin, store := map[uint32]uint64{}, uint64(1)
		for range rapid.IntRange(1, 60).Draw(t, "tokens") {
			token := &mesonetv1.Token{
				Store: rapid.SampledFrom([]uint64{1, 1, 1, 1, 1, 1, 1, 2}).Draw(t, "store"),
				Shard: rapid.Uint32Range(0, 9).Draw(t, "shard"), Position: rapid.Uint64Range(1, 9).Draw(t, "position"),
			}
			if token.GetStore() != store {
				clear(twin)
				store = token.GetStore()
			}
			twin[token.GetShard()] = max(twin[token.GetShard()], token.GetPosition())
			held := s.all()
			copied := slices.Clone(held)
			s.saw(token, nil)
			if !slices.Equal(held, copied) {
				t.Fatal("a slice that requests may share was changed")
			}
			token.Position = 100 // it is the caller's
		}
		got := map[uint32]uint64{}
		for _, token := range s.all() {
			if token.GetStore() != store {
				t.Errorf("a token of store %d is kept", token.GetStore())
			}
			got[token.GetShard()] = token.GetPosition()
		}
		sorted := slices.IsSortedFunc(s.all(), func(a, b *mesonetv1.Token) int { return int(a.GetShard()) - int(b.GetShard()) })
		if !maps.Equal(got, twin) || !sorted || len(got) != len(s.all()) {
			t.Errorf("the session holds %v, want %v, in order", s.all(), twin)
		}
	})
}
