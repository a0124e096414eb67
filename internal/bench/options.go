package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mesonet/mesonet"
	"github.com/mesonet/mesonet/persistence"
)

// usage is what -h prints, and what follows an error of usage.
func usage() string {
	return `usage: bench [flags]

Measures one node beside the limits of this machine, and prints a table. Most rows
are of the embedded store; those of Cassandra start a real one, and are left out
where that can't be (a JDK and Maven are needed), unless -run names them. Rows:

  ` + strings.Join(ids(), ", ") + `

  -run REGEXP          only the rows whose name matches; all by default
  -time D              of one measurement, 10ms to 1h; 3s by default
  -o FORMAT            table or json; table by default
  -shards N            of the stores, a power of two; 32 by default
  -stations N          in the row memory, from 10 on; 100000 by default
  -hourly-stations N   in the row pages, from 1 on; 100000 by default
  -days N              in the row pages, at least; 1 to 365; 8 by default
  -full                the same as -stations 1000000
  -quick               everything small and short: to see that it works
  -keep DIR            make the stores in DIR, which is new or empty, and leave
                       them there; a temporary folder by default (TMPDIR)
  -cpuprofile FILE     write a CPU profile of the run
  -memprofile FILE     write a profile of what the run allocates

Examples:
  bench -run 'observe|ask' -time 10s
  bench -o json >figures.json
`
}

// options are what the flags say.
type options struct {
	rows   []benchmark
	named  bool // the rows were chosen, and none may be left out
	time   time.Duration
	output string
	shards uint32

	live        int // stations in the row memory
	hourly      int // stations in the row pages
	days        int // in the row pages
	share       int // most of these in the shard that is measured: memory is bounded
	recoverEach int // observations a station in the row recovery
	yearly      int // stations with a year of observations
	inFiles     int // stations in the rows files, with a year each

	quick                  bool
	keep                   string
	cpuProfile, memProfile string
}

func defaultOptions() options {
	return options{
		rows: benchmarks(), time: 3 * time.Second, output: "table", shards: mesonet.DefaultConfig(".").Shards,
		live: 100_000, hourly: 100_000, days: 8, share: 4096, recoverEach: 1000, yearly: 100, inFiles: 300,
	}
}

// quickOptions are large enough for every row to say something, and no larger.
func quickOptions() options {
	opt := defaultOptions()
	opt.quick = true
	opt.time = 300 * time.Millisecond
	opt.live, opt.recoverEach, opt.share, opt.yearly, opt.inFiles = 10_000, 20, 50, 10, 4
	return opt
}

// misuse is a mistake of whoever called the program.
type misuse struct{ err error }

func (m misuse) Error() string { return m.err.Error() }
func (m misuse) Unwrap() error { return m.err }

// change is what one flag makes of the options.
type change func(*options)

// parse returns the options that args say, flag.ErrHelp when help is asked for,
// or a misuse that says what is allowed.
func parse(args []string) (options, error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller says it, once
	quick := fs.Bool("quick", false, "")
	var said []change
	for name, read := range flags {
		fs.Func(name, "", func(value string) error {
			c, err := read(value)
			said = append(said, c)
			return err
		})
	}
	full := fs.Bool("full", false, "")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return options{}, err
	} else if err != nil {
		return options{}, misuse{err}
	}
	if fs.NArg() > 0 {
		return options{}, misuse{fmt.Errorf("%q is no flag, and there are no arguments beside flags", fs.Arg(0))}
	}
	if *full && *quick {
		return options{}, misuse{errors.New("-full and -quick exclude each other")}
	}
	opt := defaultOptions()
	if *quick {
		opt = quickOptions()
	}
	if *full {
		opt.live = million
	}
	for _, c := range said { // in their order: the last one counts, as usual
		c(&opt)
	}
	return opt, nil
}

// flags are those with a value, by name.
var flags = map[string]func(value string) (change, error){
	"run":  chooseRows,
	"time": readTime,
	"o": func(v string) (change, error) {
		if !slices.Contains(outputs, v) {
			return nil, fmt.Errorf("the formats are %s", strings.Join(outputs, " and "))
		}
		return func(o *options) { o.output = v }, nil
	},
	"shards": func(v string) (change, error) {
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil || persistence.ValidShards(uint32(n)) != nil {
			return nil, fmt.Errorf("it is a power of two from 1 to %d", persistence.MaxShards)
		}
		return func(o *options) { o.shards = uint32(n) }, nil
	},
	"stations":        number(10, 10_000_000, func(o *options, n int) { o.live = n }),
	"hourly-stations": number(1, 10_000_000, func(o *options, n int) { o.hourly = n }),
	"days":            number(1, mostDays, func(o *options, n int) { o.days = n }),
	"keep":            text(func(o *options, v string) { o.keep = v }),
	"cpuprofile":      text(func(o *options, v string) { o.cpuProfile = v }),
	"memprofile":      text(func(o *options, v string) { o.memProfile = v }),
}

// outputs are the formats of -o.
var outputs = []string{"table", "json"}

func readTime(v string) (change, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 10*time.Millisecond || d > time.Hour {
		return nil, errors.New("it is a duration from 10ms to 1h, such as 3s")
	}
	return func(o *options) { o.time = d }, nil
}

// chooseRows keeps the rows whose name matches.
func chooseRows(v string) (change, error) {
	pattern, err := regexp.Compile(v)
	if err != nil {
		return nil, fmt.Errorf("it is a regular expression of Go: %w", err)
	}
	chosen := slices.DeleteFunc(benchmarks(), func(b benchmark) bool { return !pattern.MatchString(b.id) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no row matches; the rows are %s", strings.Join(ids(), ", "))
	}
	return func(o *options) { o.rows, o.named = chosen, true }, nil
}

func number(low, high int, set func(*options, int)) func(string) (change, error) {
	return func(v string) (change, error) {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return nil, fmt.Errorf("it is a number from %d to %d", low, high)
		}
		return func(o *options) { set(o, n) }, nil
	}
}

func text(set func(*options, string)) func(string) (change, error) {
	return func(v string) (change, error) {
		if v == "" {
			return nil, errors.New("it is a path")
		}
		return func(o *options) { set(o, v) }, nil
	}
}
