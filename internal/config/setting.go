package config

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/mesonet/mesonet/weather/view"
)

// setting is a value that every source may set, with a text.
type setting struct {
	// key is its place in the file, such as log.format.
	key string
	// usage is for people; what stands in `quotes` is what they have to write.
	usage string
	// more is what the file says besides.
	more string
	// set reads a text into the field. An error says what to write.
	set func(c *Config, text string) error
	// get returns the text, which set would read.
	get func(c *Config) string
	// boolean: the flag alone means true. number: it is one for other programs.
	boolean, number bool
	// unflagged: what is stored depends on it, so it has to stand in a file.
	unflagged bool
	// together: whether it can be used depends on others, so it is not looked at alone.
	together bool
}

// The settings, in the order in which they are shown.
var settings = []*setting{
	text("data", "the `folder` of the data; it is made when it is missing", func(c *Config) *string { return &c.Data }).
		with("A relative one begins where the server is started."),
	text("store", "instead of a folder, the `URL` of a keyspace of Cassandra: cassandra://host1,host2/keyspace?dc=dc1", func(c *Config) *string { return &c.Store }).
		with("mesonet schema apply creates it. A password stands in MESONET_CASSANDRA_PASSWORD."),
	text("node", "`name` of this node in the store, by default the host's; no other node has it, and it stays the same for ever", func(c *Config) *string { return &c.Node }),
	text("listen", "`address` to listen on; port 0 takes a free one", func(c *Config) *string { return &c.Listen }),
	address("http", "`address` of the API as JSON over HTTP; port 0 takes a free one, \"\" for none", func(c *Config) *string { return &c.HTTP }),
	address("admin", "`address` of health, metrics and profiles; port 0 takes a free one, \"\" for none", func(c *Config) *string { return &c.Admin }),
	{
		key: "shards", usage: "`number` of shards of a store that is created, a power of two", number: true,
		set: func(c *Config, text string) error {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return fmt.Errorf("%s is no number of shards; write a power of two, such as 32", shown(text))
			}
			c.Shards = uint32(n)
			return nil
		},
		get: func(c *Config) string { return strconv.FormatUint(uint64(c.Shards), 10) },
	},
	{
		key: "views", usage: "tables of Cassandra for others to read, `all|none` or names with commas between; see docs/views.md",
		more: "mesonet schema apply --views creates them.",
		set: func(c *Config, text string) (err error) {
			c.Views, err = view.Parse(text)
			return err
		},
		get: func(c *Config) string { return view.Format(c.Views) },
	},
	text("views_keyspace", "`keyspace` of these tables, by default the store's with _views behind it", func(c *Config) *string { return &c.ViewsKeyspace }),
	boolean("auto_register", "take readings of stations that nobody has registered", func(c *Config) *bool { return &c.AutoRegister }),
	{
		key: "memory", usage: "about how much the node may take, a `size` or unlimited; stations that nobody needed for the longest time leave it",
		set: func(c *Config, text string) (err error) {
			c.Memory, err = parseSize(text, unlimited)
			return err
		},
		get: func(c *Config) string {
			if c.Memory == 0 {
				return unlimited
			}
			return formatSize(c.Memory)
		},
	},
	{
		key: "passivate_after", usage: "after what `time` without a call a station leaves memory, or never",
		set: func(c *Config, text string) (err error) {
			c.PassivateAfter, err = parseTime(text)
			return err
		},
		get: func(c *Config) string {
			if c.PassivateAfter == 0 {
				return never
			}
			return formatTime(c.PassivateAfter)
		},
	},
	{
		key: "checkpoint_bytes", usage: "`size` of a shard's log after which its pages are stored; a start after a crash reads as much of each",
		set: func(c *Config, text string) error {
			n, err := parseSize(text, "")
			c.CheckpointBytes = int(n)
			return err
		},
		get: func(c *Config) string { return formatSize(int64(c.CheckpointBytes)) },
	},
	{
		key: "history", usage: "what becomes of the log that no start needs, and audits and rebuilds read: `keep|drop`",
		set: choice("history", []string{"keep", "drop"}, func(c *Config, i int) { c.DropHistory = i == 1 }),
		get: func(c *Config) string {
			if c.DropHistory {
				return "drop"
			}
			return "keep"
		},
	},
	address("cluster.gossip", "`address` for gossip with the other nodes of a cluster, TCP and UDP, none for a node that stands alone", func(c *Config) *string { return &c.Cluster.Gossip }).
		with("All nodes of a cluster use one store, and any of them answers for all; see docs/operations.md.").
		among(), // plain or not say key_file, ca and plain
	text("cluster.requests", "`address` for requests of the other nodes", func(c *Config) *string { return &c.Cluster.Requests }),
	text("cluster.advertise", "`host` by which the other nodes reach this one, by default that of the two addresses", func(c *Config) *string { return &c.Cluster.Advertise }),
	{
		key: "cluster.join", usage: "`addresses` of gossip of other nodes, with commas between; a name may stand for several of them",
		set: func(c *Config, text string) error {
			c.Cluster.Join = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
			return nil
		},
		get: func(c *Config) string { return strings.Join(c.Cluster.Join, ",") },
	},
	text("cluster.name", "`name` of the cluster; nodes of another are refused", func(c *Config) *string { return &c.Cluster.Name }),
	text("cluster.zone", "`zone` that the node is in, for people", func(c *Config) *string { return &c.Cluster.Zone }),
	{
		key: "cluster.weight", usage: "how many shards the node takes, a `number` in proportion to others; 0 for a node that only takes requests", number: true,
		set: func(c *Config, text string) error {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return fmt.Errorf("%s is no weight; write a number from 0 to 65535, such as 100", shown(text))
			}
			c.Cluster.Weight = uint32(n)
			return nil
		},
		get: func(c *Config) string { return strconv.FormatUint(uint64(c.Cluster.Weight), 10) },
	},
	text("cluster.key_file", "`file` with keys of gossip, in base64, one a line: the first encrypts, all decrypt", func(c *Config) *string { return &c.Cluster.KeyFile }),
	text("cluster.ca", "`file` with the authority of the nodes' certificates, in PEM", func(c *Config) *string { return &c.Cluster.CA }),
	text("cluster.cert", "`file` with this node's certificate", func(c *Config) *string { return &c.Cluster.Cert }),
	text("cluster.key", "`file` with the key of that", func(c *Config) *string { return &c.Cluster.Key }),
	boolean("cluster.plain", "let gossip and requests between nodes be readable where others can listen", func(c *Config) *bool { return &c.Cluster.Plain }),
	{
		key: "log.format", usage: "`format` of the logs: text or json",
		set: choice("log format", []string{"text", "json"}, func(c *Config, i int) { c.Log.Format = []string{"text", "json"}[i] }),
		get: func(c *Config) string { return c.Log.Format },
	},
	{
		key: "log.level", usage: "least `level` that is logged: debug, info, warn or error",
		set: choice("log level", []string{"debug", "info", "warn", "error"}, func(c *Config, i int) {
			c.Log.Level = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[i]
		}),
		get: func(c *Config) string { return strings.ToLower(c.Log.Level.String()) },
	},
	boolean("standard_measures", "begin the list of measures with those of a weather station", func(c *Config) *bool { return &c.StandardMeasures }).
		inFile("What was once stored settles it: a store refuses a list that begins otherwise."),
}

// flag and variable are the setting's names elsewhere.
func (s *setting) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.key) }

func (s *setting) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// comment is what the file says of the setting.
func (s *setting) comment() string {
	usage := strings.ReplaceAll(s.usage, "`", "")
	comment := strings.ToUpper(usage[:1]) + usage[1:] + "."
	if s.more != "" {
		comment += "\n" + s.more
	}
	return comment
}

// with adds a line to the comment in the file.
func (s *setting) with(more string) *setting {
	s.more = more
	return s
}

// inFile makes a setting one without a flag.
func (s *setting) inFile(more string) *setting {
	s.unflagged = true
	return s.with(more)
}

func settingOf(key string) *setting {
	for _, s := range settings {
		if s.key == key {
			return s
		}
	}
	return nil
}

func text(key, usage string, field func(*Config) *string) *setting {
	return &setting{
		key: key, usage: usage,
		set: func(c *Config, text string) error {
			*field(c) = text
			return nil
		},
		get: func(c *Config) string { return *field(c) },
	}
}

// none is an address that nothing listens on. In the environment, where an empty
// variable counts for nothing, it is the way to say so.
const none = "none"

// among says that a setting can be judged only with others.
func (s *setting) among() *setting {
	s.together = true
	return s
}

func address(key, usage string, field func(*Config) *string) *setting {
	s := text(key, usage, field)
	s.set = func(c *Config, text string) error {
		if text == none {
			text = ""
		}
		*field(c) = text
		return nil
	}
	s.get = func(c *Config) string {
		if *field(c) == "" {
			return none
		}
		return *field(c)
	}
	return s
}

func boolean(key, usage string, field func(*Config) *bool) *setting {
	return &setting{
		key: key, usage: usage, boolean: true,
		set: func(c *Config, text string) error {
			v, err := strconv.ParseBool(text)
			if err != nil {
				return fmt.Errorf("%s is neither; write true or false", shown(text))
			}
			*field(c) = v
			return nil
		},
		get: func(c *Config) string { return strconv.FormatBool(*field(c)) },
	}
}

// choice reads one of some words.
func choice(what string, words []string, set func(c *Config, i int)) func(*Config, string) error {
	return func(c *Config, text string) error {
		for i, word := range words {
			if text == word {
				set(c, i)
				return nil
			}
		}
		last := len(words) - 1
		return fmt.Errorf("there is no %s %s; use %s or %s", what, shown(text), strings.Join(words[:last], ", "), words[last])
	}
}

const never = "never"

func parseTime(text string) (time.Duration, error) {
	if text == never {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s is no time; write one such as 90s, 10m or 2h, or never", shown(text))
	}
	return d, nil
}

// formatTime writes a time without its zeros: 24h, not 24h0m0s.
func formatTime(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
