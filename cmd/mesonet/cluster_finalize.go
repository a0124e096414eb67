package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// finalized is what became of the level of a store's formats, or what would.
type finalized struct {
	DryRun   bool       `json:"dry_run"`
	Level    uint32     `json:"level"`
	Next     uint32     `json:"next"`
	Raised   bool       `json:"raised"`
	HeldBack string     `json:"held_back"`
	Nodes    []finalist `json:"nodes"`
}

// finalist is a node that has a say in it.
type finalist struct {
	Node       string `json:"node"`
	LevelLeast uint32 `json:"level_least"`
	LevelMost  uint32 `json:"level_most"`
	Level      uint32 `json:"level"`
	Version    string `json:"version"`
	Away       string `json:"away"`
}

func (f *finalized) table(w io.Writer) {
	if f.DryRun {
		t := table{header: []string{"NODE", ">LEVEL", ">KNOWS", "VERSION", "REMARKS"}}
		for _, n := range f.Nodes {
			t.add(n.Node, levelName(n.Level), levelRange(n.LevelLeast, n.LevelMost), orUnknown(n.Version), orUnknown(n.Away))
		}
		t.write(w)
		fmt.Fprintln(w)
	}
	switch {
	case f.HeldBack != "":
		fmt.Fprintf(w, "the store would stay at level %d: %s\n", f.Level, printable(f.HeldBack))
	case f.Next == f.Level:
		fmt.Fprintf(w, "the store is at level %d, the highest that this release knows; there is nothing to finalize\n", f.Level)
	case f.Raised:
		fmt.Fprintf(w, "the store is at level %d now, where it was at level %d; all nodes write it within seconds, and a release that does not know it can't return\n", f.Next, f.Level)
	default:
		fmt.Fprintf(w, "the store is at level %d, and would be raised to level %d; there is no way back: a release that does not know level %d can't use it from then on\n", f.Level, f.Next, f.Next)
	}
}

// levelName is a level, or what is shown for one that is not known.
func levelName(n uint32) string {
	if n == 0 {
		return unknown
	}
	return strconv.FormatUint(uint64(n), 10)
}

// levelRange is a range of levels, as the one of protocols is shown.
func levelRange(least, most uint32) string {
	if most > least {
		return fmt.Sprintf("%d-%d", least, most)
	}
	return levelName(least)
}

func clusterFinalizeCommand(a *app) *cobra.Command {
	var q asking
	var dry bool
	c := &cobra.Command{
		Use:   "finalize",
		Short: "Write the formats of a new release, once all nodes are of it, for ever",
		Long: `Raises the store to the highest level of formats that all nodes know: the step after
an upgrade, after which the release before it can't come back. It names the nodes
that know no higher level, or can't be asked and may be of any release, and changes
nothing then; one that is gone for good is not asked once others have its shards.
With --dry-run it shows the level, what each node knows, and what would be.`,
		Example: `  mesonet cluster finalize --dry-run
  mesonet cluster finalize`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.answer(a, func(server *client) (answer, error) {
				r, err := server.FinalizeStore(cmd.Context(), &mesonetv1.FinalizeStoreRequest{DryRun: dry})
				if err != nil {
					return nil, err
				}
				f := &finalized{DryRun: dry, Level: r.GetLevel(), Next: r.GetNext(), Raised: r.GetRaised(), HeldBack: r.GetHeldBack(), Nodes: []finalist{}}
				for _, n := range r.GetNodes() {
					f.Nodes = append(f.Nodes, finalist{n.GetNode(), n.GetLevelLeast(), n.GetLevelMost(), n.GetLevel(), n.GetVersion(), n.GetAway()})
				}
				return f, nil
			})
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "change nothing, and show what would be")
	q.connection.flags(c)
	q.output.flag(c)
	return c
}
