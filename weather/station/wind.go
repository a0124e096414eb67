package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Wind asks to describe the wind of a period. What is erroneous is left out.
type Wind struct{ Period Period }

// Winds are the answer to a Wind.
type Winds struct {
	// Rose counts winds by sector, and by speed between the Bounds, which are
	// those of the Beaufort scale.
	Rose   weather.Rose
	Bounds []weather.Value
	// Direction is the mean of all.
	Direction weather.Direction
	// Speed describes the speed, calm included.
	Speed weather.Summary
}

func (s *Station) wind(v *entity.View, q *Wind) (*Winds, error) {
	c, err := s.scope(v, q.Period, false)
	if err != nil {
		return nil, err
	}
	direction, err := s.measure("wind_direction")
	if err != nil {
		return nil, err
	}
	speed, err := s.measure("wind_speed")
	if err != nil {
		return nil, err
	}
	months, err := c.months(0)
	if err != nil {
		return nil, err
	}
	from, to := c.period.span()
	w := &Winds{Bounds: beaufort(speed)}
	rose, ok := weather.RoseOf(months, from, to, direction.ID, speed.ID, w.Bounds)
	if !ok {
		return nil, noData(v, "wind", c.period)
	}
	w.Rose = rose
	w.Direction, _ = weather.DirectionOf(months, from, to, direction.ID, speed.ID) // there, as the rose is
	year, err := c.year()
	if err != nil {
		return nil, err
	}
	w.Speed, err = c.summary(year, speed)
	return w, err
}

// beaufort returns the bounds of the Beaufort scale in the decimals of a measure
// in m/s.
func beaufort(speed *weather.Measure) []weather.Value {
	bounds := weather.Beaufort()
	for i := range bounds {
		for range speed.Decimals - 1 {
			bounds[i] *= 10
		}
		if speed.Decimals == 0 {
			bounds[i] = (bounds[i] + 9) / 10
		}
	}
	return bounds
}
