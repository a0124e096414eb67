package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// simple is one command of a line.
type simple struct {
	words   []string
	in, out string // files
}

// parseLine reads as much of the language of a shell as the pages use: words, both
// kinds of quotes, <, > and |.
func parseLine(line string) ([]simple, error) {
	commands := []simple{{}}
	target := "" // of the redirection that waits for its file
	take := func(word string) {
		c := &commands[len(commands)-1]
		switch target {
		case "<":
			c.in = word
		case ">":
			c.out = word
		default:
			c.words = append(c.words, word)
		}
		target = ""
	}
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		switch rest[0] {
		case '|':
			commands = append(commands, simple{})
			rest = rest[1:]
			continue
		case '<', '>':
			target, rest = rest[:1], rest[1:]
			continue
		}
		word, after, err := parseWord(rest)
		if err != nil {
			return nil, err
		}
		take(word)
		rest = after
	}
	for _, c := range commands {
		if len(c.words) == 0 || target != "" {
			return nil, errors.New("a command, or a file, is missing")
		}
	}
	return commands, nil
}

func parseWord(text string) (word, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			length := strings.IndexByte(text[i+1:], c)
			if length < 0 {
				return "", "", fmt.Errorf("a quote has no end: %s", text[i:])
			}
			quoted := text[i+1 : i+1+length]
			if c == '"' && strings.ContainsAny(quoted, "$`\\") {
				return "", "", fmt.Errorf("use single quotes for %q", quoted)
			}
			b.WriteString(quoted)
			i += length + 1
		case unicode.IsSpace(rune(c)) || strings.IndexByte("|<>", c) >= 0:
			return b.String(), text[i:], nil
		case strings.IndexByte("$`\\;&*?()", c) >= 0:
			return "", "", fmt.Errorf("a shell does something with the %c in %q: quote it", c, text)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", nil
}

// curl does what curl does with the options that the pages use.
func curl(ctx context.Context, args []string, stdout io.Writer) error {
	method, address, after := "", "", ""
	var body io.Reader
	header := http.Header{}
	data := func(text string, lines bool) error {
		if name, isFile := strings.CutPrefix(text, "@"); isFile {
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text = string(content)
			if !lines {
				text = strings.NewReplacer("\n", "", "\r", "").Replace(text)
			}
		}
		body = strings.NewReader(text)
		return nil
	}
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i++; i < len(args) {
				return args[i]
			}
			return ""
		}
		var err error
		switch option := args[i]; option {
		case "-s":
		case "-X":
			method = value()
		case "-d":
			err = data(value(), false)
		case "--data-binary":
			err = data(value(), true)
		case "-H":
			name, text, _ := strings.Cut(value(), ":")
			header.Add(name, strings.TrimSpace(text))
		case "-w":
			after = strings.ReplaceAll(value(), `\n`, "\n")
		default:
			if strings.HasPrefix(option, "-") || address != "" {
				return fmt.Errorf("the pages' curl does not know %q", option)
			}
			address = option
		}
		if err != nil {
			return err
		}
	}
	if body != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
	}
	if method == "" && body != nil {
		method = http.MethodPost
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	request.Header = header
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(stdout, answer.Body); err != nil {
		return err
	}
	after = strings.ReplaceAll(after, "%{http_code}", strconv.Itoa(answer.StatusCode))
	after = strings.ReplaceAll(after, "%header{mesonet-token}", answer.Header.Get("Mesonet-Token"))
	_, err = io.WriteString(stdout, after)
	return err
}

// cat writes files.
func cat(args []string, stdout io.Writer) error {
	for _, name := range args {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := stdout.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// head writes the first lines: head -3.
func head(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("the pages' head is head -N")
	}
	n, err := strconv.Atoi(strings.TrimPrefix(args[0], "-"))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		if n--; n < 0 {
			break
		}
		if _, err := stdout.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// compare is cmp - FILE.
func compare(args []string, stdin io.Reader) error {
	if len(args) != 2 || args[0] != "-" {
		return errors.New("the pages' cmp is cmp - FILE")
	}
	got, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	want, err := os.ReadFile(args[1])
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("it differs from %s", args[1])
	}
	return err
}
