package main

import "github.com/spf13/cobra"

func quarantineCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "quarantine",
		Short:   "Lines that could not be taken in: retry",
		Example: "  mesonet quarantine retry readings.csv",
		Args:    noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %s retry", c.CommandPath())
		},
	}
	c.AddCommand(quarantineRetryCommand(a))
	return c
}
