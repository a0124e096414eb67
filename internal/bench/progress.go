package main

import (
	"fmt"
	"io"
)

// progress tells who watches what goes on, a line for each step of a row. The
// zero progress tells nobody. It belongs to one goroutine.
type progress struct {
	w    io.Writer
	row  string // that is being measured
	open bool   // the last line may get a result yet
}

// begin starts a line.
func (p *progress) begin(what string) {
	p.end()
	p.say(fmt.Sprintf("%-20s %s", p.row, what))
	p.open = true
}

// result completes the line with what came out.
func (p *progress) result(text string) {
	if p.open {
		p.say(": " + text)
	}
	p.end()
}

// end ends the line.
func (p *progress) end() {
	if p.open {
		p.say("\n")
		p.open = false
	}
}

func (p *progress) say(text string) {
	if p.w != nil {
		say(p.w, "%s", text)
	}
}
