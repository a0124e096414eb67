package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// completionTime is how long a completion may ask a server: whoever presses a key
// does not wait longer, and then gets nothing, without a word.
const completionTime = 500 * time.Millisecond

// measureNames returns the measures of the server that a command would ask, nil
// when it does not answer.
func (n *connection) measureNames(ctx context.Context) []cobra.Completion {
	server, err := dial(n.addr, completionTime, false)
	if err != nil {
		return nil
	}
	defer server.close()
	list, err := server.measures(ctx)
	if err != nil {
		return nil
	}
	return list.names()
}

// completeMeasures lets the shell complete a flag whose value is a measure.
func completeMeasures(c *cobra.Command, asked *connection, flag string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) { // fails only for a flag that is not there
		return asked.measureNames(contextOf(c)), cobra.ShellCompDirectiveNoFileComp
	})
}

// measureArgument lets the shell complete the argument of that number, from 0.
func measureArgument(asked *connection, place int, others ...cobra.Completion) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != place {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return append(others, asked.measureNames(contextOf(c))...), cobra.ShellCompDirectiveNoFileComp
	}
}

// contextOf is the command's context, which the shell's question may not have.
func contextOf(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
