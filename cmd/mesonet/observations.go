package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
)

// mostInTable is how many observations a table shows that nobody gave a limit: it
// is written when all are there, and read by people.
const mostInTable = 1000

// observationList is the observations of a time. In a table and in JSON they are
// all there before anything is written; otherwise they come from the server as they
// are written.
type observationList struct {
	Observations []*observation `json:"observations"`

	of    *measureList
	rows  iter.Seq2[any, error] // of jsonl and csv
	limit int
	shown int       // as far as the rows have been written
	next  time.Time // of the first that was not; zero when there is none
}

// observationsAsked is what mesonet observations is asked.
type observationsAsked struct {
	station  string
	time     span
	measures []string
	limit    int
	suspect  bool // also which values are that, where a stream would do
}

// observations asks for observations. They come as a stream where a program reads
// them, which is quickest, and otherwise page by page, with all that is known of
// each.
func (c *client) observations(ctx context.Context, q *observationsAsked, output format) (*observationList, error) {
	of, err := c.measures(ctx)
	if err != nil {
		return nil, err
	}
	if len(q.measures) > 0 {
		if of, err = of.only(q.measures); err != nil {
			return nil, err
		}
	}
	l := &observationList{Observations: []*observation{}, of: of, limit: q.limit}
	whole := output == formatTable || output == formatJSON
	rows := c.streamed(ctx, q, of)
	if whole || q.suspect {
		rows = c.paged(ctx, q, of)
	}
	l.rows = l.limited(rows)
	if !whole {
		return l, nil
	}
	for row, err := range l.rows {
		if err != nil {
			return nil, err
		}
		l.Observations = append(l.Observations, row.(*observation))
	}
	return l, nil
}

// only returns the measures of these names, in their order here.
func (l *measureList) only(names []string) (*measureList, error) {
	some := &measureList{}
	for _, name := range names {
		m, err := l.find(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if some.has(m.Name) {
			return nil, misuse("--measures names %s twice", m.Name)
		}
		some.Measures = append(some.Measures, m)
	}
	return some, nil
}

// limited ends after the limit, and knows what would come next.
func (l *observationList) limited(rows iter.Seq2[*observation, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for o, err := range rows {
			if err == nil && l.limit > 0 && l.shown == l.limit {
				l.next = o.Time
				return
			}
			l.shown++
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// paged yields observations page by page.
func (c *client) paged(ctx context.Context, q *observationsAsked, of *measureList) iter.Seq2[*observation, error] {
	return func(yield func(*observation, error) bool) {
		r := &mesonetv1.ListObservationsRequest{Station: q.station, From: q.time.from, To: q.time.to, PageSize: mostPerPage}
		for {
			page, err := c.ListObservations(ctx, r)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range page.GetObservations() {
				if !yield(newObservation(m, of), nil) {
					return
				}
			}
			if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
				return
			}
		}
	}
}

// streamed yields observations of a stream. Each is the same one with other
// content.
func (c *client) streamed(ctx context.Context, q *observationsAsked, of *measureList) iter.Seq2[*observation, error] {
	return func(yield func(*observation, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		// A stream may take as long as it likes, but not be silent.
		silent := fail(exitUnavailable, "no answer from %s within %v; is it a mesonet server? allow more time with --timeout", c.addr, c.timeout)
		silence := time.AfterFunc(c.timeout, func() { cancel(silent) })
		defer silence.Stop()
		stream, err := c.StreamObservations(ctx, &mesonetv1.StreamObservationsRequest{Station: q.station, From: q.time.from, To: q.time.to})
		o := &observation{Station: q.station, Values: map[string]float64{}, Traces: []string{}, Erroneous: []string{}, Suspect: []suspicion{}}
		none := true
		for err == nil {
			var some *mesonetv1.StreamObservationsResponse
			if some, err = stream.Recv(); err != nil {
				break
			}
			silence.Stop() // whoever reads what is written may take any time
			for row, at := range some.GetReadings().GetMinutes() {
				none = false
				o.Time = weather.Minute(at).Time()
				if err = o.fill(some.GetReadings(), row, of); err != nil {
					break
				}
				if !yield(o, nil) {
					return
				}
			}
			silence.Reset(c.timeout)
		}
		switch {
		case errors.Is(err, io.EOF) && none:
			yield(nil, fail(exitNotFound, "station %s has no observations %s; ask for another period, or load readings with: mesonet load FILE", q.station, q.time))
		case errors.Is(err, io.EOF):
		case errors.Is(context.Cause(ctx), silent):
			yield(nil, silent)
		default:
			yield(nil, err)
		}
	}
}

// fill takes a row of columns.
func (o *observation) fill(r *mesonetv1.Readings, row int, of *measureList) error {
	clear(o.Values)
	o.Traces, o.Erroneous = o.Traces[:0], o.Erroneous[:0]
	for _, column := range r.GetColumns() {
		i := slices.IndexFunc(of.Measures, func(m *measure) bool { return m.Name == column.GetMeasure() })
		if i < 0 {
			continue
		}
		m := of.Measures[i]
		if len(column.GetValues()) != len(r.GetMinutes()) {
			return fail(exitFailed, "the server sent %d values of %s for %d times; it may be of another version: compare with mesonet version", len(column.GetValues()), m.Name, len(r.GetMinutes()))
		}
		v := weather.Value(column.GetValues()[row])
		switch v {
		case weather.Missing:
		case weather.Trace:
			o.Traces = append(o.Traces, m.Name)
		default:
			o.Values[m.Name] = v.Float(int(m.Decimals))
		}
		if v.Erroneous() {
			o.Erroneous = append(o.Erroneous, m.Name)
		}
	}
	return nil
}

// String says when the span is.
func (s span) String() string {
	switch {
	case s.from == nil:
		return "yet"
	case s.to == nil:
		return "from " + s.from.AsTime().Format(minuteLayout) + " on"
	}
	return "from " + s.from.AsTime().Format(minuteLayout) + " to before " + s.to.AsTime().Format(minuteLayout)
}

func (l *observationList) table(w io.Writer) {
	t := table{header: []string{"TIME"}}
	for _, m := range l.of.Measures {
		name := strings.ToUpper(strings.ReplaceAll(m.Name, "_", "\n"))
		if m.Unit != "" {
			name += "\n" + m.Unit
		}
		t.header = append(t.header, ">"+name)
	}
	for _, o := range l.Observations {
		row := []string{o.Time.Format(minuteLayout)}
		for _, m := range l.of.Measures {
			row = append(row, o.show(m, false))
		}
		t.add(row...)
	}
	t.write(w)
	fmt.Fprint(w, legend(l.Observations...))
}

func (l *observationList) list() listing { return listObservations(l.of, l.rows) }

// remark says how the list goes on.
func (l *observationList) remark(f format) string {
	n := counted(l.shown, "observation", "observations")
	switch {
	case !l.next.IsZero():
		return fmt.Sprintf("%s; for those after them begin at %s, or raise --limit", n, l.next.Format("2006-01-02T15:04Z"))
	case f == formatTable:
		return n
	}
	return ""
}

func observationsCommand(a *app) *cobra.Command {
	var asked asking
	q := observationsAsked{}
	c := &cobra.Command{
		Use:   "observations STATION [FROM [TO]]",
		Short: "What was observed, hour by hour",
		Long: `Lists observations: all, those of a year, a month or a day, or those from FROM to
the end of TO. Both may be times, of which the one of TO is not included. A table
stops after 1,000 unless --limit says otherwise; csv and jsonl stream all there are.
Of a stream it is not known which values are suspect; --suspect asks for that.`,
		Example: `  mesonet observations 725030:14732 2008-08-11
  mesonet observations 725030:14732 2008-08-11T12:00Z 2008-08-11T18:00Z
  mesonet observations 725030:14732 2008 --measures temperature,wind_speed -o csv`,
		Args: argumentsBetween(1, "STATION", "FROM", "TO"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if q.station, err = parseStation(args[0]); err != nil {
				return err
			}
			if q.time, err = parseSpan(args[1:]); err != nil {
				return err
			}
			switch {
			case cmd.Flags().Changed("limit") && q.limit < 1:
				return misuse("a limit of %d leaves nothing to list; write --limit 100, or leave it out", q.limit)
			case cmd.Flags().Changed("measures") && len(q.measures) == 0:
				return misuse("--measures is empty; write names such as temperature,wind_speed, or leave it out")
			case q.limit == 0 && asked.output == formatTable:
				q.limit = mostInTable
			}
			return asked.answer(a, func(server *client) (answer, error) { return server.observations(cmd.Context(), &q, asked.output) })
		},
	}
	c.Flags().StringSliceVar(&q.measures, "measures", nil, "only these `names`, with commas between")
	c.Flags().IntVar(&q.limit, "limit", 0, "list at most this `number` (a table 1000, others all)")
	c.Flags().BoolVar(&q.suspect, "suspect", false, "also in csv and jsonl say which values are suspect; slower")
	asked.flags(c)
	completeMeasures(c, &asked.connection, "measures")
	return c
}
