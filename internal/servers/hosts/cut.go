package hosts

import (
	"context"
	"fmt"
)

// Way is what goes from one host to another, or with a nil for one of them, from or to
// all.
type Way struct {
	From, To *Host
	// Port, if it is not 0, leaves of that what belongs to TCP and UDP to or from
	// a port: of connections, both what is asked and what is answered.
	Port uint16
}

// Both returns the ways between two hosts, in both directions.
func Both(a, b *Host, port uint16) []Way { return []Way{{a, b, port}, {b, a, port}} }

// rules are the router's, that lose what goes this way.
func (w Way) rules() (rules []string) {
	rule := ""
	if w.From != nil {
		rule += " from " + w.From.Addr().String()
	}
	if w.To != nil {
		rule += " to " + w.To.Addr().String()
	}
	if w.Port == 0 {
		return []string{rule}
	}
	return []string{fmt.Sprintf("%s dport %d", rule, w.Port), fmt.Sprintf("%s sport %d", rule, w.Port)}
}

// Cuts are the router's rules of so many numbers: after that which finds the router's
// own addresses, before those that find a way.
const firstRule, lastRule = 100, 30_000

// Cut loses all that goes these ways, until heal is called. Cuts that overlap are
// healed one by one.
func (n *Network) Cut(ctx context.Context, ways ...Way) (heal func(context.Context) error, err error) {
	n.mu.Lock()
	number := firstRule + n.cuts%(lastRule-firstRule)
	n.cuts++
	n.mu.Unlock()
	var add, del []string
	for _, w := range ways {
		for _, rule := range w.rules() {
			add = append(add, fmt.Sprintf("rule add%s pref %d blackhole", rule, number))
			del = append(del, fmt.Sprintf("rule del pref %d", number))
		}
	}
	if err := ip(ctx, n.router, add...); err != nil {
		return nil, fmt.Errorf("hosts: a cut: %w", err)
	}
	return func(ctx context.Context) error {
		if err := ip(ctx, n.router, del...); err != nil {
			return fmt.Errorf("hosts: heal a cut: %w", err)
		}
		return nil
	}, nil
}
