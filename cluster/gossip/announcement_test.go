package gossip

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

func full() announcement {
	return announcement{
		store: identity.Store, shards: 1 << 16,
		member: cluster.Member{
			Node: "n-1", Incarnation: 1 << 40, State: cluster.Draining, Weight: 3, Zone: "eu-1", Version: "1.2.3",
			Transport: "[2001:db8::1]:7947", API: "n-1.example:7948", Protocol: cluster.Protocol{Least: 4, Most: 5},
			Levels: persistence.Levels{Least: 2, Most: 3}, Level: 2,
		},
	}
}

func TestAnnouncement(t *testing.T) {
	for _, want := range []announcement{full(), {member: cluster.Member{Node: "a", State: cluster.Joining}}} {
		b, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		if want.member.Level == 0 { // as of a release that knows of no levels
			want.member.Level, want.member.Levels = 1, persistence.Levels{Least: 1, Most: 1}
		}
		if got, err := decodeAnnouncement(b); err != nil || got != want {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		// What a later release adds is skipped, and a state of it has a number.
		b = protowire.AppendVarint(protowire.AppendTag(b, 99, protowire.VarintType), 5)
		b = protowire.AppendString(protowire.AppendTag(b, 98, protowire.BytesType), "new")
		b = protowire.AppendFixed64(protowire.AppendTag(b, 97, protowire.Fixed64Type), 5)
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldState, protowire.VarintType), 200)
		want.member.State = 200
		if got, err := decodeAnnouncement(b); err != nil || got != want {
			t.Errorf("with later fields: got %+v, %v\nwant %+v", got, err, want)
		}
	}
}

// The bytes are a contract between releases.
func TestAnnouncementBytes(t *testing.T) {
	got, err := full().encode()
	if err != nil {
		t.Fatal(err)
	}
	want := "\x01\x0a\x03n-1\x10\x80\x80\x80\x80\x80\x20\x18\x04\x20\x03\x2a\x04eu-1\x32\x12[2001:db8::1]:7947\x3a\x10n-1.example:7948\x40\x04\x48\x05\x52\x051.2.3\x5a\x20" +
		identity.Store + "\x60\x80\x80\x04\x68\x02\x70\x03\x78\x02"
	if string(got) != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAnnouncementTooLong(t *testing.T) {
	a := full()
	a.member.Zone = strings.Repeat("z", 450)
	if _, err := a.encode(); err == nil || !strings.Contains(err.Error(), "512 can be carried; shorten its zone (450)") {
		t.Errorf("got %v", err)
	}
	n := start(t, nil, "a")
	m := member("a")
	m.Zone = a.member.Zone
	if err := n.Announce(m); err == nil {
		t.Error("it was announced")
	}
	if got := n.Members()[0].Zone; got != "a" {
		t.Errorf("zone %q is announced", got)
	}
	if err := n.Announce(member("b")); err == nil {
		t.Error("a speaks for b")
	}
}

func TestMalformedAnnouncements(t *testing.T) {
	good, err := full().encode()
	if err != nil {
		t.Fatal(err)
	}
	with := func(b ...byte) []byte { return append(bytes.Clone(good), b...) }
	for name, b := range map[string][]byte{
		"empty":             {},
		"long":              append(bytes.Clone(good), make([]byte, memberlist.MetaMaxSize)...),
		"another format":    append([]byte{2}, good[1:]...),
		"cut":               good[:len(good)-1],
		"no node":           {1, 0x18, 1},
		"no state":          {1, 0x0a, 1, 'a'},
		"a bad name":        {1, 0x0a, 1, '/', 0x18, 1},
		"state too large":   with(0x18, 0x80, 0x02),
		"weight too large":  with(0x20, 0x80, 0x80, 0x80, 0x80, 0x10),
		"text for a number": with(0x1a, 1, 'x'),
		"number for a text": with(0x08, 1),
		"field 0":           with(0x00, 1),
	} {
		if a, err := decodeAnnouncement(b); !errors.Is(err, errMalformed) {
			t.Errorf("%s: got %+v, %v", name, a, err)
		}
	}
}

func FuzzAnnouncement(f *testing.F) {
	good, err := full().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{1, 0x0a, 1, 'a', 0x18, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAnnouncement(b)
		if err != nil {
			return
		}
		again, err := a.encode()
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		if got, err := decodeAnnouncement(again); err != nil || got != a {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, a)
		}
	})
}
