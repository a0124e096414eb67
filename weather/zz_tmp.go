package weather

type Direction struct {
	Mean, Steadiness float64
	Known            bool
}
type Rose struct{}

func DirectionOf(months []*Month, from, to Minute, direction MeasureID, all bool) Direction {
	return Direction{}
}
func RoseOf(months []*Month, from, to Minute, direction, speed MeasureID, all bool) (*Rose, bool) {
	return nil, false
}
