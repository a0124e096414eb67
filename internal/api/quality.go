package api

import (
	"context"
	"fmt"

	"github.com/mesonet/mesonet/actors/entity"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/station"
)

// GetStationQuality returns the ranges by which a station's readings are judged.
func (s *Server) GetStationQuality(ctx context.Context, r *mesonetv1.GetStationQualityRequest) (*mesonetv1.GetStationQualityResponse, error) {
	profile, token, err := ask(ctx, s, s.stations.Profile, r.GetStation(), &station.GetProfile{}, r.GetRead())
	if err != nil {
		return nil, err
	}
	return &mesonetv1.GetStationQualityResponse{Ranges: s.toRanges(profile), Token: token}, nil
}

// SetStationQuality gives a station ranges of its own.
func (s *Server) SetStationQuality(ctx context.Context, r *mesonetv1.SetStationQualityRequest) (*mesonetv1.SetStationQualityResponse, error) {
	profile, err := s.fromRanges(r.GetRanges())
	if err != nil {
		return nil, Status(err)
	}
	profile, token, err := ask(ctx, s, s.stations.SetProfile, r.GetStation(), &station.SetProfile{Profile: profile}, nil)
	if err != nil {
		return nil, err
	}
	return &mesonetv1.SetStationQualityResponse{Ranges: s.toRanges(profile), Token: token}, nil
}

// toRanges returns the ranges that hold: a station's own, else the network's.
func (s *Server) toRanges(own weather.Profile) (ranges []*mesonetv1.UsualRange) {
	catalogue := s.stations.Catalogue()
	for i := range catalogue {
		m := &catalogue[i]
		usual, ok := own.Range(m.ID)
		if !ok {
			usual = m.Usual
		}
		if usual != (weather.Range{}) {
			ranges = append(ranges, &mesonetv1.UsualRange{
				Measure: m.Name, Low: s.fixed(m.ID, int64(usual.Low)), High: s.fixed(m.ID, int64(usual.High)), Own: ok,
			})
		}
	}
	return ranges
}

func (s *Server) fromRanges(ranges []*mesonetv1.UsualRange) (profile weather.Profile, err error) {
	refuse := func(format string, args ...any) (weather.Profile, error) {
		return nil, entity.RejectInvalid("%s", fmt.Sprintf(format, args...)).Because(station.BadProfile)
	}
	for _, r := range ranges {
		id, ok := s.stations.Catalogue().Lookup(r.GetMeasure())
		if !ok {
			return refuse("there is no measure %q; see the list of measures", r.GetMeasure())
		}
		if _, twice := profile.Range(id); twice {
			return refuse("%s has two ranges", r.GetMeasure())
		}
		m := &s.stations.Catalogue()[id]
		var usual weather.Range
		if usual.Low, err = fixedOf(m, r.GetLow()); err != nil {
			return refuse("the low of the range of %s: %v", m.Name, err)
		}
		if usual.High, err = fixedOf(m, r.GetHigh()); err != nil {
			return refuse("the high of the range of %s: %v", m.Name, err)
		}
		if usual == (weather.Range{}) {
			return refuse("%s can't be usual from 0 to 0 alone", m.Name)
		}
		profile = profile.With(id, usual)
	}
	return profile, nil
}
