package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Wind asks to describe the wind of a period.
type Wind struct {
	Period Period
	// All counts erroneous values in.
	All bool
}

func (s *Station) wind(v *entity.View, q *Wind) (*weather.Rose, error) {
	c, err := s.scope(v, q.Period, q.All)
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
	rose, ok := weather.RoseOf(months, from, to, direction.ID, speed.ID, c.all)
	if !ok {
		return nil, noData(v, "wind", c.period)
	}
	return rose, nil
}
