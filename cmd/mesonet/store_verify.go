package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/persistence"
	"github.com/mesonet/mesonet/persistence/inspect"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	"github.com/mesonet/mesonet/weather/quarantine"
	stations "github.com/mesonet/mesonet/weather/station"
)

// verified is what a verification looked at and found.
type verified struct {
	entity.Verified
	Findings []inspect.Finding `json:"damage"`
	// Moving are shards that were in use, and Unsure what may be of that.
	Moving []persistence.Shard `json:"shards_in_use,omitempty"`
	Unsure []inspect.Finding   `json:"unsure,omitempty"`
}

func (v *verified) table(w io.Writer) {
	writeFields(w,
		[2]string{"shards", count(v.Shards)},
		[2]string{"log", fmt.Sprintf("%s in %s, %s", counted(v.Events, "event", "events"), counted(v.Frames, "frame", "frames"), humanize.IBytes(uint64(v.Bytes)))},
		[2]string{"entities", count(v.Entities)},
		[2]string{"pages", fmt.Sprintf("%s, %s made anew and compared", count(v.Pages), count(v.Compared))},
		[2]string{"entries of indexes", count(v.Entries)},
		[2]string{"damage", counted(len(v.Findings), "place", "places")})
	for _, u := range v.Unchecked {
		fmt.Fprintf(w, "not compared: %s, %s\n", count(u.Number), u.Reason)
	}
	if len(v.Moving) > 0 {
		fmt.Fprintf(w, "in use meanwhile: %s, of which %s can't be judged; stop the servers to be sure\n",
			counted(len(v.Moving), "shard", "shards"), counted(len(v.Unsure), "place", "places"))
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
	kept, err := quarantine.New(quarantine.DefaultConfig())
	if err != nil {
		return nil, err
	}
	return []*entity.Kind{network.Kind, kept.Kind, stations.New(catalogue).Kind}, nil
}

func storeVerifyCommand(a *app) *cobra.Command {
	var output format
	memory := size{bytes: entity.DefaultVerifyConfig().Memory, least: 1 << 20}
	c := &cobra.Command{
		Use:   "verify STORE",
		Short: "Look whether all that a store holds is as it should be",
		Long: `Reads every frame of the log and every page in the folder of a server that is
stopped, or in a keyspace of Cassandra, makes the pages anew from their events and
compares them, byte by byte, and the indexes with the pages. Damage is told on
stderr, a line each, and ends with the exit code 6. Nothing is changed. What servers
change in a keyspace meanwhile can't be judged, and is counted.`,
		Example: `  mesonet store verify ./mesonet-data
  mesonet store verify ./mesonet-data --memory 1GiB -o json
  mesonet store verify cassandra://10.0.0.1,10.0.0.2/mesonet`,
		Args: arguments("STORE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := a.openStore(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			cfg := entity.DefaultVerifyConfig()
			cfg.Memory = memory.bytes
			v := &verified{Findings: []inspect.Finding{}}
			if what, err := unfinished(cmd.Context(), store); err != nil || what != "" {
				return errors.Join(err, fail(exitFailed, "nothing can be said of %s: %s", args[0], what))
			}
			kinds, err := storedKinds(cmd.Context(), store)
			if err != nil {
				return err
			}
			before, err := momentOf(cmd.Context(), store)
			if err != nil {
				return err
			}
			v.Verified, err = entity.Verify(cmd.Context(), store, kinds, cfg, func(f inspect.Finding) { v.Findings = append(v.Findings, f) })
			if err != nil {
				return err
			}
			if err := v.doubt(cmd.Context(), store, before); err != nil {
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

// moment is where the shards of a store are; nil for one that nobody else reaches.
type moment []struct {
	row        persistence.ShardRow
	checkpoint persistence.Position
	end        persistence.Position
}

func momentOf(ctx context.Context, store persistence.Store) (moment, error) {
	if store.Info().Local {
		return nil, nil
	}
	m := make(moment, store.Info().Shards)
	for n := range m {
		s, ok, err := inspect.Open(ctx, store, persistence.Shard(n), func(inspect.Finding) {}) // Verify tells
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		log, err := s.LogFrom(ctx, s.Checkpoint, nil)
		if err != nil {
			return nil, err
		}
		m[n].row, m[n].checkpoint, m[n].end = s.Row, s.Checkpoint, log.To
	}
	return m, nil
}

// doubt sets aside what was found in shards that were in use meanwhile, of which
// pages were read at one moment and their events at another. A record that can't be
// read is damage, whoever is at it.
func (v *verified) doubt(ctx context.Context, store persistence.Store, before moment) error {
	now, err := momentOf(ctx, store)
	if err != nil {
		return err
	}
	moving := make(map[persistence.Shard]bool)
	for n := range before {
		if !before[n].row.Same(now[n].row) || before[n].checkpoint != now[n].checkpoint || before[n].end != now[n].end {
			moving[persistence.Shard(n)] = true
			v.Moving = append(v.Moving, persistence.Shard(n))
		}
	}
	sure := v.Findings[:0:0]
	for _, f := range v.Findings {
		if moving[f.Shard] && f.Kind != inspect.BadFrame && f.Kind != inspect.BadPage && f.Kind != inspect.BadRow {
			v.Unsure = append(v.Unsure, f)
			continue
		}
		sure = append(sure, f)
	}
	v.Findings = append([]inspect.Finding{}, sure...)
	return nil
}
