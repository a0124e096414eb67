// Package config puts together what a server is told: by flags, by the
// environment, by a file, and by default, in this order.
//
//	var flags config.Flags
//	flags.Declare(command.Flags(), defaults)
//	…
//	loaded, err := config.Load(config.Sources{
//		Defaults: defaults, Environ: os.Environ(), Flags: flags.Given(), Check: check,
//	})
//
// # Keys
//
// A setting has one name, its key, such as log.format. Its flag is --log-format,
// its variable MESONET_LOG_FORMAT, and in the file it stands as
//
//	log:
//	  format: json
//
// All four take the same text: a size is 2GiB everywhere. The list of settings
// is in setting.go, and a new one is an entry there. Only the file declares
// measures, and mappings of columns. The file is named by --config or
// MESONET_CONFIG; none is searched for.
//
// # What it promises
//
// Nothing is passed over. An unknown key or variable, a key that stands twice, a
// value of the wrong type or out of range is a [Problem] with its place, also
// where something stronger overrides it, and [Load] returns all of them at once.
// What is possible at all is said by those who use a value: Check is their
// Validate, asked about each value by itself so that its error has a place.
//
// What [Loaded.WriteYAML] prints is a file that says the same.
//
// A Config is a plain value. Nothing here keeps state, and everything may be
// called from any goroutine.
package config
