package serverstest

import (
	"errors"
	"regexp"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(Main(m)) }

// All tests of a package have one server.
func TestCassandraIsShared(t *testing.T) {
	first := Cassandra(t, 1)
	if second := Cassandra(t, 1); first != second {
		t.Errorf("two servers: %q and %q", first.Addresses(), second.Addresses())
	}
	if first.Nodes()[0].PID() == 0 {
		t.Error("it does not run")
	}
}

type tests func() int

func (f tests) Run() int { return f() }

type fake struct {
	stops int
	err   error
}

func (f *fake) Stop() error {
	f.stops++
	return f.err
}

func TestMainStopsServers(t *testing.T) {
	before := running.servers
	t.Cleanup(func() { running.servers = before })
	for _, test := range []struct {
		name       string
		err        error
		code, want int
	}{
		{name: "all is well"},
		{name: "tests fail", code: 2, want: 2},
		{name: "a server does not stop", err: errors.New("it lives on"), want: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, starts := &fake{err: test.err}, 0
			running.servers = nil
			code := Main(tests(func() int {
				var calls sync.WaitGroup
				for range 4 {
					calls.Go(func() {
						got, err := get("x", func() (stopper, error) {
							starts++
							return server, nil
						})
						if err != nil || got != server {
							t.Errorf("got %v, %v; want the server", got, err)
						}
					})
				}
				calls.Wait()
				return test.code
			})).Run()
			if code != test.want || starts != 1 || server.stops != 1 {
				t.Errorf("code %d, %d starts, %d stops; want %d, 1, 1", code, starts, server.stops, test.want)
			}
		})
	}
}

func TestRequired(t *testing.T) {
	for _, test := range []struct {
		ci, own string
		want    bool
	}{
		{"", "", false},
		{"false", "0", false},
		{"true", "", true},
		{"", "1", true},
	} {
		t.Setenv("CI", test.ci)
		t.Setenv("MESONET_REQUIRE_SERVERS", test.own)
		if got := required(); got != test.want {
			t.Errorf("CI=%q MESONET_REQUIRE_SERVERS=%q: %t, want %t", test.ci, test.own, got, test.want)
		}
	}
}

func TestName(t *testing.T) {
	t.Run("With spaces, and Ümläuts; a name longer than any store allows for one of its own", func(t *testing.T) {
		first, second := Name(t), Name(t)
		for _, name := range []string{first, second} {
			if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`).MatchString(name) {
				t.Errorf("%q is no name of a keyspace", name)
			}
		}
		if first == second {
			t.Errorf("%q twice", first)
		}
	})
}
