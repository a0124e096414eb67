package quarantine

import (
	"github.com/mesonet/mesonet/actors/entity"
)

// GetLines asks for lines of a source in the order of their numbers.
type GetLines struct {
	Source string
	// After is the number of a line, there or not; those behind it are wanted.
	After uint32
	// Limit is how many, 1 to MaxLines.
	Limit int
}

// Lines are some lines of a source.
type Lines struct {
	// Lines in order: at least one if any is left, and no more than MaxBytes of
	// them.
	Lines []Line
	// More says that there are some behind them.
	More bool
}

func (q *Quarantine) lines(v *entity.View, g *GetLines) (Lines, error) {
	if g.Limit < 1 || g.Limit > MaxLines {
		return Lines{}, entity.RejectInvalid("a page of lines has 1 to %d, not %d", MaxLines, g.Limit).Because(BadLine)
	}
	_, c, err := q.kept(v, g.Source)
	if err != nil {
		return Lines{}, err
	}
	from, there := c.find(g.After)
	if there {
		from++
	}
	var reply Lines
	var lacking error
	bytes := 0
	for _, p := range c.places[from:] {
		if bytes += int(p.bytes); len(reply.Lines) == g.Limit || bytes > MaxBytes {
			reply.More = true
			break
		}
		// All pages are looked at before one that lacks is returned: they are
		// read at once.
		of, _, err := q.pages.Look(v, pageOf(p.slot))
		if err != nil {
			lacking = err
			reply.Lines = append(reply.Lines, Line{})
			continue
		}
		reply.Lines = append(reply.Lines, of.at(p.slot))
	}
	return reply, lacking
}

// at returns the line in a slot, which the contents say is there.
func (p *page) at(slot uint32) Line {
	i, ok := p.find(slot)
	if !ok {
		panic("quarantine: the contents name a slot that is empty") //nolint:forbidigo // a bug; supervision takes it
	}
	return p.lines[i].Line
}
