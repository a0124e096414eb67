package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func retractCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	var reason string
	c := &cobra.Command{
		Use:   "retract STATION TIME",
		Short: "Take an observation back, as if it had never been",
		Long: `Takes the observation of a time back: no figure counts it any more, and the history
remembers it. Observing it again brings it back.`,
		Example: `  mesonet retract 725030:14732 2008-08-11T16:00Z --reason "sensor was serviced"`,
		Args:    arguments("STATION", "TIME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			station, at, err := parseMoment(args[0], args[1])
			if err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			r, err := server.RetractObservation(cmd.Context(), &mesonetv1.RetractObservationRequest{Station: station, Time: timestamppb.New(at), Reason: reason})
			if err != nil {
				return err
			}
			return a.show(output, &retracted{Retracted: newObservation(r.GetRetracted(), nil), what: fmt.Sprintf("the observation of %s at %s", station, at.Format(minuteLayout))})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for those who look at its `history`")
	asked.flags(c)
	output.flag(c)
	return c
}

// retracted has the fields of mesonet.v1.RetractObservationResponse.
type retracted struct {
	Retracted *observation `json:"retracted"` // nil when it had gone before

	what string
}

func (r *retracted) table(w io.Writer) {
	if r.Retracted == nil {
		fmt.Fprintf(w, "%s was retracted before\n", r.what)
		return
	}
	names := slices.Sorted(maps.Keys(r.Retracted.Values))
	parts := make([]string, 0, len(names))
	for _, name := range names {
		parts = append(parts, name+"="+plain(r.Retracted.Values[name]))
	}
	for _, name := range r.Retracted.Traces {
		parts = append(parts, name+"="+trace)
	}
	fmt.Fprintf(w, "retracted %s\nto bring it back: mesonet observe %s %s %s\n", r.what, r.Retracted.Station, r.Retracted.Time.Format("2006-01-02T15:04Z"), strings.Join(parts, " "))
}
