package gossip

import (
	"log"
	"log/slog"
	"strings"

	"github.com/mesonet/mesonet/cluster"
)

// memberlist tells of much in its log alone. logs takes its lines apart: what was
// refused or malformed goes to the bouncer, and all goes to slog, at level debug but
// for the few lines that ask an operator to do something. The tests provoke them with
// real garbage, so that another wording in a later release is noticed.
type logs struct {
	log      *slog.Logger
	door     *bouncer
	identity cluster.Identity
}

//nolint:forbidigo // memberlist takes no other logger, and what is written to it goes to slog
func (l *logs) logger() *log.Logger { return log.New(l, "", 0) }

// keyLines are of messages that can't be read with this node's keys.
var keyLines = []string{
	"no installed keys could decrypt the message",
	"encryption is configured but remote state is not encrypted",
	"remote state is encrypted and encryption is not configured",
	"Decrypt packet failed",
}

// malformedLines are of messages that are no messages.
var malformedLines = []string{
	"discarding packet with unacceptable label",
	"cannot decode label",
	"label header cannot be empty",
	"failed to receive:",
	"Failed to decode",
	"Failed to decompress",
	"Failed to read remote state",
	"Failed to receive user message",
	"truncated messages",
	"not supported",
	"missing message type byte",
	"Received invalid msgType",
	"invalid checksum",
	"protocol version(s) are wrong",
	"Vsn is not present",
	"UDP packet too short",
}

// networkLines are of connections that broke, whatever was read so far.
var networkLines = []string{"i/o timeout", "connection reset", "broken pipe", "use of closed", "closed pipe", errWireClosed.Error()}

// adviceLines are what somebody may have to do something about.
var adviceLines = []string{
	"over TCP but UDP probes failed",
	"handler queue full",
	"Binding to public address without encryption",
	"Too many pending push/pull requests",
}

func (l *logs) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	_, text, _ = strings.Cut(text, "] memberlist: ")
	if text == "" {
		text = strings.TrimSpace(string(line))
	}
	peer := ""
	if i := strings.LastIndex(text, "from="); i >= 0 {
		peer = text[i+len("from="):]
	}
	switch {
	case strings.HasPrefix(text, "discarding stream"), strings.HasPrefix(text, "failed to receive and remove the stream label"):
		// The wire has judged it.
	case strings.Contains(text, "unacceptable label \""+labelPrefix):
		label, _, _ := strings.Cut(text[strings.Index(text, labelPrefix):], `"`)
		l.door.refused(otherCluster(l.identity, peer, label), host(peer))
	case contains(text, networkLines):
	case contains(text, keyLines):
		l.door.refused(otherKey(peer), host(peer))
	case contains(text, malformedLines):
		l.door.malformed(peer, text)
	case contains(text, adviceLines):
		if l.door.first("advice", text) {
			l.log.Warn("gossip: " + text)
		}
		return len(line), nil
	}
	l.log.Debug("memberlist: " + text)
	return len(line), nil
}

func contains(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
