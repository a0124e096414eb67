package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mesonet/mesonet/weather"
)

const (
	yearHours = 366 * 24       // of 2008
	yearRun   = yearHours / 12 // observations of a message: about a month
)

// prepareYear makes a store in dir whose stations have observed every hour of
// 2008, all of it in pages.
func (s *suite) prepareYear(ctx context.Context, dir string) (err error) {
	n, err := startNode(ctx, s.config(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }() // stores the pages
	if err := n.register(ctx, s.opt.yearly); err != nil {
		return err
	}
	return n.observeYear(ctx, s.opt.yearly)
}

// observeYear gives each of the first stations every hour of 2008.
func (n *node) observeYear(ctx context.Context, stations int) error {
	load, err := newRounds(stations)
	if err != nil {
		return err
	}
	all := stations * yearHours / yearRun
	got, err := feed(ctx, n, stream{rows: yearRun, inFlight: inFlight, fill: func(m *message) bool {
		return load.next < all && load.fill(m)
	}})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && got != stations*yearHours {
		err = fmt.Errorf("%d observations were acknowledged, not %d", got, stations*yearHours)
	}
	return err
}

// count returns how many observations of the year have a measure.
func (y *sampleYear) count(m weather.MeasureID) (n int) {
	for _, v := range y.columns[m] {
		if v != weather.Missing {
			n++
		}
	}
	return n
}
