package main

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// ranking has the fields of mesonet.v1.GetTopResponse.
type ranking struct {
	Station      string     `json:"station"`
	Period       string     `json:"period"`
	Measure      string     `json:"measure"`
	Unit         string     `json:"unit"`
	Ranks        []rankedAt `json:"ranks"`
	Observations uint32     `json:"observations"`
	MissingHours uint32     `json:"missing_hours"`

	decimals int
	days     bool
}

type rankedAt struct {
	Time  time.Time `json:"time"`
	Value float64   `json:"value"`
}

// wettest has the fields of mesonet.v1.GetTopPrecipitationResponse.
type wettest struct {
	Station      string    `json:"station"`
	Period       string    `json:"period"`
	Wettest      []wetSpan `json:"wettest"`
	Observations uint32    `json:"observations"`
	MissingHours uint32    `json:"missing_hours"`

	days bool
}

type wetSpan struct {
	Time        time.Time `json:"time"`
	Millimetres float64   `json:"millimetres"`
}

// topAsked is what mesonet top is asked.
type topAsked struct {
	measure, station string
	of               period
	k                int32
	days, lowest     bool
	erroneous        bool
}

// mostRanked is the most places that a server gives.
const mostRanked = 1000

// rain is the name of the question about the wettest hours and days, which has no
// measure of its own.
const rain = "precipitation"

func (q *topAsked) span() mesonetv1.Span {
	if q.days {
		return mesonetv1.Span_SPAN_DAY
	}
	return mesonetv1.Span_SPAN_HOUR
}

func (c *client) top(ctx context.Context, q *topAsked) (*ranking, error) {
	all, err := c.measures(ctx)
	if err != nil {
		return nil, err
	}
	m, err := all.find(q.measure)
	if err != nil {
		return nil, err
	}
	r, err := c.GetTop(ctx, &mesonetv1.GetTopRequest{
		Station: q.station, Measure: q.measure, Year: q.of.year, Month: q.of.month,
		K: &q.k, Span: q.span(), Lowest: q.lowest, IncludeErroneous: q.erroneous,
	})
	if err != nil {
		return nil, err
	}
	found := &ranking{
		Station: r.GetStation(), Period: q.of.String(), Measure: r.GetMeasure(), Unit: r.GetUnit(), Ranks: []rankedAt{},
		Observations: r.GetObservations(), MissingHours: r.GetMissingHours(), decimals: int(m.Decimals), days: q.days,
	}
	for _, rank := range r.GetRanks() {
		found.Ranks = append(found.Ranks, rankedAt{rank.GetTime().AsTime(), rank.GetValue()})
	}
	return found, nil
}

func (c *client) wettest(ctx context.Context, q *topAsked) (*wettest, error) {
	r, err := c.GetTopPrecipitation(ctx, &mesonetv1.GetTopPrecipitationRequest{
		Station: q.station, Year: q.of.year, Month: q.of.month, K: &q.k, Span: q.span(), IncludeErroneous: q.erroneous,
	})
	if err != nil {
		return nil, err
	}
	found := &wettest{
		Station: r.GetStation(), Period: q.of.String(), Wettest: []wetSpan{},
		Observations: r.GetObservations(), MissingHours: r.GetMissingHours(), days: q.days,
	}
	for _, rank := range r.GetWettest() {
		found.Wettest = append(found.Wettest, wetSpan{rank.GetTime().AsTime(), rank.GetMillimetres()})
	}
	return found, nil
}

// ranked is a place as it stands alone.
type ranked struct {
	Station string    `json:"station"`
	Period  string    `json:"period"`
	Measure string    `json:"measure"`
	Unit    string    `json:"unit"`
	Rank    int       `json:"rank"`
	Time    time.Time `json:"time"`
	Value   float64   `json:"value"`
}

func (r *ranking) list() listing { return listOf(r.rows()) }

func (r *ranking) rows() iter.Seq[ranked] {
	return func(yield func(ranked) bool) {
		for i, rank := range r.Ranks {
			if !yield(ranked{r.Station, r.Period, r.Measure, r.Unit, i + 1, rank.Time, rank.Value}) {
				return
			}
		}
	}
}

func (r *ranking) remark(f format) string { return ofAll(f, r.Observations, r.MissingHours) }

func (r *ranking) table(w io.Writer) {
	writeRanking(w, r.days, r.decimals, fields{
		{"station", r.Station},
		{"period", r.Period + " (UTC)"},
		{"measure", spaced(r.Measure)},
		{"observations", restsOn(r.Observations, r.MissingHours)},
	}, r.Unit, r.Ranks)
}

// wetRank is a place as it stands alone.
type wetRank struct {
	Station     string    `json:"station"`
	Period      string    `json:"period"`
	Rank        int       `json:"rank"`
	Time        time.Time `json:"time"`
	Millimetres float64   `json:"millimetres"`
}

func (p *wettest) list() listing { return listOf(p.rows()) }

func (p *wettest) rows() iter.Seq[wetRank] {
	return func(yield func(wetRank) bool) {
		for i, rank := range p.Wettest {
			if !yield(wetRank{p.Station, p.Period, i + 1, rank.Time, rank.Millimetres}) {
				return
			}
		}
	}
}

func (p *wettest) remark(f format) string { return ofAll(f, p.Observations, p.MissingHours) }

func (p *wettest) table(w io.Writer) {
	ranks := make([]rankedAt, len(p.Wettest))
	for i, rank := range p.Wettest {
		ranks[i] = rankedAt{rank.Time, rank.Millimetres}
	}
	writeRanking(w, p.days, 1, fields{
		{"station", p.Station},
		{"period", p.Period + " (UTC)"},
		{"observations", restsOn(p.Observations, p.MissingHours)},
	}, "mm", ranks)
}

// writeRanking shows places below what they rest on.
func writeRanking(w io.Writer, days bool, decimals int, of fields, unit string, ranks []rankedAt) {
	writeFields(w, of...)
	t := table{header: []string{">RANK", "TIME", ">" + orUnknown(unit)}}
	layout := minuteLayout
	if days {
		t.header[1], layout = "DAY", time.DateOnly
	}
	for i, rank := range ranks {
		t.add(count(i+1), rank.Time.Format(layout), number(rank.Value, decimals))
	}
	t.below(w)
}

func topCommand(a *app) *cobra.Command {
	var q asking
	var asked topAsked
	c := &cobra.Command{
		Use:   "top MEASURE STATION PERIOD",
		Short: "The wettest, hottest or windiest hours or days of a year or a month",
		Long: `Ranks the hours of a year (2008) or a month (2008-12) of UTC by a measure, or with
--days its days: by their sum, or by their high, or low with --lowest. Of two that
are equal the earlier comes first. The measure precipitation is the rain and snow
of an hour; mesonet measures lists the others.`,
		Example: `  mesonet top precipitation 725030:14732 2008
  mesonet top precipitation 725030:14732 2008-09 -k 3 --days
  mesonet top temperature 725030:14732 2008 --lowest --days -o csv`,
		Args: arguments("MEASURE", "STATION", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			asked.measure, asked.erroneous = args[0], q.erroneous
			if asked.station, asked.of, err = parseAsked(args[1], args[2]); err != nil {
				return err
			}
			switch {
			case asked.of.day != 0:
				return misuse("a ranking is of a year or a month, not of a day; write %04d-%02d", asked.of.year, asked.of.month)
			case asked.k < 1 || asked.k > mostRanked:
				return misuse("a ranking has 1 to %d places, not %d; write -k 10", mostRanked, asked.k)
			case asked.lowest && asked.measure == rain:
				return misuse("precipitation is ranked from the highest: in most hours there is none; leave --lowest out")
			}
			return q.answer(a, func(server *client) (answer, error) {
				if asked.measure == rain {
					return server.wettest(cmd.Context(), &asked)
				}
				return server.top(cmd.Context(), &asked)
			})
		},
		ValidArgsFunction: measureArgument(&q.connection, 0, rain),
	}
	c.Flags().Int32VarP(&asked.k, "places", "k", 10, "`number` of places, 1 to 1000")
	c.Flags().BoolVar(&asked.days, "days", false, "rank days, not hours")
	c.Flags().BoolVar(&asked.lowest, "lowest", false, "begin with the lowest")
	q.figureFlags(c)
	return c
}
