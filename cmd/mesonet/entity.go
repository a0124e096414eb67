package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

func entityCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "entity",
		Short: "What the runtime keeps of stations and others: list, get, skip",
		Long: `Shows entities as the runtime sees them: a station is one, of the kind station.
It is for operators; nothing is woken by looking.`,
		Example: "  mesonet entity get station/725030:14732",
		Args:    noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s list, %[1]s get or %[1]s skip", c.CommandPath())
		},
	}
	c.AddCommand(entityListCommand(a), entityGetCommand(a), entitySkipCommand(a))
	return c
}

// parseEntity splits KIND/ID.
func parseEntity(text string) (kind, id string, err error) {
	kind, id, ok := strings.Cut(text, "/")
	if !ok || kind == "" || id == "" {
		return "", "", misuse("%q is no entity; write KIND/ID, such as station/725030:14732", text)
	}
	return kind, id, nil
}

// entityList is a page of ids, or the kinds.
type entityList struct {
	Kind          string   `json:"kind,omitempty"`
	IDs           []string `json:"ids"`
	Kinds         []string `json:"kinds"`
	NextPageToken string   `json:"next_page_token"`
}

func (l *entityList) table(w io.Writer) {
	t := table{header: []string{"KIND"}}
	rows := l.Kinds
	if l.Kind != "" {
		t.header, rows = []string{"ENTITY"}, l.IDs
	}
	for _, row := range rows {
		if l.Kind != "" {
			row = l.Kind + "/" + row
		}
		t.add(row)
	}
	t.write(w)
}

// entityRow is an entity as it stands alone, or a kind, which has no id.
type entityRow struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

func (l *entityList) list() listing { return listOf(l.rows()) }

func (l *entityList) rows() iter.Seq[entityRow] {
	return func(yield func(entityRow) bool) {
		if l.Kind == "" {
			for _, kind := range l.Kinds {
				if !yield(entityRow{Kind: kind}) {
					return
				}
			}
			return
		}
		for _, id := range l.IDs {
			if !yield(entityRow{l.Kind, id}) {
				return
			}
		}
	}
}

// remark says how the list goes on, where the list itself does not.
func (l *entityList) remark(f format) string {
	if f == formatJSON || l.NextPageToken == "" {
		return ""
	}
	return "for those after them add --page-token " + l.NextPageToken
}

// entities returns up to limit ids of a kind from where the token points.
func (c *client) entities(ctx context.Context, kind, token string, limit int) (*entityList, error) {
	list := &entityList{Kind: kind, IDs: []string{}, NextPageToken: token}
	for {
		r, err := c.ListEntities(ctx, &mesonetv1.ListEntitiesRequest{
			Kind: kind, PageSize: uint32(min(limit-len(list.IDs), mostPerPage)), PageToken: list.NextPageToken,
		})
		if err != nil {
			return nil, err
		}
		list.Kinds = r.GetKinds()
		list.IDs = append(list.IDs, r.GetIds()...)
		if list.NextPageToken = r.GetNextPageToken(); list.NextPageToken == "" || len(list.IDs) >= limit {
			return list, nil
		}
	}
}

func entityListCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	var token string
	var limit int
	c := &cobra.Command{
		Use:   "list [KIND]",
		Short: "List the entities of a kind, or the kinds",
		Example: `  mesonet entity list
  mesonet entity list station --limit 10`,
		Args: argumentsBetween(0, "KIND"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return misuse("a limit of %d leaves nothing to list; write --limit 50", limit)
			}
			kind := ""
			if len(args) == 1 {
				kind = args[0]
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			list, err := server.entities(cmd.Context(), kind, token, limit)
			if err != nil {
				return err
			}
			return a.show(output, list)
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "list at most so many")
	c.Flags().StringVar(&token, "page-token", "", "go on where a list before ended")
	asked.flags(c)
	output.flag(c)
	return c
}

// described is an entity as the runtime sees it.
type described struct {
	Entity      string       `json:"entity"`
	Shard       uint32       `json:"shard"`
	Awake       bool         `json:"awake"`
	MemoryBytes uint64       `json:"memory_bytes"`
	Unstored    bool         `json:"unstored"`
	Corrupt     string       `json:"corrupt"`
	CorruptAt   string       `json:"corrupt_at"`
	KeptEvents  uint32       `json:"kept_events"`
	Pages       []storedPage `json:"pages"`
}

type storedPage struct {
	Name     string `json:"name"`
	Position string `json:"position"`
	Version  uint32 `json:"version"`
	Bytes    uint64 `json:"bytes"`
}

func (d *described) table(w io.Writer) {
	memory := "asleep"
	if d.Awake {
		memory = counted(d.MemoryBytes, "byte", "bytes")
	}
	stored := "all of it"
	if d.Unstored {
		stored = "not all of it: the rest is in the log"
	}
	writeFields(w,
		[2]string{"entity", d.Entity},
		[2]string{"shard", count(d.Shard)},
		[2]string{"in memory", memory},
		[2]string{"in pages", stored},
		[2]string{"corrupt", orUnknown(d.Corrupt)},
		[2]string{"events kept aside", count(d.KeptEvents)})
	if len(d.Pages) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := table{header: []string{"PAGE", ">POSITION", ">VERSION", ">BYTES"}}
	for _, p := range d.Pages {
		t.add(p.Name, p.Position, count(p.Version), count(p.Bytes))
	}
	t.write(w)
}

func entityGetCommand(a *app) *cobra.Command {
	var asked connection
	var output format
	c := &cobra.Command{
		Use:   "get KIND/ID",
		Short: "Show one entity: its shard, its pages, whether it is well",
		Example: `  mesonet entity get station/725030:14732
  mesonet entity get station/725030:14732 -o json`,
		Args: arguments("KIND/ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, id, err := parseEntity(args[0])
			if err != nil {
				return err
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			r, err := server.GetEntity(cmd.Context(), &mesonetv1.GetEntityRequest{Kind: kind, Id: id})
			if err != nil {
				return err
			}
			d := &described{
				Entity: args[0], Shard: r.GetShard(), Awake: r.GetAwake(), MemoryBytes: r.GetMemoryBytes(), Unstored: r.GetUnstored(),
				Corrupt: r.GetCorrupt(), CorruptAt: r.GetCorruptAt(), KeptEvents: r.GetKeptEvents(), Pages: []storedPage{},
			}
			for _, p := range r.GetPages() {
				d.Pages = append(d.Pages, storedPage{p.GetName(), p.GetPosition(), p.GetVersion(), p.GetBytes()})
			}
			return output.write(a.out, d)
		},
	}
	asked.flags(c)
	output.flag(c)
	return c
}

func entitySkipCommand(a *app) *cobra.Command {
	var asked connection
	var sure bool
	c := &cobra.Command{
		Use:   "skip KIND/ID POSITION --yes",
		Short: "Bring a corrupt entity back without the event that it can't use",
		Long: `Leaves out the event by which an entity is corrupt, in this and every later
replay; mesonet entity get names its position. What the event said is lost to the
entity, and stays in the log. First try the version of mesonet that wrote it.`,
		Example: "  mesonet entity skip station/725030:14732 4101:12 --yes",
		Args:    arguments("KIND/ID", "POSITION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, id, err := parseEntity(args[0])
			if err != nil {
				return err
			}
			if !sure {
				return misuse("skipping an event can't be undone, and what it said is lost to %s; if that is what you want, add --yes", args[0])
			}
			server, err := asked.dial()
			if err != nil {
				return err
			}
			defer server.close()
			if _, err := server.SkipEvent(cmd.Context(), &mesonetv1.SkipEventRequest{Kind: kind, Id: id, Position: args[1]}); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "skipped the event at %s; %s starts again without it\n", args[1], args[0])
			return nil
		},
	}
	c.Flags().BoolVar(&sure, "yes", false, "do it")
	asked.flags(c)
	return c
}
