package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/clock"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// registrationChunk is how many stations one call registers: enough to fill the
// frames of a node, few enough for a call to end soon.
const registrationChunk = 1000

// firstPause is how long to wait before a second attempt; each more waits twice
// as long.
const firstPause = 50 * time.Millisecond

// registered is the summary of a catalogue that was sent.
type registered struct {
	Stations   int64            `json:"stations"` // lines that were stations
	Registered int64            `json:"registered"`
	Updated    int64            `json:"updated"`
	Unchanged  int64            `json:"unchanged"`
	Refused    int64            `json:"refused"`
	Malformed  int64            `json:"malformed"`
	Elapsed    float64          `json:"elapsed_seconds"`
	Refusals   []refusedReading `json:"refusals"`
	Lines      []malformedLine  `json:"malformed_lines"`
}

// register sends the stations of a source, in chunks. What the server cannot
// take for now is sent again for up to retryFor.
func (c *client) register(ctx context.Context, source ingest.Source, retryFor time.Duration, p *progress) (*registered, error) {
	text, err := source.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = text.Close() }()
	counter := &countingReader{r: text}
	begun := time.Now()
	sum := &registered{Refusals: []refusedReading{}, Lines: []malformedLine{}}
	var chunk []*mesonetv1.Station
	send := func() error {
		if err := c.registerChunk(ctx, chunk, retryFor, sum, p); err != nil {
			return err
		}
		chunk = chunk[:0]
		part := -1.0
		if source.Size() > 0 {
			part = float64(counter.n) / float64(source.Size())
		}
		elapsed := time.Since(begun)
		p.show("stations", part, count(sum.acknowledged()), perSecond(sum.acknowledged(), elapsed))
		return nil
	}
	for s, err := range ingest.Stations(source.Name(), counter) {
		var bad *ingest.LineError
		switch {
		case errors.As(err, &bad):
			sum.Malformed++
			if len(sum.Lines) < mostListed {
				sum.Lines = append(sum.Lines, newMalformedLine(bad))
			}
			continue
		case err != nil:
			return sum, err
		}
		sum.Stations++
		if chunk = append(chunk, toMessage(&s)); len(chunk) < registrationChunk {
			continue
		}
		if err := send(); err != nil {
			return sum, err
		}
	}
	if len(chunk) > 0 {
		if err := send(); err != nil {
			return sum, err
		}
	}
	sum.Elapsed = time.Since(begun).Seconds()
	return sum, nil
}

// registerChunk sends stations until each has its outcome.
func (c *client) registerChunk(ctx context.Context, stations []*mesonetv1.Station, retryFor time.Duration, sum *registered, p *progress) error {
	left := slices.Clone(stations)
	begun := time.Now()
	for wait := firstPause; ; wait = min(2*wait, 5*time.Second) {
		r, err := c.RegisterStations(ctx, &mesonetv1.RegisterStationsRequest{Stations: left})
		switch {
		case err == nil && len(r.GetOutcomes()) != len(left):
			return fail(exitFailed, "the server at %s answered for %d of %d stations; it may be of another version: compare with mesonet version", c.addr, len(r.GetOutcomes()), len(left))
		case err == nil:
			if left, err = settle(left, r, sum); err == nil {
				return nil
			}
		case !isTransient(err):
			return err
		}
		if time.Since(begun)+wait > retryFor {
			return fail(exitUnavailable, "gave up after trying %s for %v (%s); load the file again", c.addr, retryFor, breakage(err))
		}
		if wait == firstPause {
			p.note("%s; trying again", breakage(err))
		}
		if err := clock.Sleep(ctx, clock.System(), wait); err != nil {
			return err
		}
	}
}

// settle counts outcomes. It returns the stations to be sent again, and one of
// the reasons.
func settle(sent []*mesonetv1.Station, r *mesonetv1.RegisterStationsResponse, sum *registered) (again []*mesonetv1.Station, reason error) {
	for i, o := range r.GetOutcomes() {
		switch o.GetStatus() {
		case mesonetv1.RegistrationOutcome_STATUS_REGISTERED:
			sum.Registered++
		case mesonetv1.RegistrationOutcome_STATUS_UPDATED:
			sum.Updated++
		case mesonetv1.RegistrationOutcome_STATUS_UNCHANGED:
			sum.Unchanged++
		default:
			err := remote.OfFailure(o.GetFailure())
			if err == nil {
				err = errors.New("the server does not say why")
			}
			if isTransient(err) {
				again, reason = append(again, sent[i]), err
				continue
			}
			sum.Refused++
			if len(sum.Refusals) < mostListed {
				sum.Refusals = append(sum.Refusals, refusedReading{Station: o.GetStation(), Reason: err.Error(), Readings: 1})
			}
		}
	}
	return again, reason
}

func (r *registered) acknowledged() int64 { return r.Registered + r.Updated + r.Unchanged + r.Refused }

func (r *registered) table(w io.Writer) {
	writeFields(w,
		[2]string{"stations", count(r.Stations)},
		[2]string{"registered", count(r.Registered) + " new"},
		[2]string{"updated", count(r.Updated)},
		[2]string{"unchanged", count(r.Unchanged)},
		[2]string{"refused", count(r.Refused)},
		[2]string{"malformed", counted(r.Malformed, "line", "lines")},
		[2]string{"elapsed", took(time.Duration(r.Elapsed * float64(time.Second)))},
		[2]string{"rate", perSecond(r.acknowledged(), time.Duration(r.Elapsed*float64(time.Second)))})
	writeRefusals(w, "STATIONS", r.Refusals)
	writeMalformed(w, r.Lines, r.Malformed)
}

// err is not nil when the catalogue was taken only in part.
func (r *registered) err() error {
	if r.Refused == 0 && r.Malformed == 0 {
		return nil
	}
	return fail(exitPartly, "done in part: %s refused, %s malformed; correct them and load the file again",
		counted(r.Refused, "station", "stations"), counted(r.Malformed, "line", "lines"))
}

func toMessage(s *weather.Station) *mesonetv1.Station {
	return &mesonetv1.Station{
		Id: s.ID, Name: s.Name, Country: s.Country, State: s.State, CallSign: s.CallSign,
		Latitude:   toFloat(s.Latitude, weather.CoordinateDecimals),
		Longitude:  toFloat(s.Longitude, weather.CoordinateDecimals),
		ElevationM: toFloat(s.Elevation, weather.ElevationDecimals),
	}
}

func toFloat(v weather.Value, decimals int) *float64 {
	if v == weather.Missing {
		return nil
	}
	f := v.Float(decimals)
	return &f
}

// countingReader counts what is read through it.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
