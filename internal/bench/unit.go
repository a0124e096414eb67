package main

import (
	"fmt"
	"strconv"
	"strings"
)

// unit is what a figure counts; programs see its name, people what format makes
// of it.
type unit string

const (
	observationsPerSecond unit = "observations/s"
	readingsPerSecond     unit = "readings/s"
	asksPerSecond         unit = "asks/s"
	seconds               unit = "s"
	bytesEach             unit = "B"
	bytesPerByte          unit = "B/B"
	hours                 unit = "h"
	count                 unit = "1"
	timesThat             unit = "x"
)

// format writes a figure with three digits that count.
func (u unit) format(v float64) string {
	switch u {
	case observationsPerSecond, readingsPerSecond, asksPerSecond:
		return rate(v)
	case seconds:
		return duration(v)
	case bytesEach:
		return size(v)
	case hours:
		return digits(v) + " h"
	case bytesPerByte, timesThat:
		return digits(v)
	case count:
		return thousands(int64(v))
	}
	return digits(v)
}

func rate(v float64) string {
	switch {
	case v >= 1e6:
		return digits(v/1e6) + " M/s"
	case v >= 1e3:
		return digits(v/1e3) + " k/s"
	}
	return digits(v) + " /s"
}

func duration(v float64) string {
	switch {
	case v >= 1:
		return digits(v) + " s"
	case v >= 1e-3:
		return digits(v*1e3) + " ms"
	}
	return digits(v*1e6) + " µs"
}

func size(v float64) string {
	switch {
	case v >= 1<<30:
		return digits(v/(1<<30)) + " GiB"
	case v >= 1<<20:
		return digits(v/(1<<20)) + " MiB"
	}
	return thousands(int64(v)) + " B"
}

// digits writes a number with three digits that count, whole from 100 on.
func digits(v float64) string {
	if v < 100 { // 9.999 is 10.0, not 10.00
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	}
	switch {
	case v >= 100:
		return thousands(int64(v + 0.5))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// thousands writes a whole number with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plain writes a number without zeroes that say nothing.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// words writes a goal as people read it.
func (g goal) words(u unit) string {
	sign := map[bound]string{atLeast: "≥", atMost: "≤", below: "<"}[g.Must]
	switch {
	case g.Of == ofRatio:
		return "ratio " + sign + " " + plain(g.Value)
	case u == observationsPerSecond:
		return sign + " " + rate(g.Value)
	case u == seconds:
		return sign + " " + plain(g.Value) + " s"
	case u == bytesEach && g.Value >= 1<<30:
		return sign + " " + plain(g.Value/(1<<30)) + " GiB"
	case u == bytesEach:
		return sign + " " + size(g.Value)
	}
	return sign + " " + plain(g.Value)
}

// outcome says in words whether a goal is reached.
func (g *goal) outcome() string {
	switch {
	case g == nil:
		return "no goal"
	case g.Reached:
		return "reached"
	}
	return "missed"
}

// counted writes a number with its noun: 1 station, 1,000 stations.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%s %s", thousands(int64(n)), noun)
}
