package station

import (
	"slices"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// SetProfile is the command that gives a station ranges of its own, in place of
// all that it had. They judge what comes from then on.
type SetProfile struct{ Profile weather.Profile }

// GetProfile asks for them.
type GetProfile struct{}

func (s *Station) setProfile(v *entity.View, c *SetProfile) (entity.Events, weather.Profile, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, nil, err
	}
	if err := c.Profile.Validate(s.catalogue); err != nil {
		return nil, nil, entity.RejectInvalid("%v", err).Because(BadProfile)
	}
	if slices.Equal(c.Profile, head.Profile) {
		return nil, c.Profile, nil
	}
	return entity.Persist(&storagev1.QualityProfileSet{Ranges: rangesOf(c.Profile)}), c.Profile, nil
}

func (s *Station) profile(v *entity.View, _ *GetProfile) (weather.Profile, error) {
	head, err := s.known(v)
	if err != nil {
		return nil, err
	}
	return slices.Clone(head.Profile), nil
}

// rangesOf and profileOf turn a profile into what is stored and back.
func rangesOf(p weather.Profile) (stored []*storagev1.UsualRange) {
	for _, r := range p {
		stored = append(stored, &storagev1.UsualRange{Measure: uint32(r.Measure), Low: int32(r.Range.Low), High: int32(r.Range.High)})
	}
	return stored
}

func profileOf(stored []*storagev1.UsualRange) (p weather.Profile) {
	for _, r := range stored {
		p = append(p, weather.MeasureRange{
			Measure: weather.MeasureID(r.GetMeasure()),
			Range:   weather.Range{Low: weather.Value(r.GetLow()), High: weather.Value(r.GetHigh())},
		})
	}
	return p
}
