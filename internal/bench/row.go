package main

// row is one line of the table: a figure of ours beside the bare limit of the
// same machine, measured before and after it.
type row struct {
	// ID is what -run chooses by.
	ID string `json:"id"`
	// Work says what is measured, with its sizes.
	Work string `json:"work"`
	Unit unit   `json:"unit"`
	// Here is ours.
	Here float64 `json:"here"`
	// Limit is nil when there is nothing to compare with.
	Limit *limit `json:"limit,omitempty"`
	// Ratio is Here divided by the limit's mean; 0 without a limit.
	Ratio float64 `json:"ratio,omitempty"`
	// Goal is nil when the figure is only reported.
	Goal *goal `json:"goal,omitempty"`
	// Also are figures from the same run.
	Also []figure `json:"also,omitempty"`
}

// limit is what the machine does without us.
type limit struct {
	What   string  `json:"what"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// Mean of the two is what the ratio is to.
	Mean float64 `json:"mean"`
}

// figure is a further number of a row.
type figure struct {
	Name  string  `json:"name"`
	Unit  unit    `json:"unit"`
	Value float64 `json:"value"`
	Goal  *goal   `json:"goal,omitempty"`
}

// subject says which figure of a row a goal is about.
type subject string

const (
	ofRatio subject = "ratio"
	ofHere  subject = "here"
)

// bound says on which side of its value a goal lies.
type bound string

const (
	atLeast bound = ">="
	atMost  bound = "<="
	below   bound = "<"
)

// goal is where a figure has to be.
type goal struct {
	Of    subject `json:"of"`
	Must  bound   `json:"must"`
	Value float64 `json:"value"`
	// Reached is set when the figure is known.
	Reached bool `json:"reached"`
}

// met reports whether a figure is where the goal wants it.
func (g goal) met(figure float64) bool {
	switch g.Must {
	case atLeast:
		return figure >= g.Value
	case atMost:
		return figure <= g.Value
	case below:
		return figure < g.Value
	}
	return false
}

// turn is ours, and the limit before and after it.
type turn struct{ before, here, after float64 }

func (t turn) ratio() float64 { return t.here / mean(t.before, t.after) }

// between sets what was measured of the limit and of ours.
func (r *row) between(t turn) {
	r.Here = t.here
	r.Limit.Before, r.Limit.After, r.Limit.Mean = t.before, t.after, mean(t.before, t.after)
}

// conclude works out the ratio and whether the goals are reached.
func (r *row) conclude() {
	if r.Limit != nil && r.Limit.Mean > 0 {
		r.Ratio = r.Here / r.Limit.Mean
	}
	if r.Goal != nil {
		value := r.Here
		if r.Goal.Of == ofRatio {
			value = r.Ratio
		}
		r.Goal.Reached = r.Goal.met(value)
	}
	for _, f := range r.Also {
		if f.Goal != nil {
			f.Goal.Reached = f.Goal.met(f.Value)
		}
	}
}

// also adds a further figure and returns it, to be given a goal at once.
func (r *row) also(name string, u unit, value float64) *figure {
	r.Also = append(r.Also, figure{Name: name, Unit: u, Value: value})
	return &r.Also[len(r.Also)-1]
}
