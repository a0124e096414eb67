package entity

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"sync"
)

// Definition is anything that defines a kind: a *[Kind] or a *[Single].
type Definition interface {
	// Definition returns the kind.
	Definition() *Kind
}

// Kind is a kind of entity: its pages, events, commands and questions. Build it
// in package variables; it is immutable once a host serves it.
type Kind struct {
	name     string
	sets     []*pageSet
	indexes  []*Index
	handlers map[string]*handler       // by name
	commands map[reflect.Type]*handler // by type of command or question
	errs     []error                   // of building it, reported by Validate

	skipping *Handle[skipCommand, struct{}]

	eventsByName sync.Map // string → *eventType
	eventsByGo   sync.Map // reflect.Type → *eventType
}

// NewKind begins a kind with that name, which is part of everything its
// entities store: lower case letters, digits and dashes.
func NewKind(name string) *Kind {
	k := &Kind{
		name:     name,
		handlers: make(map[string]*handler),
		commands: make(map[reflect.Type]*handler),
	}
	if !kindName.MatchString(name) {
		k.fail("its name must be lower case letters, digits and dashes, beginning with a letter")
	}
	k.declareRuntimeEvents()
	return k
}

var kindName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Name returns the kind's name.
func (k *Kind) Name() string { return k.name }

// Definition returns k.
func (k *Kind) Definition() *Kind { return k }

// Validate returns what is wrong with how the kind was built.
func (k *Kind) Validate() error {
	errs := k.errs
	if len(k.sets) == 0 {
		errs = append(errs, fmt.Errorf("entity: kind %q has no pages; declare them with entity.Pages", k.name))
	}
	return errors.Join(errs...)
}

// CheckWire returns what keeps calls of the kind from travelling between nodes.
func (k *Kind) CheckWire() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(k.handlers)) {
		errs = append(errs, k.handlers[name].wire.check())
	}
	return errors.Join(errs...)
}

func (k *Kind) fail(format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf("entity: kind %q: %s", k.name, fmt.Sprintf(format, args...)))
}

func (k *Kind) declare(goType reflect.Type, t *eventType) {
	if _, twice := k.eventsByName.LoadOrStore(t.stored.Name, t); twice {
		k.fail("event %q is declared twice", t.stored.Name)
	}
	if _, twice := k.eventsByGo.LoadOrStore(goType, t); twice {
		k.fail("events of type %s are declared twice", goType)
	}
}

func (k *Kind) handle(h *handler, command reflect.Type) {
	h.kind = k
	h.name = command.String()
	if k.commands[command] != nil || k.handlers[h.name] != nil {
		k.fail("two commands or questions take a %s", command)
		return
	}
	k.commands[command] = h
	k.handlers[h.name] = h
}

// maxID bounds the length of an entity's id, in bytes.
const maxID = 256

// CheckID returns an error unless id can name an entity: 1 to 256 bytes of
// printable ASCII without a space or a slash.
func CheckID(id string) error {
	if id == "" || len(id) > maxID {
		return RejectInvalid("an id has 1 to %d characters, this one has %d", maxID, len(id)).Because("BAD_ID")
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '/' {
			return RejectInvalid("id %q has a %q in it; ids are printable ASCII without space or slash", id, c).Because("BAD_ID")
		}
	}
	return nil
}
