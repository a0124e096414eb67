package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// station has the fields of mesonet.v1.Station; what is not known is null.
type station struct {
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	Country           string     `json:"country"`
	State             string     `json:"state"`
	CallSign          string     `json:"call_sign"`
	Latitude          *float64   `json:"latitude"`
	Longitude         *float64   `json:"longitude"`
	ElevationM        *float64   `json:"elevation_m"`
	LatestObservation *time.Time `json:"latest_observation"`
	Observations      uint32     `json:"observations"`
	FirstMonth        string     `json:"first_month"`
	LastMonth         string     `json:"last_month"`
}

func newStation(m *mesonetv1.Station) *station {
	return &station{
		ID: m.GetId(), Name: m.GetName(), Country: m.GetCountry(), State: m.GetState(), CallSign: m.GetCallSign(),
		Latitude: m.Latitude, Longitude: m.Longitude, ElevationM: m.ElevationM,
		LatestObservation: jsonTime(m.GetLatestObservation()), Observations: m.GetObservations(),
		FirstMonth: m.GetFirstMonth(), LastMonth: m.GetLastMonth(),
	}
}

func (c *client) station(ctx context.Context, id string) (*station, error) {
	r, err := c.GetStation(ctx, &mesonetv1.GetStationRequest{Station: id})
	if err != nil {
		return nil, err
	}
	return newStation(r.GetStation()), nil
}

func (s *station) table(w io.Writer) {
	writeFields(w,
		[2]string{"station", s.ID},
		[2]string{"name", orUnknown(s.Name)},
		[2]string{"country", orUnknown(s.Country)},
		[2]string{"state", orUnknown(s.State)},
		[2]string{"call sign", orUnknown(s.CallSign)},
		[2]string{"latitude", measured(s.Latitude, 3, "°")},
		[2]string{"longitude", measured(s.Longitude, 3, "°")},
		[2]string{"elevation", measured(s.ElevationM, 1, " m")},
		[2]string{"observations", count(s.Observations)},
		[2]string{"months", months(s.FirstMonth, s.LastMonth)},
		[2]string{"latest", latest(s.LatestObservation)})
}

// measured shows a number that may not be known.
func measured(v *float64, decimals int, unit string) string {
	if v == nil {
		return unknown
	}
	return number(*v, decimals) + unit
}

// months says of which months there are observations.
func months(first, last string) string {
	switch first {
	case "":
		return unknown
	case last:
		return first
	}
	return first + " to " + last
}

func latest(t *time.Time) string {
	if t == nil {
		return unknown
	}
	return t.Format(minuteLayout)
}

// stationList is a page of the catalogue.
type stationList struct {
	Stations      []*station `json:"stations"`
	NextPageToken string     `json:"next_page_token"`
	// DistancesM are those of the stations, when they were listed by it.
	DistancesM []float64 `json:"distances_m,omitempty"`
}

func (l *stationList) table(w io.Writer) {
	near := len(l.DistancesM) > 0
	t := table{header: []string{"STATION", "NAME", "COUNTRY", "STATE", "CALL", ">LATITUDE", ">LONGITUDE", ">ELEVATION", ">OBSERVATIONS", "LATEST"}}
	if near {
		t.header = slices.Insert(t.header, 1, ">DISTANCE")
	}
	for i, s := range l.Stations {
		row := []string{
			s.ID, orUnknown(s.Name), orUnknown(s.Country), orUnknown(s.State), orUnknown(s.CallSign),
			measured(s.Latitude, 3, "°"), measured(s.Longitude, 3, "°"), measured(s.ElevationM, 1, " m"),
			count(s.Observations), latest(s.LatestObservation),
		}
		if near {
			row = slices.Insert(row, 1, number(l.DistancesM[i]/1000, 1)+" km")
		}
		t.add(row...)
	}
	t.write(w)
}

// mostPerPage is the most stations that the server returns at once.
const mostPerPage = 1000

// stations returns up to limit stations of a list, from where its token points.
func (c *client) stations(ctx context.Context, of *mesonetv1.ListStationsRequest, limit int) (*stationList, error) {
	list := &stationList{Stations: []*station{}, NextPageToken: of.GetPageToken()}
	for len(list.Stations) < limit {
		of.PageSize, of.PageToken = uint32(min(limit-len(list.Stations), mostPerPage)), list.NextPageToken
		r, err := c.ListStations(ctx, of)
		if err != nil {
			return nil, err
		}
		if n := len(r.GetDistancesM()); of.GetNear() != nil && n != len(r.GetStations()) {
			return nil, fail(exitFailed, "the server at %s told %d distances of %d stations; it may be of another version: compare with mesonet version", c.addr, n, len(r.GetStations()))
		}
		for _, m := range r.GetStations() {
			list.Stations = append(list.Stations, newStation(m))
		}
		list.DistancesM = append(list.DistancesM, r.GetDistancesM()...)
		if list.NextPageToken = r.GetNextPageToken(); list.NextPageToken == "" {
			break
		}
	}
	return list, nil
}

// stationRow is a station of a list as it stands alone.
type stationRow struct {
	*station
	DistanceM *float64 `json:"distance_m,omitempty"` // of a list by it
}

func (l *stationList) list() listing { return listOf(l.rows()) }

func (l *stationList) rows() iter.Seq[stationRow] {
	return func(yield func(stationRow) bool) {
		for i, s := range l.Stations {
			row := stationRow{station: s}
			if len(l.DistancesM) > 0 {
				row.DistanceM = &l.DistancesM[i]
			}
			if !yield(row) {
				return
			}
		}
	}
}

func stationCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "station",
		Short:   "The catalogue of stations: get, list, load, delete, history, quality",
		Example: "  mesonet station get 725030:14732",
		Args:    noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s get, %[1]s list, %[1]s load, %[1]s delete, %[1]s history or %[1]s quality", c.CommandPath())
		},
	}
	c.AddCommand(stationGetCommand(a), stationListCommand(a), stationLoadCommand(a), stationDeleteCommand(a),
		stationHistoryCommand(a), stationQualityCommand(a))
	return c
}

func stationGetCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	c := &cobra.Command{
		Use:   "get STATION",
		Short: "Show one station",
		Example: `  mesonet station get 725030:14732
  mesonet station get 725030:14732 -o json`,
		Args: arguments("STATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseStation(args[0])
			if err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			s, err := server.station(cmd.Context(), id)
			if err != nil {
				return err
			}
			return output.write(a.out, s)
		},
	}
	asked.readFlags(c)
	output.flag(c)
	return c
}

func stationLoadCommand(a *app) *cobra.Command {
	var asked connection
	var retryFor time.Duration
	var output format
	c := &cobra.Command{
		Use:   "load FILE",
		Short: "Register the stations of a file",
		Long: `Registers the stations of a CSV file, plain or gzipped, without a header:
id,name,country,state,call sign,latitude,longitude,elevation in metres`,
		Example: "  mesonet station load weather_stations.csv",
		Args:    arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			source, err := openSource(cmd.Context(), args[0], a.in)
			if err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			if err := server.probe(cmd.Context()); err != nil {
				return err
			}
			p := a.progress()
			summary, err := server.register(cmd.Context(), source, retryFor, p)
			p.done()
			if err != nil {
				return err
			}
			if err := output.write(a.out, summary); err != nil {
				return err
			}
			return summary.err()
		},
	}
	asked.flags(c)
	retryFlag(c, &retryFor)
	output.flag(c)
	return c
}

func stationDeleteCommand(a *app) *cobra.Command {
	var asked connection
	var sure bool
	c := &cobra.Command{
		Use:     "delete STATION --yes",
		Short:   "Delete a station with all of its observations",
		Example: "  mesonet station delete 725030:14732 --yes",
		Args:    arguments("STATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseStation(args[0])
			if err != nil {
				return err
			}
			if !sure {
				return misuse("deleting %s can't be undone, and its observations go with it; if that is what you want, add --yes", id)
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			r, err := server.DeleteStation(cmd.Context(), &mesonetv1.DeleteStationRequest{Station: id})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "deleted %s with %s\n", id, counted(r.GetObservations(), "observation", "observations"))
			return nil
		},
	}
	c.Flags().BoolVar(&sure, "yes", false, "do it")
	asked.flags(c)
	return c
}
