package config

// LoadText is Load of a file with that text.
func LoadText(defaults Config, text []byte) (*Loaded, error) {
	l := loader{sources: Sources{Defaults: defaults}, loaded: &Loaded{Config: defaults, from: make(map[string]string)}}
	l.parse("f.yaml", text)
	return l.end()
}
