package config

import (
	"maps"

	"github.com/spf13/pflag"
)

// Flags collects the flags that were given. The zero Flags is ready for use.
type Flags struct{ given map[string]string }

// Declare adds the flags of settings to a set; of all that have one when no keys
// are named. What is written behind them is looked at by Load, together with all
// else.
func (f *Flags) Declare(set *pflag.FlagSet, defaults Config, keys ...string) {
	if f.given == nil {
		f.given = make(map[string]string)
	}
	if len(keys) == 0 {
		for _, s := range settings {
			if !s.unflagged {
				keys = append(keys, s.key)
			}
		}
	}
	for _, key := range keys {
		s := settingOf(key)
		added := set.VarPF(&flagValue{f, s, s.get(&defaults)}, s.flag(), "", s.usage)
		if s.boolean {
			added.NoOptDefVal = "true"
		}
	}
}

// Given returns the texts of the flags that were given, by key.
func (f *Flags) Given() map[string]string { return maps.Clone(f.given) }

// flagValue is a setting as a flag.
type flagValue struct {
	flags   *Flags
	setting *setting
	text    string
}

// String returns the text, which pflag shows as the default.
func (v *flagValue) String() string {
	if v.setting == nil {
		return "" // pflag makes one to learn of the zero value
	}
	return v.text
}

// Set takes note of a text.
func (v *flagValue) Set(text string) error {
	v.text = text
	v.flags.given[v.setting.key] = text
	return nil
}

// Type is what pflag knows the value as: it names no type for bool.
func (v *flagValue) Type() string {
	if v.setting.boolean {
		return "bool"
	}
	return "text"
}
