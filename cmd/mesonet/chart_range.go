package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// dayRange is the low and the high of a day.
type dayRange struct {
	day       int
	low, high float64
}

// mostRows is the height of a chart, in lines, so that a month fits below its
// figures.
const mostRows = 16

// ranges draws the days of a month beside each other, each from its low to its
// high, to half a line where there are blocks for it.
//
//	20 |      ▄
//	15 |  ▄ █ █
//	10 |  █ ▀
//	   +-------
//	    1 2 3 4
func (p pen) ranges(w io.Writer, unit string, days int, of []dayRange) {
	if len(of) == 0 {
		return
	}
	low, high := of[0].low, of[0].high
	for _, d := range of {
		low, high = min(low, d.low), max(high, d.high)
	}
	from, step, rows := scale(low, high)
	decimals := 0
	if step < 1 {
		decimals = 1
	}
	width := 0
	for row := range rows {
		width = max(width, len(number(from+float64(row)*step, decimals)))
	}
	side, corner, floor := "│", "└", "─"
	if p.ascii {
		side, corner, floor = "|", "+", "-"
	}
	fmt.Fprintf(w, "  %*s %s\n", width, "", unit)
	for row := rows - 1; row >= 0; row-- {
		bottom := from + float64(row)*step
		line := []rune(strings.Repeat(" ", 2*days))
		for _, d := range of {
			if d.day >= 1 && d.day <= days {
				line[2*(d.day-1)] = p.cell(d, bottom, step)
			}
		}
		text := p.style.paint(rangeColour, strings.TrimRight(string(line), " "))
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %*s %s %s", width, number(bottom, decimals), side, text), " "))
	}
	fmt.Fprintf(w, "  %*s %s%s\n", width, "", corner, strings.Repeat(floor, 2*days))
	fmt.Fprintf(w, "  %*s   %s\n", width, "", dayAxis(days))
}

// cell draws what a day has between bottom and bottom+step.
func (p pen) cell(d dayRange, bottom, step float64) rune {
	middle := bottom + step/2
	lower := d.low < middle && d.high >= bottom
	upper := d.low < bottom+step && d.high >= middle
	switch {
	case p.ascii && (lower || upper):
		return '#'
	case lower && upper:
		return '█'
	case lower:
		return '▄'
	case upper:
		return '▀'
	}
	return ' '
}

// scale returns where an axis begins, how much a line of it is, and how many there
// are, at most mostRows where numbers are such as temperatures.
func scale(low, high float64) (from, step float64, rows int) {
	for _, step = range []float64{0.5, 1, 2, 5, 10, 20, 50, 100} {
		from = math.Floor(low/step) * step
		if rows = int(math.Floor((high-from)/step)) + 1; rows <= mostRows {
			return from, step, rows
		}
	}
	step = (high - low) / (mostRows - 1) // nothing on earth
	return low, step, mostRows
}

// dayAxis names the first day and each fifth.
func dayAxis(days int) string {
	line := []byte(strings.Repeat(" ", 2*days+1))
	for day := 1; day <= days; day++ {
		if day == 1 || day%5 == 0 {
			copy(line[2*(day-1):], fmt.Sprint(day))
		}
	}
	return strings.TrimRight(string(line), " ")
}
