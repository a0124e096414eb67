package main

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/internal/config"
	"github.com/mesonet/mesonet/internal/spelling"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// formatAuto recognises the format of each file.
const formatAuto = "auto"

// builtIn are the formats that need no mapping.
var builtIn = []string{ingest.KillrWeatherName, ingest.ISDLiteName, ingest.CSVName, ingest.NDJSONName, ingest.ParquetName}

// formatsAsked are the flags that say how files are read.
type formatsAsked struct {
	format  string
	mapping string // NAME in the configuration, or @FILE
	station string
	config  string
}

// mappingFlags declares those that say where mappings are.
func (f *formatsAsked) mappingFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.mapping, "mapping", "", "`name` of a mapping in the configuration, or @FILE with one")
	c.Flags().StringVar(&f.config, "config", "", "`file` of the configuration with the mappings ("+config.FileVariable+")")
	c.Flags().StringVar(&f.station, "station", "", "`id` of the station of all lines, where neither they nor the file's name say it")
}

// flags declares all.
func (f *formatsAsked) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", formatAuto, "`format` of the files: auto, "+strings.Join(builtIn, ", "))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions( // fails only for a flag that is not there
		append([]string{formatAuto}, builtIn...), cobra.ShellCompDirectiveNoFileComp))
	f.mappingFlags(c)
}

// check finds what can't be meant, before anything is opened.
func (f *formatsAsked) check() error {
	if f.format != formatAuto && !slices.Contains(builtIn, f.format) {
		if like := spelling.Closest(f.format, builtIn); like != "" {
			return misuse("there is no format %q; did you mean %s?", f.format, like)
		}
		return misuse("there is no format %q; use auto, %s, or a mapping with --mapping NAME", f.format, strings.Join(builtIn, ", "))
	}
	if f.mapping != "" && (f.format == ingest.KillrWeatherName || f.format == ingest.ISDLiteName) {
		return misuse("--mapping says what columns hold, and those of %s are known; leave one of both away", f.format)
	}
	if f.station == "" {
		return nil
	}
	if err := weather.CheckStationID(f.station); err != nil {
		return misuse("%s", withoutPackage(err.Error()))
	}
	if f.mapping == "" && f.format != ingest.ISDLiteName {
		return misuse("--station is for files whose lines don't name theirs; write --format isd-lite, or a --mapping, beside it")
	}
	return nil
}

// mappings are those that were found, and which of them was asked for.
type mappings struct {
	all    map[string]ingest.Mapping
	places map[string]string // where they stand
	asked  *ingest.Mapping   // nil for none
}

// load reads the mappings. Their columns are looked at by read, which knows the
// catalogue.
func (f *formatsAsked) load() (*mappings, error) {
	m := &mappings{all: map[string]ingest.Mapping{}, places: map[string]string{}}
	name, isFile := strings.CutPrefix(f.mapping, "@")
	if isFile {
		one, err := config.LoadMapping[ingest.Mapping](name)
		if err != nil {
			return nil, err
		}
		one.Name = mappingNameOf(name)
		m.asked = &one
		m.all[one.Name], m.places[one.Name] = one, name
		return m, f.amend(m)
	}
	file := f.config
	if file == "" {
		file = os.Getenv(config.FileVariable)
	}
	if file == "" {
		if f.mapping != "" {
			return nil, misuse("the mapping %s is of a configuration; name its file with --config, or write --mapping @FILE for a file with one mapping", f.mapping)
		}
		return m, nil
	}
	loaded, err := config.Load(config.Sources{Defaults: serverDefaults(), File: file})
	if err != nil {
		return nil, err
	}
	if m.all, err = config.Mappings[ingest.Mapping](loaded.Config, nil); err != nil {
		return nil, err
	}
	for name, one := range m.all {
		one.Name = name
		m.all[name], m.places[name] = one, loaded.Mappings[name].Place()
	}
	if f.mapping == "" {
		return m, nil
	}
	one, ok := m.all[f.mapping]
	if !ok {
		return nil, noMapping(f.mapping, file, slices.Sorted(maps.Keys(m.all)))
	}
	m.asked = &one
	return m, f.amend(m)
}

// amend puts what flags say into the mapping that was asked for.
func (f *formatsAsked) amend(m *mappings) error {
	kind := kindOf(m.asked)
	if f.format != formatAuto && f.format != "" && f.format != kind {
		return misuse("the mapping %s is of %s, not of %s; leave --format away", m.asked.Name, kind, f.format)
	}
	if f.station != "" {
		m.asked.Station = ingest.StationMapping{Constant: f.station}
		m.all[m.asked.Name] = *m.asked
	}
	return nil
}

func noMapping(name, file string, names []string) error {
	like := spelling.Closest(name, names)
	switch {
	case len(names) == 0:
		return misuse("there is no mapping %q in %s, which has none; declare it below mappings:", name, file)
	case like != "":
		return misuse("there is no mapping %q in %s; did you mean %s?", name, file, like)
	}
	return misuse("there is no mapping %q in %s, which has: %s", name, file, strings.Join(names, ", "))
}

// mappingNameOf is what a mapping of a file of its own is called: as the file is, as
// far as a name can be that.
func mappingNameOf(path string) string {
	base := path[strings.LastIndexAny(path, `/\`)+1:]
	base, _, _ = strings.Cut(strings.ToLower(base), ".")
	base = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, base)
	base = strings.TrimLeft(base, "-_")
	if base = base[:min(len(base), 36)]; base == "" || slices.Contains(builtIn, base) {
		return "mapping" + strings.Repeat("-", min(1, len(base))) + base
	}
	return base
}

// kindOf is the format of which a mapping is.
func kindOf(m *ingest.Mapping) string {
	if m.Format == "" {
		return ingest.CSVName
	}
	return m.Format
}

// format returns what a mapping describes, for a network with that catalogue.
func (m *mappings) format(c weather.Catalogue, one *ingest.Mapping) (ingest.Format, error) {
	format, err := ingest.MappedFormat(c, *one)
	if err != nil {
		return nil, misuse("%s: %s", m.places[one.Name], withoutPackage(err.Error()))
	}
	return format, nil
}

// recorded is what a quarantine is told of a format: csv/river for the mapping
// river.
func (m *mappings) recorded(name string) string {
	if one, ok := m.all[name]; ok {
		return kindOf(&one) + "/" + name
	}
	return name
}

// read returns what chooses the format of a source, for ingest.Config.
func (f *formatsAsked) read(c weather.Catalogue, m *mappings) (func([]byte, string) (ingest.Format, error), error) {
	switch {
	case m.asked != nil:
		format, err := m.format(c, m.asked)
		if err != nil {
			return nil, err
		}
		return ingest.Only(format), nil
	case f.format == ingest.ISDLiteName:
		format, err := ingest.ISDLiteFormat(c, f.station)
		if err != nil {
			return nil, err
		}
		return ingest.Only(format), nil
	}
	all := make([]ingest.Mapping, 0, len(m.all))
	for _, name := range slices.Sorted(maps.Keys(m.all)) {
		one := m.all[name]
		if _, err := m.format(c, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	formats, err := ingest.NewFormats(c, all...)
	if err != nil {
		return nil, err
	}
	if f.format == formatAuto {
		return formats.Recognise, nil
	}
	format, err := formats.Named(f.format)
	if err != nil {
		return nil, err
	}
	return ingest.Only(format), nil
}
