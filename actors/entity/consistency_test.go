package entity_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesonet/mesonet/actors/entity"
)

// P3: a node that has been replaced and does not know it answers questions from
// memory for half a second, but none that is to be linearizable or whose caller has
// seen more, and no command, also when that changes nothing.
//
// Mutations seen to fail: Linearizable without an effect; commands answered from
// memory; questions always confirmed, so that memory answers none.
func TestConsistencyOfAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		ask     func(t *testing.T, h *entity.Host, seen entity.Token) error
		answers bool
		outcome error
	}{
		"question": {func(t *testing.T, h *entity.Host, _ entity.Token) error {
			_, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{})
			return err
		}, true, nil},
		"linearizable question": {func(t *testing.T, h *entity.Host, _ entity.Token) error {
			_, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}, entity.Linearizable())
			return err
		}, false, entity.ErrUnavailable},
		"question of who has seen more": {func(t *testing.T, h *entity.Host, seen entity.Token) error {
			_, err := get.Ask(t.Context(), h, "a", &emptypb.Empty{}, entity.After(seen))
			return err
		}, false, entity.ErrUnavailable},
		"command that changes nothing": {func(t *testing.T, h *entity.Host, _ entity.Token) error {
			_, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(0))
			return err
		}, false, entity.ErrUnavailable},
		"command that is rejected": {func(t *testing.T, h *entity.Host, _ entity.Token) error {
			_, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(-1))
			return err
		}, false, entity.ErrUnavailable},
		"command": {func(t *testing.T, h *entity.Host, _ entity.Token) error {
			_, err := add.Ask(t.Context(), h, "a", wrapperspb.Int64(1))
			return err
		}, false, entity.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				store.Remote = true
				old := openHost(t, store)
				defer closeHost(t, old)
				ask(t, old, "a", 3)
				heir := openHost(t, store) // boots the same node id: the old one is fenced
				defer closeHost(t, heir)
				var seen entity.Token
				if _, err := add.Ask(t.Context(), heir, "a", wrapperspb.Int64(4), entity.Into(&seen)); err != nil {
					t.Fatal(err)
				}
				switch err := test.ask(t, old, seen); {
				case test.answers && err != nil:
					t.Errorf("it does not answer: %v", err)
				case !test.answers && !errors.Is(err, test.outcome):
					t.Errorf("the answer is %v, want %v", err, test.outcome)
				}
				time.Sleep(time.Second) //nolint:forbidigo // in a bubble
				if err := test.ask(t, old, seen); !errors.Is(err, entity.ErrUnavailable) {
					t.Errorf("a second later the answer is %v, want %v", err, entity.ErrUnavailable)
				}
			})
		})
	}
}

// A node that meets a page of a later epoch knows that it has been replaced, and no
// other entity of the shard answers from memory any more.
//
// Mutation seen to fail: ahead not giving the shard up.
func TestReplacedIsKnownByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		store.Remote = true
		old := openHost(t, store)
		defer closeHost(t, old)
		awake, asleep := "a", ""
		for i := 0; asleep == ""; i++ {
			if id := fmt.Sprint("b", i); old.ShardOf(entity.ID{Kind: "counter", ID: id}) == old.ShardOf(entity.ID{Kind: "counter", ID: awake}) {
				asleep = id
			}
		}
		ask(t, old, awake, 3)
		heir := openHost(t, store)
		defer closeHost(t, heir)
		ask(t, heir, asleep, 1)
		heir.Checkpoint(t.Context())
		if _, err := get.Ask(t.Context(), old, awake, &emptypb.Empty{}); err != nil {
			t.Fatal(err) // from memory
		}
		if _, err := get.Ask(t.Context(), old, asleep, &emptypb.Empty{}); !errors.Is(err, entity.ErrUnavailable) {
			t.Errorf("the one whose page is of a later epoch: %v", err)
		}
		if _, err := get.Ask(t.Context(), old, awake, &emptypb.Empty{}); !errors.Is(err, entity.ErrUnavailable) {
			t.Errorf("the one in memory: %v", err)
		}
	})
}
