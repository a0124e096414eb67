package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// envPrefix begins the variables that are for this program.
const envPrefix = "MESONET_"

// FileVariable names the file where no flag does.
const FileVariable = envPrefix + "CONFIG"

// otherVariables are those that are no settings: of commands that ask a server,
// and what no file should hold.
var otherVariables = []string{envPrefix + "ADDR", envPrefix + "CASSANDRA_PASSWORD"}

// service matches what Kubernetes sets in every container beside a service named
// mesonet, or mesonet-something: nobody wrote it, and nobody can leave it away
// easily.
var service = regexp.MustCompile(`^MESONET_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$`)

// environment returns what the environment says, in the order of the settings,
// and takes note of the file's name. An empty variable counts for nothing:
// compose files and the like set one where they mean none.
func (l *loader) environment() []given {
	variables := make(map[string]string)
	for _, line := range l.sources.Environ {
		if name, text, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, envPrefix) && text != "" {
			variables[name] = text
		}
	}
	var all []given
	known := append([]string{FileVariable}, otherVariables...)
	if l.loaded.File == "" {
		l.loaded.File = variables[FileVariable]
	}
	for _, s := range settings {
		known = append(known, s.variable())
		if text, ok := variables[s.variable()]; ok {
			all = append(all, given{s, text, s.variable()})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		text := variables[name]
		linked := strings.HasSuffix(name, "_PORT") && strings.Contains(text, "://") // tcp://10.0.0.11:7210
		if !slices.Contains(known, name) && !service.MatchString(name) && !linked {
			l.problems.add(name, "there is no such variable; %s", instead(name, known))
		}
	}
	return all
}
