package cqlproxy

import (
	"strings"
	"unicode"
)

// A Statement is what the proxy understands of a statement's text.
type Statement struct {
	// Text is as it was sent. Of a batch written as one text it is the part
	// that is this statement.
	Text string

	// Verb is the first word in capitals: SELECT, INSERT, UPDATE, DELETE, ...
	Verb string

	// Keyspace is that of the text, or else the one in use when it was sent;
	// empty if there was none.
	Keyspace string

	// Table is empty for a statement that is about none.
	Table string

	// Conditional is a write with IF: a lightweight transaction.
	Conditional bool

	markers int // how many values are bound to it
}

// IsWrite reports whether the statement changes rows.
func (s Statement) IsWrite() bool {
	return s.Verb == "INSERT" || s.Verb == "UPDATE" || s.Verb == "DELETE"
}

// QualifiedTable is KEYSPACE.TABLE, or TABLE alone where the keyspace is not
// known, or empty.
func (s Statement) QualifiedTable() string {
	if s.Keyspace == "" || s.Table == "" {
		return s.Table
	}
	return s.Keyspace + "." + s.Table
}

// parse returns the statements of a text: one, or those of BEGIN BATCH. It is
// no grammar: it knows where literals, comments and quoted names are, and looks
// for words that CQL reserves.
func parse(text, keyspace string) []Statement {
	tokens := tokenize(text)
	if len(tokens) == 0 || !tokens[0].is("BEGIN") {
		return []Statement{parseOne(text, keyspace, tokens)}
	}
	var statements []Statement
	begin := -1
	add := func(end int) {
		if begin >= 0 {
			part := strings.TrimRight(text[tokens[begin].at:endOf(text, tokens, end)], "; \t\r\n")
			statements = append(statements, parseOne(part, keyspace, tokens[begin:end]))
		}
		begin = end
	}
	for i, t := range tokens {
		if t.is("INSERT") || t.is("UPDATE") || t.is("DELETE") || t.is("APPLY") {
			add(i)
		}
	}
	return statements
}

func endOf(text string, tokens []token, end int) int {
	if end < len(tokens) {
		return tokens[end].at
	}
	return len(text)
}

func parseOne(text, keyspace string, tokens []token) Statement {
	s := Statement{Text: text, Keyspace: keyspace}
	if len(tokens) > 0 {
		s.Verb = strings.ToUpper(tokens[0].text)
	}
	tableAfter := map[string]string{"SELECT": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE", "DELETE": "FROM", "TRUNCATE": "TRUNCATE"}[s.Verb]
	for i, t := range tokens {
		switch {
		case t.is("?") || t.is(":"):
			s.markers++
		case t.is("IF"):
			s.Conditional = s.IsWrite()
		case tableAfter != "" && t.is(tableAfter) && s.Table == "":
			s.setTable(tokens[i+1:])
		}
	}
	return s
}

func (s *Statement) setTable(tokens []token) {
	if len(tokens) > 0 && tokens[0].is("TABLE") {
		tokens = tokens[1:]
	}
	switch {
	case len(tokens) > 2 && tokens[1].is("."):
		s.Keyspace, s.Table = tokens[0].name(), tokens[2].name()
	case len(tokens) > 0:
		s.Table = tokens[0].name()
	}
}

// A token is a word, a quoted name or one other character. Literals and
// comments are left out.
type token struct {
	at     int
	text   string
	quoted bool
}

func (t token) is(word string) bool { return !t.quoted && strings.EqualFold(t.text, word) }

// name is that of a table or keyspace: lower case, unless it was quoted.
func (t token) name() string {
	if t.quoted {
		return t.text
	}
	return strings.ToLower(t.text)
}

func tokenize(text string) []token {
	var tokens []token
	for at := 0; at < len(text); {
		rest := text[at:]
		n := 1
		switch c := rest[0]; {
		case unicode.IsSpace(rune(c)):
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "//"):
			n = through(rest, 2, "\n")
		case strings.HasPrefix(rest, "/*"):
			n = through(rest, 2, "*/")
		case strings.HasPrefix(rest, "$$"):
			n = through(rest, 2, "$$")
		case c == '\'':
			n = quoted(rest)
		case c == '"':
			n = quoted(rest)
			name := strings.TrimSuffix(rest[1:n], `"`)
			tokens = append(tokens, token{at: at, text: strings.ReplaceAll(name, `""`, `"`), quoted: true})
		case isWord(c):
			for n < len(rest) && isWord(rest[n]) {
				n++
			}
			tokens = append(tokens, token{at: at, text: rest[:n]})
		default:
			tokens = append(tokens, token{at: at, text: rest[:1]})
		}
		at += n
	}
	return tokens
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// through returns how long the text is up to and with the end, or to its own.
func through(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// quoted returns how long the literal is that the text begins with. A quote
// that is doubled is part of it.
func quoted(text string) int {
	for n := 1; n < len(text); n++ {
		if text[n] != text[0] {
			continue
		}
		if n+1 == len(text) || text[n+1] != text[0] {
			return n + 1
		}
		n++
	}
	return len(text)
}
