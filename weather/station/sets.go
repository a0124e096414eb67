package station

import (
	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
)

// Heads is the page of what is known of a station, for what renders it.
func (s *Station) Heads() entity.PageSet[*Head] { return s.heads }

// Years are the pages of aggregates, one for each year, named as 2008.
func (s *Station) Years() entity.PageSet[*weather.Year] { return s.years }

// Months are the pages of observations, one for each month, named as 2008-05.
func (s *Station) Months() entity.PageSet[*weather.Month] { return s.months }
