package main

import "github.com/spf13/cobra"

// asking is what every command that asks a server has: whom, and how it wants the
// answer.
type asking struct {
	connection
	output format
	// erroneous counts values in that are marked as such; only some questions
	// have that choice.
	erroneous bool
}

// flags declares those of all questions.
func (q *asking) flags(c *cobra.Command) {
	q.readFlags(c)
	q.output.flag(c)
}

// figureFlags declares those of a question about figures.
func (q *asking) figureFlags(c *cobra.Command) {
	q.flags(c)
	c.Flags().BoolVar(&q.erroneous, "include-erroneous", false, "count values in that are outside of what is usual")
}

// answer asks the server and shows the answer.
func (q *asking) answer(a *app, ask func(server *client) (answer, error)) error {
	server, err := q.dial()
	if err != nil {
		return err
	}
	defer server.close()
	found, err := ask(server)
	if err != nil {
		return err
	}
	return a.show(q.output, found)
}

// answerOf asks the server about a station and a period, the two arguments, and shows
// the answer; draw says whether a chart is wanted below it.
func (q *asking) answerOf(a *app, args []string, chart *charting, ask func(server *client, station string, p period, draw bool) (answer, error)) error {
	station, p, err := parseAsked(args[0], args[1])
	if err != nil {
		return err
	}
	draw, err := chart.wanted(q.output, isTerminal(a.out))
	if err != nil {
		return err
	}
	return q.answer(a, func(server *client) (answer, error) { return ask(server, station, p, draw) })
}

// parseAsked reads the two arguments that most questions have.
func parseAsked(stationText, periodText string) (station string, p period, err error) {
	if station, err = parseStation(stationText); err != nil {
		return "", period{}, err
	}
	p, err = parsePeriod(periodText)
	return station, p, err
}
