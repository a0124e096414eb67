package main

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// quality has the fields of mesonet.v1.GetStationQualityResponse.
type quality struct {
	Ranges []usualRange `json:"ranges"`

	of *measureList
}

// usualRange has the fields of mesonet.v1.UsualRange.
type usualRange struct {
	Measure string  `json:"measure"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Own     bool    `json:"own"`
}

func newQuality(of *measureList, ranges []*mesonetv1.UsualRange) *quality {
	q := &quality{Ranges: []usualRange{}, of: of}
	for _, r := range ranges {
		q.Ranges = append(q.Ranges, usualRange{r.GetMeasure(), r.GetLow(), r.GetHigh(), r.GetOwn()})
	}
	return q
}

func (q *quality) table(w io.Writer) {
	t := table{header: []string{"MEASURE", ">USUAL FROM", ">TO", "UNIT", "LIMITS OF"}}
	for _, r := range q.Ranges {
		m, err := q.of.find(r.Measure)
		if err != nil { // a server that has it and does not list it
			m = &measure{}
		}
		whose := "the network"
		if r.Own {
			whose = "the station"
		}
		t.add(r.Measure, number(r.Low, int(m.Decimals)), number(r.High, int(m.Decimals)), m.Unit, whose)
	}
	t.write(w)
}

func (q *quality) list() listing { return listOf(slices.Values(q.Ranges)) }

// parseRange reads MEASURE=LOW..HIGH.
func parseRange(text string) (*mesonetv1.UsualRange, error) {
	name, bounds, _ := strings.Cut(text, "=")
	low, high, ok := strings.Cut(bounds, "..")
	r := &mesonetv1.UsualRange{Measure: name}
	var lowErr, highErr error
	r.Low, lowErr = parseNumber(low)
	r.High, highErr = parseNumber(high)
	switch {
	case name == "" || !ok || lowErr != nil || highErr != nil:
		return nil, misuse("--set %q is not a range; write it as temperature=-30..40", text)
	case r.GetLow() > r.GetHigh():
		return nil, misuse("--set %q has its low above its high; write it as temperature=-30..40", text)
	}
	return r, nil
}

// parseNumber reads a plain decimal number: no 1e3, 0x10, NaN.
func parseNumber(text string) (float64, error) {
	if strings.Trim(text, "+-.0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

// setQuality gives a station ranges of its own in addition to those that it has, or
// leaves it none.
func (c *client) setQuality(ctx context.Context, station string, ranges []*mesonetv1.UsualRange, forget bool) ([]*mesonetv1.UsualRange, error) {
	if !forget {
		held, err := c.GetStationQuality(ctx, &mesonetv1.GetStationQualityRequest{Station: station})
		if err != nil {
			return nil, err
		}
		for _, r := range held.GetRanges() {
			if r.GetOwn() && !slices.ContainsFunc(ranges, func(set *mesonetv1.UsualRange) bool { return set.GetMeasure() == r.GetMeasure() }) {
				ranges = append(ranges, r)
			}
		}
	}
	r, err := c.SetStationQuality(ctx, &mesonetv1.SetStationQualityRequest{Station: station, Ranges: ranges})
	return r.GetRanges(), err
}

func stationQualityCommand(a *app) *cobra.Command {
	var q asking
	var set []string
	var forget bool
	c := &cobra.Command{
		Use:   "quality STATION",
		Short: "What is usual at a station: show the limits, or set them",
		Long: `Shows within what limits values of a station are usual. One outside is kept, marked
as erroneous, and left out of all figures. With --set a station has limits of its
own, of its climate, which judge what comes from then on; with --clear it has those
of the network again.`,
		Example: `  mesonet station quality 725030:14732
  mesonet station quality 725030:14732 --set temperature=-30..40
  mesonet station quality 725030:14732 --clear`,
		Args: arguments("STATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, err := parseStation(args[0])
			if err != nil {
				return err
			}
			if forget && len(set) > 0 {
				return misuse("--set and --clear contradict each other; write one of them")
			}
			var ranges []*mesonetv1.UsualRange
			for _, text := range set {
				r, err := parseRange(text)
				if err != nil {
					return err
				}
				if slices.ContainsFunc(ranges, func(before *mesonetv1.UsualRange) bool { return before.GetMeasure() == r.GetMeasure() }) {
					return misuse("--set gives %s two ranges; write one of them", r.GetMeasure())
				}
				ranges = append(ranges, r)
			}
			return q.answer(a, func(server *client) (answer, error) {
				ctx := cmd.Context()
				of, err := server.measures(ctx)
				if err != nil {
					return nil, err
				}
				for _, r := range ranges {
					if _, err := of.find(r.GetMeasure()); err != nil {
						return nil, err
					}
				}
				if forget || len(ranges) > 0 {
					held, err := server.setQuality(ctx, station, ranges, forget)
					return newQuality(of, held), err
				}
				r, err := server.GetStationQuality(ctx, &mesonetv1.GetStationQualityRequest{Station: station})
				return newQuality(of, r.GetRanges()), err
			})
		},
	}
	c.Flags().StringArrayVar(&set, "set", nil, "a range of its own, as `MEASURE=LOW..HIGH`; may be repeated")
	c.Flags().BoolVar(&forget, "clear", false, "no ranges of its own any more")
	q.flags(c)
	completeMeasures(c, &q.connection, "set")
	return c
}
