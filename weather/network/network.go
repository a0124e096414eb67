package network

import (
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/mesonet/mesonet/actors/entity"
	storagev1 "github.com/mesonet/mesonet/proto/mesonet/storage/v1"
	"github.com/mesonet/mesonet/weather"
)

// KindName is the name of the kind, and CatalogueID the id of its one entity.
const (
	KindName    = "network"
	CatalogueID = "catalogue"
)

// Contradiction is the reason of a declaration that contradicts what is stored.
const Contradiction = "CONTRADICTION"

// Kind is the kind of what a network has in common.
var Kind = entity.NewKind(KindName)

var page = entity.Pages(Kind, "measures", entity.PageCodec[*record]{
	Version: 1,
	New:     func(string) (*record, error) { return &record{}, nil },
	Append:  func(dst []byte, r *record) []byte { return appendCatalogue(dst, r.catalogue) },
	Decode: func(_ uint32, b []byte) (*record, error) {
		c, err := decodeCatalogue(b)
		return &record{c}, err
	},
}, touched, evolve)

var (
	// Declare says what is measured from now on.
	Declare = entity.CommandOn(Kind, needs[*Declaration], declare)
	// Measures asks for what is.
	Measures = entity.QueryOn(Kind, needs[*Question], measures)
)

// Declaration is the command of Declare.
type Declaration struct{ Catalogue weather.Catalogue }

// Declared says what a declaration did.
type Declared struct {
	// First says that nothing was declared before.
	First bool
	// Added and Changed are the names of measures that are new, and of those
	// with another unit or other limits.
	Added, Changed []string
}

// Question is the question of Measures. Its answer is empty when nothing was
// declared.
type Question struct{}

// record is the page.
type record struct{ catalogue weather.Catalogue }

func needs[C any](dst []entity.PageRef, _ C) []entity.PageRef { return append(dst, page.At("")) }

func recorded(v *entity.View) weather.Catalogue {
	if r, ok := page.In(v, ""); ok {
		return r.catalogue
	}
	return nil
}

func declare(v *entity.View, c *Declaration) (entity.Events, Declared, error) {
	if err := c.Catalogue.Validate(); err != nil {
		return nil, Declared{}, entity.RejectInvalid("%v", err)
	}
	for _, m := range c.Catalogue {
		if !utf8.ValidString(m.Unit) {
			return nil, Declared{}, entity.RejectInvalid("the unit %q of %s is no text in UTF-8", m.Unit, m.Name)
		}
	}
	before := recorded(v)
	if err := contradiction(before, c.Catalogue); err != nil {
		return nil, Declared{}, entity.Reject("%v", err).Because(Contradiction)
	}
	done := Declared{First: len(before) == 0}
	for i, m := range c.Catalogue {
		switch {
		case i >= len(before):
			done.Added = append(done.Added, m.Name)
		case !proto.Equal(describe(m), describe(before[i])):
			done.Changed = append(done.Changed, m.Name)
		}
	}
	if len(done.Added)+len(done.Changed) == 0 {
		return nil, done, nil
	}
	return entity.Persist(&storagev1.MeasuresDeclared{Measures: describeAll(c.Catalogue)}), done, nil
}

func measures(v *entity.View, _ *Question) (weather.Catalogue, error) {
	return append(weather.Catalogue(nil), recorded(v)...), nil
}

func touched(dst []string, event any) []string {
	if _, ok := event.(*storagev1.MeasuresDeclared); ok {
		return append(dst, "")
	}
	return dst
}

func evolve(r *record, event any) {
	if e, ok := event.(*storagev1.MeasuresDeclared); ok {
		r.catalogue = catalogueOf(e.GetMeasures())
	}
}
