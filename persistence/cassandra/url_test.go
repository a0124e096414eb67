package cassandra

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseURL(t *testing.T) {
	t.Setenv(PasswordVariable, "")
	for url, change := range map[string]func(*Config){
		"cassandra://10.0.0.1": func(c *Config) { c.Hosts = []string{"10.0.0.1"} },
		"cassandra://a,b:9043/weather?dc=dc1&consistency=home-dc": func(c *Config) {
			c.Hosts, c.Keyspace, c.LocalDC, c.Consistency = []string{"a", "b:9043"}, "weather", "dc1", HomeDC
		},
		"cassandra://us%40er@a/k?password_file=/run/p&ca=ca.pem&server_name=db": func(c *Config) {
			c.Hosts, c.Keyspace, c.Username, c.PasswordFile = []string{"a"}, "k", "us@er", "/run/p"
			c.TLS = TLS{CA: "ca.pem", ServerName: "db"}
		},
		"cassandra://a/k?timeout=1s&connect_timeout=2s&write_timeout=1m&protocol=5&coalesce=1ms&connections=4&tls=true&cert=c&key=k": func(c *Config) {
			c.Hosts, c.Keyspace = []string{"a"}, "k"
			c.Timeout, c.ConnectTimeout, c.WriteTimeout = time.Second, 2*time.Second, time.Minute
			c.Protocol, c.WriteCoalesce, c.Connections = 5, time.Millisecond, 4
			c.TLS = TLS{Enabled: true, Cert: "c", Key: "k"}
		},
		"cassandra://[::1]:9042/k": func(c *Config) { c.Hosts, c.Keyspace = []string{"[::1]:9042"}, "k" },
	} {
		want := DefaultConfig()
		change(&want)
		got, err := ParseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Config{}, "Logger")); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", url, diff)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://a/b":                              "begins with cassandra://",
		"cassandra:///k":                              "names no host",
		"cassandra://a,,b/k":                          `"" is no host`,
		"cassandra://a/Weather":                       `"Weather" is no name for a keyspace`,
		"cassandra://a/k?datacenter=x":                "known are ca, cert",
		"cassandra://a/k?conections=3":                "did you mean connections=?",
		"cassandra://a/k?dc=a&dc=b":                   "more than once",
		"cassandra://a/k?consistency=one":             `"global" or "home-dc"`,
		"cassandra://a/k?protocol=3":                  "4 and 5 are",
		"cassandra://a/k?cert=c":                      "go together",
		"cassandra://a/k?timeout=soon":                "timeout=soon",
		"cassandra://a/k?timeout=9s&write_timeout=1s": "given up after 1s",
		"cassandra://a/k?password_file=f":             "no username",
		"cassandra://u:hunter2@a/k":                   "can't have the password",
		"cassandra://u@a/k?password=hunter2":          "can't have a password",
	} {
		_, err := ParseURL(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error prints the password: %v", url, err)
		}
	}
}

// A password is in no text that a program may print.
//
// Seen to fail with Password as a plain string.
func TestPasswordIsNotPrinted(t *testing.T) {
	t.Setenv(PasswordVariable, "hunter2")
	c, err := ParseURL("cassandra://u@a/k")
	if err != nil {
		t.Fatal(err)
	}
	if c.Password != "hunter2" {
		t.Fatal("the password of the environment was not taken")
	}
	var b bytes.Buffer
	type plain Config // without String
	_, _ = fmt.Fprintf(&b, "%v %+v %#v %s", c, plain(c), plain(c), c.Password)
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("x", "config", c, "password", c.Password)
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("the password is printed: %s", b.String())
	}
}

func TestPasswordFile(t *testing.T) {
	c := DefaultConfig()
	c.Username, c.PasswordFile = "u", filepath.Join(t.TempDir(), "password")
	if _, err := c.cluster(); err == nil || !strings.Contains(err.Error(), `password of "u"`) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(c.PasswordFile, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.password(); got != "hunter2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
