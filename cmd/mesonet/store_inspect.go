package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
)

// inspected is what a store holds.
type inspected struct {
	Store  string           `json:"store"`
	Format int              `json:"format"`
	Level  uint32           `json:"level"`
	Shards []inspectedShard `json:"shards"`
	// Unfinished says so of a copy that is not finished.
	Unfinished string            `json:"unfinished,omitempty"`
	Findings   []inspect.Finding `json:"findings"`

	each bool
}

type inspectedShard struct {
	Shard      uint32         `json:"shard"`
	Epoch      uint32         `json:"epoch"`
	Owner      string         `json:"owner"`
	Seals      int            `json:"seals"`
	Checkpoint string         `json:"checkpoint"`
	Low        string         `json:"low"`
	To         string         `json:"to"`
	Frames     int            `json:"frames"`
	Events     int            `json:"events"`
	Bytes      int64          `json:"bytes"`
	TailEvents int            `json:"tail_events"`
	TailBytes  int64          `json:"tail_bytes"`
	Pages      int            `json:"pages"`
	PageBytes  int64          `json:"page_bytes"`
	Entities   map[string]int `json:"entities"`
	Kept       int            `json:"kept"`
	Late       int            `json:"late_frames"`
}

// sum adds up the shards.
func (i *inspected) sum() inspectedShard {
	all := inspectedShard{Entities: make(map[string]int)}
	for _, s := range i.Shards {
		all.Seals += s.Seals
		all.Frames += s.Frames
		all.Events += s.Events
		all.Bytes += s.Bytes
		all.TailEvents += s.TailEvents
		all.TailBytes += s.TailBytes
		all.Pages += s.Pages
		all.PageBytes += s.PageBytes
		all.Kept += s.Kept
		all.Late += s.Late
		for kind, n := range s.Entities {
			all.Entities[kind] += n
		}
	}
	return all
}

// byKind shows numbers of entities.
func byKind(entities map[string]int) string {
	var parts []string
	for kind, n := range entities {
		parts = append(parts, fmt.Sprintf("%s %s", count(n), kind))
	}
	slices.Sort(parts)
	return orUnknown(strings.Join(parts, ", "))
}

func (i *inspected) table(w io.Writer) {
	all := i.sum()
	writeFields(w,
		[2]string{"store", i.Store},
		[2]string{"format", count(i.Format)},
		[2]string{"level", count(i.Level)},
		[2]string{"shards", count(len(i.Shards))},
		[2]string{"entities", byKind(all.Entities)},
		[2]string{"log", fmt.Sprintf("%s in %s, %s", counted(all.Events, "event", "events"), counted(all.Frames, "frame", "frames"), humanize.IBytes(uint64(all.Bytes)))},
		[2]string{"a start reads", fmt.Sprintf("%s, %s", counted(all.TailEvents, "event", "events"), humanize.IBytes(uint64(all.TailBytes)))},
		[2]string{"pages", fmt.Sprintf("%s, %s", count(all.Pages), humanize.IBytes(uint64(all.PageBytes)))},
		[2]string{"corrupt entities", count(all.Kept)})
	if all.Late > 0 {
		fmt.Fprintf(w, "late, and without effect: %s of owners that were replaced\n", counted(all.Late, "frame", "frames"))
	}
	if i.Unfinished != "" {
		fmt.Fprintln(w, i.Unfinished)
	}
	if i.each {
		fmt.Fprintln(w)
		t := table{header: []string{">SHARD", ">EPOCH", "OWNER", ">CHECKPOINT", ">LOW", ">TO", ">EVENTS", ">BYTES", ">TAIL", ">PAGES", "ENTITIES"}}
		for _, s := range i.Shards {
			t.add(fmt.Sprint(s.Shard), fmt.Sprint(s.Epoch), orUnknown(s.Owner), s.Checkpoint, s.Low, s.To, count(s.Events),
				humanize.IBytes(uint64(s.Bytes)), count(s.TailEvents), count(s.Pages), byKind(s.Entities))
		}
		t.write(w)
	}
}

func storeInspectCommand(a *app) *cobra.Command {
	var output format
	var each bool
	c := &cobra.Command{
		Use:   "inspect STORE",
		Short: "Show what a store holds: shards, owners, log, pages, entities",
		Long: `Shows what the folder of a server that is stopped holds, or a keyspace of Cassandra,
whose servers may run: its figures are those of a moment then. Nothing is changed.
Damage is told on stderr, a line each, and ends with the exit code 6.`,
		Example: `  mesonet store inspect ./mesonet-data
  mesonet store inspect ./mesonet-data --shards -o json
  mesonet store inspect cassandra://10.0.0.1,10.0.0.2/mesonet`,
		Args: arguments("STORE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := a.openStore(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			info := store.Info()
			i := &inspected{Store: info.ID.String(), Format: info.Format, Level: uint32(store.Level().Seen()), Findings: []inspect.Finding{}, each: each}
			if i.Unfinished, err = unfinished(cmd.Context(), store); err != nil {
				return err
			}
			for n := range persistence.Shard(info.Shards) {
				s, err := inspect.Read(cmd.Context(), store, n, func(f inspect.Finding) { i.Findings = append(i.Findings, f) })
				if err != nil {
					return err
				}
				i.Shards = append(i.Shards, inspectedShard{
					Shard: uint32(n), Epoch: uint32(s.Row.Epoch), Owner: string(s.Row.Owner), Seals: len(s.Row.Seals),
					Checkpoint: s.Checkpoint.String(), Low: s.Row.Low.String(), To: s.Log.To.String(),
					Frames: s.Log.Frames, Events: s.Log.Events, Bytes: s.Log.Bytes,
					TailEvents: s.Log.Tail.Events, TailBytes: s.Log.Tail.Bytes,
					Pages: s.Pages.Pages, PageBytes: s.Pages.Bytes, Entities: s.Entities, Kept: s.Pages.Own["kept"],
					Late: s.Log.Late,
				})
			}
			if err := output.write(a.out, i); err != nil {
				return err
			}
			return a.damaged(i.Findings)
		},
	}
	c.Flags().BoolVar(&each, "shards", false, "show each shard too")
	output.flag(c)
	return c
}
