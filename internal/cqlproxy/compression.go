package cqlproxy

import (
	"maps"
	"slices"
)

const compression = "COMPRESSION"

// withoutCompression leaves the algorithms out of what a server supports. Then
// no client asks for one.
func withoutCompression(f frame) frame {
	if f.opcode != OpSupported {
		return f
	}
	before := len(bodyOf(f).rest)
	prefix := f.body[:len(f.body)-before]
	b := bodyOf(f)
	options := make(map[string][]string)
	b.each(func() {
		name := b.string()
		options[name] = b.stringList()
	})
	if b.err != nil || len(options[compression]) == 0 {
		return f
	}
	options[compression] = nil
	changed := appendShort(slices.Clone(prefix), len(options))
	for _, name := range slices.Sorted(maps.Keys(options)) {
		changed = appendStringList(appendString(changed, name), options[name])
	}
	f.body = changed
	return f
}

// refuseCompression is the answer to a client that wants it nevertheless.
func refuseCompression(f frame) (refusal Failure, refused bool) {
	if f.flags&flagCompressed == 0 && !asksForCompression(f) {
		return Failure{}, false
	}
	return Failure{code: codeProtocol, message: "cqlproxy: no compression is supported here, as SUPPORTED says"}, true
}

func asksForCompression(f frame) bool {
	if f.opcode != OpStartup {
		return false
	}
	asks := false
	b := bodyOf(f)
	b.each(func() {
		name, value := b.string(), b.string()
		asks = asks || name == compression && value != ""
	})
	return asks
}
