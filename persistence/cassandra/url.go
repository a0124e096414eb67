package cassandra

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mesonet/mesonet/internal/spelling"
)

// PasswordVariable is the environment's variable with the password, for a URL
// that names a user and no password_file.
const PasswordVariable = "MESONET_CASSANDRA_PASSWORD"

// Scheme begins the URL of a store.
const Scheme = "cassandra"

// parameters are what a URL may say behind the question mark.
var parameters = map[string]func(*Config, string) error{
	"dc":              func(c *Config, v string) error { c.LocalDC = v; return nil },
	"consistency":     func(c *Config, v string) error { c.Consistency = Consistency(v); return c.Consistency.validate() },
	"tls":             func(c *Config, v string) (err error) { c.TLS.Enabled, err = strconv.ParseBool(v); return err },
	"ca":              func(c *Config, v string) error { c.TLS.CA = v; return nil },
	"cert":            func(c *Config, v string) error { c.TLS.Cert = v; return nil },
	"key":             func(c *Config, v string) error { c.TLS.Key = v; return nil },
	"server_name":     func(c *Config, v string) error { c.TLS.ServerName = v; return nil },
	"password_file":   func(c *Config, v string) error { c.PasswordFile = v; return nil },
	"timeout":         func(c *Config, v string) (err error) { c.Timeout, err = time.ParseDuration(v); return err },
	"connect_timeout": func(c *Config, v string) (err error) { c.ConnectTimeout, err = time.ParseDuration(v); return err },
	"write_timeout":   func(c *Config, v string) (err error) { c.WriteTimeout, err = time.ParseDuration(v); return err },
	"protocol":        func(c *Config, v string) (err error) { c.Protocol, err = strconv.Atoi(v); return err },
	"coalesce":        func(c *Config, v string) (err error) { c.WriteCoalesce, err = time.ParseDuration(v); return err },
	"connections":     func(c *Config, v string) (err error) { c.Connections, err = strconv.Atoi(v); return err },
}

// ParseURL returns the configuration that a URL names, and the defaults for what
// it doesn't say:
//
//	cassandra://user@host1,host2:9042/keyspace?dc=dc1&ca=/etc/mesonet/ca.pem
//
// A password has no place in it, as URLs end up in logs and lists of processes:
// it comes from the variable [PasswordVariable] or from password_file.
func ParseURL(s string) (Config, error) {
	c := DefaultConfig()
	rest, ok := strings.CutPrefix(s, Scheme+"://")
	if !ok {
		return c, fmt.Errorf("cassandra: a store's URL begins with %s://, as in %s://host1,host2/keyspace", Scheme, Scheme)
	}
	// Cut by hand: several hosts with ports are no host to net/url.
	rest, query, _ := strings.Cut(rest, "?")
	hosts, keyspace, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, _, hasPassword := strings.Cut(hosts[:at], ":")
		hosts = hosts[at+1:]
		if hasPassword {
			return c, fmt.Errorf("cassandra: a URL can't have the password of %q in it; set %s, or give password_file=FILE", user, PasswordVariable)
		}
		name, err := url.PathUnescape(user)
		if err != nil || name == "" {
			return c, fmt.Errorf("cassandra: %q is no name of a user", user)
		}
		c.Username = name
	}
	if hosts == "" {
		return c, fmt.Errorf("cassandra: the URL names no host, as %s://host1,host2/keyspace does", Scheme)
	}
	c.Hosts = strings.Split(hosts, ",")
	if keyspace = strings.TrimSuffix(keyspace, "/"); keyspace != "" {
		c.Keyspace = keyspace
	}
	if err := c.parseParameters(query); err != nil {
		return c, err
	}
	if c.Username != "" && c.PasswordFile == "" {
		c.Password = Secret(os.Getenv(PasswordVariable))
	}
	return c, c.Validate()
}

func (c *Config) parseParameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("cassandra: the URL's part behind ? can't be read: %w", err)
	}
	names := slices.Sorted(maps.Keys(parameters))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		set := parameters[name]
		if set == nil {
			if name == "password" {
				return fmt.Errorf("cassandra: a URL can't have a password in it; set %s, or give password_file=FILE", PasswordVariable)
			}
			if near := spelling.Closest(name, names); near != "" {
				return fmt.Errorf("cassandra: the URL says %s=, which means nothing; did you mean %s=?", name, near)
			}
			return fmt.Errorf("cassandra: the URL says %s=, which means nothing; known are %s", name, strings.Join(names, ", "))
		}
		if len(values[name]) > 1 {
			return fmt.Errorf("cassandra: the URL says %s= more than once", name)
		}
		if err := set(c, values[name][0]); err != nil {
			return fmt.Errorf("cassandra: the URL's %s=%s: %w", name, values[name][0], err)
		}
	}
	return nil
}

// String returns the URL of the configuration without what is default, and
// without a password: what messages call the store.
func (c Config) String() string {
	user := ""
	if c.Username != "" {
		user = url.PathEscape(c.Username) + "@"
	}
	return Scheme + "://" + user + strings.Join(c.Hosts, ",") + "/" + c.Keyspace
}
