package main

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	remote "github.com/mesonet/mesonet/client"
)

// codeFile is a file with code that pages show.
type codeFile struct {
	path, text string
	file       *ast.File
}

// readCode reads the files that have the blocks of Go of the pages.
func readCode(repository string) (all []*codeFile, err error) {
	for _, path := range []string{
		"cmd/mesonet/docs_go_test.go",
		"client/example_test.go",
		"examples/counter/main.go",
		"examples/counter/main_test.go",
	} {
		text, err := os.ReadFile(filepath.Join(repository, path))
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		all = append(all, &codeFile{path, string(text), file})
	}
	return all, nil
}

// functionOf returns the name of the function in which a block stands, as it is but
// for the indentation, "" for one beside functions. Lines with … leave something
// out.
func (f *codeFile) functionOf(block string) (name string, found bool) {
	from := 0
	for part := range strings.SplitSeq(regexp.MustCompile(`(?m)^\s*…\n`).ReplaceAllString(block, "\x00"), "\x00") {
		if part == "" {
			continue
		}
		at := -1
		for indent := ""; at < 0 && len(indent) < 4; indent += "\t" {
			at = strings.Index(f.text[from:], "\n"+regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(part, indent+"$1"))
		}
		if at < 0 {
			return "", false
		}
		from += at + 1
		for _, declaration := range f.file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && int(function.Pos()-f.file.FileStart) <= from && int(function.End()-f.file.FileStart) > from {
				name = function.Name.Name
			}
		}
	}
	return name, true
}

// snippet calls the function in which a block of Go stands.
func (y *player) snippet(s part) {
	var called func(ctx context.Context, c *remote.Client) error
	known := false
	for _, file := range y.code {
		name, found := file.functionOf(s.text)
		if known = known || found; found && filepath.Base(file.path) == "docs_go_test.go" {
			if called = snippets[name]; called == nil {
				y.errorf(s, "the function %s of %s is not among those that are called", name, file.path)
			}
		}
	}
	if !known {
		y.errorf(s, "this stands in no file of code:\n%s", s.text)
	}
	if called == nil {
		return // another test calls it
	}
	printed, err := y.callSnippet(called)
	if err != nil {
		y.errorf(s, "%v", err)
		return
	}
	if want, got := saidOutput(s.text), strings.Split(strings.TrimSpace(printed), "\n"); !matches(want, got) {
		y.errorf(s, "this prints\n%s\nand not\n%s", printed, strings.Join(want, "\n"))
	}
}

func (y *player) callSnippet(f func(ctx context.Context, c *remote.Client) error) (printed string, err error) {
	if len(y.servers) == 0 {
		if err := y.startFallback(); err != nil {
			return "", err
		}
	}
	c, err := remote.Dial(remote.DefaultConfig(y.servers[len(y.servers)-1].node[0]))
	if err != nil {
		return "", err
	}
	defer c.Close()
	terminal := os.Stdout
	file, err := os.Create(filepath.Join(y.t.TempDir(), "stdout"))
	if err != nil {
		return "", err
	}
	os.Stdout = file
	err = f(y.t.Context(), c)
	os.Stdout = terminal
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file.Name())
	return string(bytes.TrimSpace(text)), err
}

// saidOutput is what a block says that it prints: behind what prints it, one line
// each, with … at its end where more are printed.
func saidOutput(block string) (lines []string) {
	for _, found := range regexp.MustCompile(`(?m)^\s*fmt\.Print.*\) // (.*)$`).FindAllStringSubmatch(block, -1) {
		line, more := strings.CutSuffix(found[1], " "+anything)
		if lines = append(lines, line); more {
			lines = append(lines, anything)
		}
	}
	return lines
}
