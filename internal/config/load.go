package config

import (
	"errors"
	"strings"
)

// Sources are where a configuration comes from.
type Sources struct {
	// Defaults hold where nothing else is said.
	Defaults Config
	// File is the path of the file, "" for what the environment says, or none.
	File string
	// Environ is the environment, as os.Environ has it.
	Environ []string
	// Flags are the texts of the flags that were given, by key.
	Flags map[string]string
	// Check, when set, returns an error for values that can't be used. It is
	// asked about each value that is given, on top of the defaults, and then
	// about all together.
	Check func(Config) error
}

// Loaded is a configuration that can be used.
type Loaded struct {
	Config
	// File is the path of the file that was read, "" for none.
	File string

	from map[string]string // key → place, for what is not a default
}

// From returns where the value of a key comes from: "--listen", "MESONET_LISTEN",
// "mesonet.yaml:3" or "default".
func (l *Loaded) From(key string) string {
	if place, ok := l.from[key]; ok {
		return place
	}
	return "default"
}

// given is a value from one of the sources.
type given struct {
	setting *setting
	text    string
	place   string
}

// loader is one run of Load.
type loader struct {
	sources  Sources
	loaded   *Loaded
	problems Problems
}

// Load puts the sources together. Its error is Problems.
func Load(sources Sources) (*Loaded, error) {
	l := loader{sources: sources, loaded: &Loaded{Config: sources.Defaults, File: sources.File, from: make(map[string]string)}}
	environment := l.environment()
	if l.loaded.File != "" {
		l.file(l.loaded.File) // the weakest goes first
	}
	for _, g := range environment {
		l.take(g)
	}
	for _, s := range settings {
		if text, ok := sources.Flags[s.key]; ok {
			l.take(given{s, text, "--" + s.flag()})
		}
	}
	return l.end()
}

// end looks at all together.
func (l *loader) end() (*Loaded, error) {
	l.checkMeasures()
	if len(l.problems) == 0 {
		l.check(l.loaded.Config, l.whole())
	}
	l.problems.sort()
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return l.loaded, nil
}

// take sets a value, if it is one that can be used.
func (l *loader) take(g given) {
	alone := l.sources.Defaults
	if err := g.setting.set(&alone, g.text); err != nil {
		l.problems.add(g.place, "%w", err)
		return
	}
	if !g.setting.together && !l.check(alone, g.place) {
		return
	}
	_ = g.setting.set(&l.loaded.Config, g.text) // it could be read just now
	l.loaded.from[g.setting.key] = g.place
}

// check asks those who use the values, and says whether they are content.
func (l *loader) check(c Config, place string) bool {
	if l.sources.Check == nil {
		return true
	}
	err := l.sources.Check(c)
	var many Problems
	switch {
	case err == nil:
		return true
	case errors.As(err, &many):
		l.problems = append(l.problems, many...)
	default:
		l.problems.add(place, "%w", err)
	}
	return false
}

// whole is the place of a problem of values together.
func (l *loader) whole() string {
	if l.loaded.File != "" {
		return l.loaded.File
	}
	places := make([]string, 0, len(settings))
	for _, s := range settings {
		if place, ok := l.loaded.from[s.key]; ok {
			places = append(places, place)
		}
	}
	if len(places) == 0 {
		return "the defaults"
	}
	return strings.Join(places, ", ")
}
