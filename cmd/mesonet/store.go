package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/persistence/pebble"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	stations "github.com/mesonet/mesonet/weather/station"
)

func storeCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "store",
		Short:   "Look into a folder of data that no server uses: inspect, verify",
		Example: "  mesonet store inspect ./mesonet-data",
		Args:    noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return misuse("a command is missing; write %[1]s inspect or %[1]s verify", c.CommandPath())
		},
	}
	c.AddCommand(storeInspectCommand(a), storeVerifyCommand(a))
	return c
}

// openStore opens the store in a folder, which must be there, without changing it.
// One that is damaged as a whole is a finding too.
func (a *app) openStore(ctx context.Context, dir string) (*pebble.Store, error) {
	if _, err := os.Stat(filepath.Join(dir, "STORE")); errors.Is(err, fs.ErrNotExist) {
		return nil, misuse("there is no store in %s (it has no STORE file); name the folder that a server has as --data", dir)
	}
	cfg := pebble.DefaultConfig(dir)
	cfg.Logger = slog.New(slog.DiscardHandler) // what is wrong is told here
	cfg.ReadOnly = true
	store, err := pebble.Open(ctx, cfg)
	switch {
	case errors.Is(err, persistence.ErrLocked):
		return nil, fail(exitFailed, "the folder %s is in use by a server; stop it first, or ask it: mesonet entity get KIND/ID", dir)
	case errors.Is(err, persistence.ErrCorrupt):
		return nil, fail(exitDamaged, "the store is damaged as a whole: %w", err)
	}
	return store, err
}

// inspected is what a store holds.
type inspected struct {
	Store    string            `json:"store"`
	Format   int               `json:"format"`
	Shards   []inspectedShard  `json:"shards"`
	Findings []inspect.Finding `json:"findings"`

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
		[2]string{"shards", count(len(i.Shards))},
		[2]string{"entities", byKind(all.Entities)},
		[2]string{"log", fmt.Sprintf("%s in %s, %s", counted(all.Events, "event", "events"), counted(all.Frames, "frame", "frames"), humanize.IBytes(uint64(all.Bytes)))},
		[2]string{"a start reads", fmt.Sprintf("%s, %s", counted(all.TailEvents, "event", "events"), humanize.IBytes(uint64(all.TailBytes)))},
		[2]string{"pages", fmt.Sprintf("%s, %s", count(all.Pages), humanize.IBytes(uint64(all.PageBytes)))},
		[2]string{"corrupt entities", count(all.Kept)})
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
		Use:   "inspect DIR",
		Short: "Show what a folder holds: shards, log, pages, entities",
		Long: `Shows what the folder of a server that is stopped holds, a copy of it for example.
Nothing in it is changed. Damage is told on stderr, a line each, and ends with the
exit code 6.`,
		Example: `  mesonet store inspect ./mesonet-data
  mesonet store inspect ./mesonet-data --shards -o json`,
		Args: arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := a.openStore(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			info := store.Info()
			i := &inspected{Store: info.ID.String(), Format: info.Format, Findings: []inspect.Finding{}, each: each}
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

// damaged tells of findings on stderr, and is the error that they are.
func (a *app) damaged(findings []inspect.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	for _, f := range findings {
		fmt.Fprintln(a.err, oneLine(f.String()))
	}
	return fail(exitDamaged, "the store is damaged in %s; see above", counted(len(findings), "place", "places"))
}

// verified is what a verification looked at and found.
type verified struct {
	entity.Verified
	Findings []inspect.Finding `json:"damage"`
}

func (v *verified) table(w io.Writer) {
	writeFields(w,
		[2]string{"shards", count(v.Shards)},
		[2]string{"log", fmt.Sprintf("%s in %s, %s", counted(v.Events, "event", "events"), counted(v.Frames, "frame", "frames"), humanize.IBytes(uint64(v.Bytes)))},
		[2]string{"entities", count(v.Entities)},
		[2]string{"pages", fmt.Sprintf("%s, %s made anew and compared", count(v.Pages), count(v.Compared))},
		[2]string{"entries of indexes", count(v.Entries)},
		[2]string{"damage", counted(v.Verified.Findings, "place", "places")})
	for _, u := range v.Unchecked {
		fmt.Fprintf(w, "not compared: %s, %s\n", count(u.Number), u.Reason)
	}
}

// storedKinds are the kinds as the store was filled with them: its stations have
// the measures that it says.
func storedKinds(ctx context.Context, store persistence.Store) ([]*entity.Kind, error) {
	catalogue, ok, err := network.Recorded(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("what the stations measure is not to be found out: %w; restore the folder from a backup", err)
	}
	if !ok { // it was filled before that was recorded
		catalogue = weather.Standard()
	}
	return []*entity.Kind{network.Kind, stations.New(catalogue).Kind}, nil
}

func storeVerifyCommand(a *app) *cobra.Command {
	var output format
	memory := size{bytes: entity.DefaultVerifyConfig().Memory, least: 1 << 20}
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Look whether all that a folder holds is as it should be",
		Long: `Reads every frame of the log and every page in the folder of a server that is
stopped, makes the pages anew from their events and compares them, byte by byte,
and the indexes with the pages. Damage is told on stderr, a line each, and ends
with the exit code 6. Nothing is changed.`,
		Example: `  mesonet store verify ./mesonet-data
  mesonet store verify ./mesonet-data --memory 1GiB -o json`,
		Args: arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := a.openStore(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			cfg := entity.DefaultVerifyConfig()
			cfg.Memory = memory.bytes
			v := &verified{Findings: []inspect.Finding{}}
			kinds, err := storedKinds(cmd.Context(), store)
			if err != nil {
				return err
			}
			v.Verified, err = entity.Verify(cmd.Context(), store, kinds, cfg, func(f inspect.Finding) { v.Findings = append(v.Findings, f) })
			if err != nil {
				return err
			}
			if err := output.write(a.out, v); err != nil {
				return err
			}
			return a.damaged(v.Findings)
		},
	}
	c.Flags().Var(&memory, "memory", "about how much the pages that are made anew may take at a time")
	output.flag(c)
	return c
}
