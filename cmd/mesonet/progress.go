package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// progress tells people how far something is: with a bar that is redrawn where
// somebody watches, else with a line now and then. It may be used from several
// goroutines.
type progress struct {
	w     io.Writer
	live  bool
	width int // of the terminal
	pause time.Duration
	mu    sync.Mutex
	last  time.Time // of the last line, when not live
	shown bool      // a bar stands in the line of the cursor
}

const barWidth = 24

func (a *app) progress() *progress {
	p := &progress{w: a.err, live: isTerminal(a.err), pause: 5 * time.Second, width: 80, last: time.Now()}
	if f, ok := a.err.(*os.File); ok && p.live {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			p.width = width
		}
	}
	return p
}

// show draws how far something is: part of it, 0 to 1, or an unknown part when
// it is negative.
func (p *progress) show(what string, part float64, details ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	detail := strings.Join(details, ", ")
	if !p.live {
		if now := time.Now(); now.Sub(p.last) >= p.pause {
			p.last = now
			fmt.Fprintf(p.w, "%s: %s%s\n", what, percent(part), detail)
		}
		return
	}
	line := fmt.Sprintf("  %s %s %s%s", what, bar(part), percent(part), detail)
	if over := utf8.RuneCountInString(line) - (p.width - 1); over > 0 { // or it would wrap, and stay
		line = string([]rune(line)[:p.width-1])
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	p.shown = true
}

// note writes a line that stays.
func (p *progress) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// done takes the bar away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

func (p *progress) wipe() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

func bar(part float64) string {
	if part < 0 {
		return "[" + strings.Repeat("·", barWidth) + "]"
	}
	full := min(barWidth, int(part*barWidth))
	return "[" + strings.Repeat("█", full) + strings.Repeat("·", barWidth-full) + "]"
}

func percent(part float64) string {
	if part < 0 {
		return ""
	}
	return fmt.Sprintf("%3.0f %%  ", min(100, 100*part))
}

// left shows an estimate of the time that is left; "" when there is none.
func left(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return d.Round(time.Second).String() + " left"
}
