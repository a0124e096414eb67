package gossip

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hashicorp/memberlist"

	"github.com/mesonet/mesonet/cluster"
	"github.com/mesonet/mesonet/persistence"
)

// An announcement is what travels with a process: what it says of itself, and by what
// one sees that it is of this cluster. The cluster's name is in the label instead.
//
// Its encoding is a byte for the format and then fields as in protobuf, none of which
// is left out by accident: a field that is not there is zero. A reader skips fields
// that it does not know, so that a new one needs no new format, and nodes of two
// releases can run side by side. Numbers are never used again. The levels of a release
// from before there were any are the first.
type announcement struct {
	member cluster.Member
	store  string
	shards uint32
}

const announcementFormat = 1

const (
	fieldNode protowire.Number = iota + 1
	fieldIncarnation
	fieldState
	fieldWeight
	fieldZone
	fieldTransport
	fieldAPI
	fieldLeast
	fieldMost
	fieldVersion
	fieldStore
	fieldShards
	fieldLevelLeast
	fieldLevelMost
	fieldLevel
)

const lastField = fieldLevel

// encode returns an error when it is longer than memberlist carries.
func (a announcement) encode() ([]byte, error) {
	b := []byte{announcementFormat}
	number := func(field protowire.Number, v uint64) {
		if v != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
		}
	}
	text := func(field protowire.Number, v string) {
		if v != "" {
			b = protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
		}
	}
	m := a.member
	text(fieldNode, string(m.Node))
	number(fieldIncarnation, uint64(m.Incarnation))
	number(fieldState, uint64(m.State))
	number(fieldWeight, uint64(m.Weight))
	text(fieldZone, m.Zone)
	text(fieldTransport, m.Transport)
	text(fieldAPI, m.API)
	number(fieldLeast, uint64(m.Protocol.Least))
	number(fieldMost, uint64(m.Protocol.Most))
	text(fieldVersion, m.Version)
	text(fieldStore, a.store)
	number(fieldShards, uint64(a.shards))
	number(fieldLevelLeast, uint64(m.Levels.Least))
	number(fieldLevelMost, uint64(m.Levels.Most))
	number(fieldLevel, uint64(m.Level))
	if len(b) > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("gossip: what node %s says of itself takes %d bytes, and %d can be carried; shorten its zone (%d), addresses (%d and %d) or version (%d)",
			m.Node, len(b), memberlist.MetaMaxSize, len(m.Zone), len(m.Transport), len(m.API), len(m.Version))
	}
	return b, nil
}

var errMalformed = errors.New("gossip: malformed announcement")

// decodeAnnouncement never keeps b.
func decodeAnnouncement(b []byte) (announcement, error) {
	var a announcement
	switch {
	case len(b) == 0 || len(b) > memberlist.MetaMaxSize:
		return a, fmt.Errorf("%w: %d bytes", errMalformed, len(b))
	case b[0] != announcementFormat:
		return a, fmt.Errorf("%w: format %d, this node knows %d", errMalformed, b[0], announcementFormat)
	}
	b = b[1:]
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return a, fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		var err error
		switch {
		case kind == protowire.VarintType && field <= lastField:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			err = a.setNumber(field, v)
		case kind == protowire.BytesType && field <= lastField:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			err = a.setText(field, string(v))
		default: // of a later release
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			err = protowire.ParseError(n)
		}
		if err != nil {
			return a, fmt.Errorf("%w: field %d: %w", errMalformed, field, err)
		}
		b = b[n:]
	}
	m := &a.member
	m.Level = max(m.Level, persistence.Level1)
	m.Levels.Least = max(m.Levels.Least, persistence.Level1)
	m.Levels.Most = max(m.Levels.Most, m.Levels.Least)
	if err := cluster.CheckNode(a.member.Node); err != nil {
		return a, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if a.member.State == 0 {
		return a, fmt.Errorf("%w: node %s has no state", errMalformed, a.member.Node)
	}
	return a, nil
}

var (
	errTooLarge = errors.New("number too large")
	errKind     = errors.New("a text where a number belongs, or the other way round")
)

func (a *announcement) setNumber(field protowire.Number, v uint64) error {
	m := &a.member
	most := uint64(1)<<32 - 1
	switch field {
	case fieldIncarnation:
		m.Incarnation = persistence.Incarnation(v)
		return nil
	case fieldState:
		m.State, most = cluster.State(v), 1<<8-1 // one of a later release has a number for a name
	case fieldWeight:
		m.Weight = uint32(v)
	case fieldLeast:
		m.Protocol.Least = uint32(v)
	case fieldMost:
		m.Protocol.Most = uint32(v)
	case fieldShards:
		a.shards = uint32(v)
	case fieldLevelLeast:
		m.Levels.Least = persistence.Level(v)
	case fieldLevelMost:
		m.Levels.Most = persistence.Level(v)
	case fieldLevel:
		m.Level = persistence.Level(v)
	default:
		return errKind
	}
	if v > most {
		return errTooLarge
	}
	return nil
}

func (a *announcement) setText(field protowire.Number, v string) error {
	m := &a.member
	switch field {
	case fieldNode:
		m.Node = persistence.NodeID(v)
	case fieldZone:
		m.Zone = v
	case fieldTransport:
		m.Transport = v
	case fieldAPI:
		m.API = v
	case fieldVersion:
		m.Version = v
	case fieldStore:
		a.store = v
	default:
		return errKind
	}
	return nil
}
