package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// listFlags are those of a list of stations.
type listFlags struct {
	country, near, box, token string
	limit                     int
	all                       bool
}

// request returns what the flags ask for, and how many stations at most.
func (f *listFlags) request(limited bool) (r *mesonetv1.ListStationsRequest, most int, err error) {
	r = &mesonetv1.ListStationsRequest{Country: strings.ToUpper(f.country), PageToken: f.token}
	switch {
	case f.all && limited:
		return nil, 0, misuse("--all and --limit contradict each other; write one of them")
	case f.limit < 1:
		return nil, 0, misuse("a limit of %d leaves nothing to list; write --limit 50, or --all", f.limit)
	case f.near != "" && f.box != "":
		return nil, 0, misuse("--near and --box contradict each other; write one of them")
	case f.near != "" && (f.all || f.limit > mostPerPage):
		return nil, 0, misuse("--near lists at most %d stations; write --limit %d, or --box for all in a region", mostPerPage, mostPerPage)
	case f.near != "":
		where := &mesonetv1.ListStationsRequest_Near{}
		if where.Near, err = parsePlace(f.near); err != nil {
			return nil, 0, err
		}
		r.Where = where
	case f.box != "":
		where := &mesonetv1.ListStationsRequest_Box{}
		if where.Box, err = parseBox(f.box); err != nil {
			return nil, 0, err
		}
		r.Where = where
	}
	if f.all {
		return r, math.MaxInt, nil
	}
	return r, f.limit, nil
}

// parsePlace reads LAT,LON in degrees.
func parsePlace(text string) (*mesonetv1.Place, error) {
	v, ok := parseDegrees(text, 2)
	if !ok {
		return nil, misuse("--near %q is not a place; write it as LAT,LON in degrees north and east, such as 40.78,-73.88", text)
	}
	if err := checkDegrees(v[:1], v[1:]); err != nil {
		return nil, misuse("--near %q is not on the earth: %w", text, err)
	}
	return &mesonetv1.Place{Latitude: v[0], Longitude: v[1]}, nil
}

// parseBox reads S,W,N,E in degrees.
func parseBox(text string) (*mesonetv1.Box, error) {
	v, ok := parseDegrees(text, 4)
	if !ok {
		return nil, misuse("--box %q is not a box; write it as S,W,N,E in degrees north and east, such as 40,-75,41,-73", text)
	}
	if err := checkDegrees([]float64{v[0], v[2]}, []float64{v[1], v[3]}); err != nil {
		return nil, misuse("--box %q is not on the earth: %w", text, err)
	}
	if v[0] > v[2] {
		return nil, misuse("--box %q has its south, %v, north of its north, %v; write it as S,W,N,E", text, v[0], v[2])
	}
	return &mesonetv1.Box{South: v[0], West: v[1], North: v[2], East: v[3]}, nil
}

// parseDegrees reads n plain decimal numbers with commas between.
func parseDegrees(text string, n int) ([]float64, bool) {
	parts := strings.Split(text, ",")
	if len(parts) != n {
		return nil, false
	}
	v := make([]float64, n)
	for i, part := range parts {
		part = strings.TrimSpace(part)
		if strings.Trim(part, "+-.0123456789") != "" { // no 1e3, 0x10, NaN
			return nil, false
		}
		var err error
		if v[i], err = strconv.ParseFloat(part, 64); err != nil {
			return nil, false
		}
	}
	return v, true
}

func checkDegrees(latitudes, longitudes []float64) error {
	for _, v := range latitudes {
		if v < -90 || v > 90 {
			return fmt.Errorf("the latitude %v is outside -90 to 90; it comes before the longitude", v)
		}
	}
	for _, v := range longitudes {
		if v < -180 || v > 180 {
			return fmt.Errorf("the longitude %v is outside -180 to 180", v)
		}
	}
	return nil
}

func stationListCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	var flags listFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List stations: all, those in a box, or the nearest to a place",
		Long: `Lists stations in the order of their ids, those in a box, or with --near the nearest
to a place with their distances. Places are in degrees north and east; a box whose
west is above its east crosses the antimeridian. Countries are FIPS 10-4 codes, as
NOAA uses them, not ISO: UK is the United Kingdom, GM Germany.`,
		Example: `  mesonet station list --country UK --limit 10
  mesonet station list --near 40.78,-73.88 --limit 5
  mesonet station list --box 40,-75,41,-73 --all -o json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"near", "box"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
					return misuse("--%s is empty; write a place, or leave it out", name)
				}
			}
			request, most, err := flags.request(cmd.Flags().Changed("limit"))
			if err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			list, err := server.stations(cmd.Context(), request, most)
			if err != nil {
				return err
			}
			return a.show(output, list)
		},
	}
	c.Flags().StringVar(&flags.country, "country", "", "only stations of this FIPS `code`")
	c.Flags().StringVar(&flags.near, "near", "", "the nearest to a place, as `LAT,LON`")
	c.Flags().StringVar(&flags.box, "box", "", "only those in a box, as `S,W,N,E`")
	c.Flags().IntVar(&flags.limit, "limit", 50, "list at most so many")
	c.Flags().StringVar(&flags.token, "page-token", "", "go on where a list before ended")
	c.Flags().BoolVar(&flags.all, "all", false, "list all, however many")
	asked.readFlags(c)
	output.flag(c)
	return c
}

// remark says how the list goes on, where the list itself does not.
func (l *stationList) remark(f format) string {
	n := counted(len(l.Stations), "station", "stations")
	switch {
	case f == formatJSON:
		return ""
	case l.NextPageToken == "" && f == formatTable:
		return n
	case l.NextPageToken == "":
		return ""
	case len(l.DistancesM) > 0: // of these there is no --all
		return fmt.Sprintf("%s; for those after them add --page-token %s", n, l.NextPageToken)
	}
	return fmt.Sprintf("%s; for those after them add --page-token %s, or --all for all", n, l.NextPageToken)
}
