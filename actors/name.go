package actors

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names and paths. A name is any string but the empty one: entity ids come
// from outside, and a spawn that fails on a strange id, or lets "a/b" pass for
// the child b of a, would be a hole. So a path is made of escaped names, joined
// with '/': a byte that would be ambiguous or unprintable is written %XX, as in
// a URL. Escaping is one to one, so two actors never share a path.

const upperHex = "0123456789ABCDEF"

// escapeName returns name as it stands in a path: '/' and '%', what is not
// printable and what is not UTF-8 become %XX. Most names are returned as they
// are.
func escapeName(name string) string {
	n := 0 // bytes that need no escape
	for n < len(name) && plain(name[n]) {
		n++
	}
	if n == len(name) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if r == '/' || r == '%' || !unicode.IsPrint(r) || r == utf8.RuneError && size == 1 {
			for _, c := range []byte(name[i : i+size]) {
				b.WriteByte('%')
				b.WriteByte(upperHex[c>>4])
				b.WriteByte(upperHex[c&15])
			}
		} else {
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String()
}

// unescapeName undoes escapeName.
func unescapeName(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func plain(c byte) bool { return c >= ' ' && c < 0x7f && c != '/' && c != '%' }

func unhex(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// lastSegment returns what follows the last '/' of a path.
func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
