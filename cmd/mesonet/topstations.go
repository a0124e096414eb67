package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// stationRanking has the fields of mesonet.v1.GetTopStationsResponse.
type stationRanking struct {
	Period     string           `json:"period"`
	Measure    string           `json:"measure"`
	Unit       string           `json:"unit"`
	Ranks      []rankedStation  `json:"ranks"`
	Asked      uint32           `json:"stations_asked"`
	WithData   uint32           `json:"stations_with_data"`
	Unanswered []unansweredPart `json:"unanswered"`

	decimals int
}

type rankedStation struct {
	Station      string     `json:"station"`
	Value        float64    `json:"value"`
	Time         *time.Time `json:"time"`
	Observations uint32     `json:"observations"`
	MissingHours uint32     `json:"missing_hours"`
}

// unansweredPart is a shard that could not answer, or one station of it.
type unansweredPart struct {
	Shard   uint32 `json:"shard"`
	Station string `json:"station"`
	Message string `json:"message"`
}

// bucket is a period or, with an hour of 0 or more, that hour of a day.
type bucket struct {
	period
	hour int32
}

// parseBucket reads what parsePeriod does, and 2008-12-01T16.
func parseBucket(text string) (bucket, error) {
	day, hour, hourly := strings.Cut(text, "T")
	p, err := parsePeriod(day)
	if err != nil || !hourly {
		return bucket{p, -1}, err
	}
	n, err := strconv.ParseUint(hour, 10, 8)
	if err != nil || len(hour) != 2 || n > 23 || p.day == 0 {
		return bucket{}, misuse("%q is not an hour; write 2008-12-01T16, with 00 to 23 after the T", text)
	}
	return bucket{p, int32(n)}, nil
}

// String returns the bucket as parseBucket reads it.
func (b bucket) String() string {
	if b.hour >= 0 {
		return fmt.Sprintf("%sT%02d", b.period, b.hour)
	}
	return b.period.String()
}

// topStationsAsked is what mesonet top-stations is asked.
type topStationsAsked struct {
	measure           string
	of                bucket
	k                 int32
	lowest, erroneous bool
}

func (c *client) topStations(ctx context.Context, q *topStationsAsked) (*stationRanking, error) {
	all, err := c.measures(ctx)
	if err != nil {
		return nil, err
	}
	name := q.measure
	if name == rain {
		name = "precipitation_1h"
	}
	m, err := all.find(name)
	if err != nil {
		return nil, err
	}
	request := &mesonetv1.GetTopStationsRequest{
		Measure: name, Year: q.of.year, Month: q.of.month, Day: q.of.day, K: &q.k,
		Lowest: q.lowest, IncludeErroneous: q.erroneous,
	}
	if q.of.hour >= 0 {
		request.Hour = proto.Int32(q.of.hour)
	}
	r, err := c.GetTopStations(ctx, request)
	if err != nil {
		return nil, err
	}
	found := &stationRanking{
		Period: q.of.String(), Measure: r.GetMeasure(), Unit: r.GetUnit(), Ranks: []rankedStation{},
		Asked: r.GetStationsAsked(), WithData: r.GetStationsWithData(), Unanswered: []unansweredPart{}, decimals: int(m.Decimals),
	}
	for _, rank := range r.GetRanks() {
		found.Ranks = append(found.Ranks, rankedStation{
			Station: rank.GetStation(), Value: rank.GetValue(), Time: jsonTime(rank.GetTime()),
			Observations: rank.GetObservations(), MissingHours: rank.GetMissingHours(),
		})
	}
	for _, u := range r.GetUnanswered() {
		found.Unanswered = append(found.Unanswered, unansweredPart{u.GetShard(), u.GetStation(), u.GetMessage()})
	}
	return found, nil
}

// stationRank is a place as it stands alone.
type stationRank struct {
	Period       string     `json:"period"`
	Measure      string     `json:"measure"`
	Unit         string     `json:"unit"`
	Rank         int        `json:"rank"`
	Station      string     `json:"station"`
	Value        float64    `json:"value"`
	Time         *time.Time `json:"time"`
	Observations uint32     `json:"observations"`
	MissingHours uint32     `json:"missing_hours"`
}

func (r *stationRanking) list() listing { return listOf(r.rows()) }

func (r *stationRanking) rows() iter.Seq[stationRank] {
	return func(yield func(stationRank) bool) {
		for i, s := range r.Ranks {
			if !yield(stationRank{r.Period, r.Measure, r.Unit, i + 1, s.Station, s.Value, s.Time, s.Observations, s.MissingHours}) {
				return
			}
		}
	}
}

func (r *stationRanking) table(w io.Writer) {
	of := fields{{"period", r.Period + " (UTC)"}, {"measure", spaced(r.Measure)}}
	if len(r.Ranks) == 0 {
		of.add("places", "none: there is data, and all of it is nothing")
	}
	writeFields(w, of...)
	t := table{header: []string{">RANK", "STATION", ">" + orUnknown(r.Unit), "TIME", ">OBSERVATIONS", ">MISSING HOURS"}}
	for i, s := range r.Ranks {
		at := unknown
		if s.Time != nil {
			at = s.Time.Format(minuteLayout)
		}
		t.add(count(i+1), s.Station, number(s.Value, r.decimals), at, count(s.Observations), count(s.MissingHours))
	}
	t.below(w)
}

// partly is the error of a ranking that is not of all stations; nil when it is.
func (r *stationRanking) partly() error {
	if len(r.Unanswered) == 0 {
		return nil
	}
	u := r.Unanswered[0]
	what := fmt.Sprintf("shard %d", u.Shard)
	if u.Station != "" {
		what = "station " + u.Station
	}
	if more := len(r.Unanswered) - 1; more > 0 {
		what += fmt.Sprintf(" and %s", counted(more, "other", "others"))
	}
	return fail(exitPartly, "this is not of all stations: %s could not answer (%s); see -o json, and ask again", what, u.Message)
}

func topStationsCommand(a *app) *cobra.Command {
	var q asking
	var asked topStationsAsked
	c := &cobra.Command{
		Use:   "top-stations MEASURE PERIOD",
		Short: "The wettest, hottest or windiest stations of a time",
		Long: `Ranks all stations by a measure in a year (2008), a month (2008-12), a day
(2008-12-01) or an hour (2008-12-01T16) of UTC: by what fell, or by their high, or
low with --lowest. Of two that are equal the one with the lower id comes first. The
measure precipitation is the rain and snow of an hour; mesonet measures lists the
others. What can't answer is named, and the exit code is 5.`,
		Example: `  mesonet top-stations precipitation 2008
  mesonet top-stations temperature 2008-12 --lowest -k 3
  mesonet top-stations wind_speed 2008-12-01T16 -o csv`,
		Args: arguments("MEASURE", "PERIOD"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			asked.measure, asked.erroneous = args[0], q.erroneous
			if asked.of, err = parseBucket(args[1]); err != nil {
				return err
			}
			switch {
			case asked.k < 1 || asked.k > mostRanked:
				return misuse("a ranking has 1 to %d places, not %d; write -k 10", mostRanked, asked.k)
			case asked.lowest && asked.measure == rain:
				return misuse("precipitation is ranked from the highest: at most stations there may be none; leave --lowest out")
			}
			var found *stationRanking
			err = q.answer(a, func(server *client) (answer, error) {
				found, err = server.topStations(cmd.Context(), &asked)
				return found, err
			})
			if err != nil {
				return err
			}
			return found.partly()
		},
		ValidArgsFunction: measureArgument(&q.connection, 0, rain),
	}
	c.Flags().Int32VarP(&asked.k, "places", "k", 10, "`number` of places, 1 to 1000")
	c.Flags().BoolVar(&asked.lowest, "lowest", false, "begin with the lowest")
	q.figureFlags(c)
	return c
}
