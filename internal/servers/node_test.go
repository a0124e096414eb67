package servers

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A node that ends for a reason that passes is started again, and one that ends
// for another, or again and again, is not. Mutation seen to fail: one attempt.
func TestStartAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	for name, test := range map[string]struct {
		script string
		starts int
		ready  bool
	}{
		"comes up the second time": {`echo start; [ -e once ] && { echo ready; exec sleep 1000; }; touch once; echo it will pass; exit 3`, 2, true},
		"never comes up":           {`echo start; echo it will pass; exit 3`, attempts, false},
		"complains of another":     {`echo start; echo it stays; exit 3`, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Node{
				name: "a script", address: l.Addr().String(), dir: t.TempDir(), timeout: time.Minute,
				java: "/bin/sh", args: []string{"-c", test.script}, ready: []string{"ready"}, passing: "it will pass",
			}
			err := n.Start(t.Context())
			defer func() { must(t, n.Kill()) }()
			if ready := err == nil; ready != test.ready {
				t.Errorf("it starts with %v", err)
			}
			text, err := n.logSince(0)
			must(t, err)
			if got := strings.Count(text, "start\n"); got != test.starts {
				t.Errorf("it was started %d times, want %d", got, test.starts)
			}
		})
	}
}
