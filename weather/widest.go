package weather

import "slices"

// Widest returns the same measures with the widest limits that there are: what
// was stored under other limits than those of today is still to be read.
func (c Catalogue) Widest() Catalogue {
	all := slices.Clone(c)
	for i := range all {
		all[i].Low, all[i].High = -MaxValue, MaxValue
	}
	return all
}
