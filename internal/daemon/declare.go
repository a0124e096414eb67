package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/clock"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	"github.com/mesonet/mesonet/weather/station"
)

// declaration sees to it that a node measures what its store was filled with.
type declaration struct {
	catalogue weather.Catalogue
	logger    *slog.Logger
	recorded  *network.Reader // nil for a folder, which is this node's alone
	together  bool            // the node is one of a cluster
}

// errOtherCatalogue: the store has another catalogue than this node.
var errOtherCatalogue = errors.New("daemon: the measures are not those of the store")

// recordedEvery is how often a node looks whether the first one has recorded its
// catalogue.
const recordedEvery = 200 * time.Millisecond

// begin makes the catalogue that of the store, or says how it contradicts it.
// Where another node has the catalogue, this one's has to be the same.
func (d *declaration) begin(ctx context.Context, host *entity.Host) error {
	if d.together { // no shard is open yet; the rest comes when the node has met the others
		_, err := d.compare(ctx)
		return err
	}
	for {
		err := d.declare(ctx, host)
		if host.Info().Local || !errors.Is(err, entity.ErrUnavailable) {
			return err
		}
		if known, err := d.compare(ctx); known || err != nil {
			return err
		}
		if err := clock.Sleep(ctx, clock.System(), recordedEvery); err != nil {
			return fmt.Errorf("daemon: the catalogue of measures is another node's to record: %w", err)
		}
	}
}

// again compares the catalogues before a shard is served that another node may
// have had: stations of one with more measures can't be read here.
func (d *declaration) again(ctx context.Context) error {
	if d.recorded == nil {
		return nil
	}
	_, err := d.compare(ctx)
	return err
}

// compare compares the catalogue with the one that the store has, if it is known.
func (d *declaration) compare(ctx context.Context) (known bool, err error) {
	recorded, known, err := d.recorded.Read(ctx)
	if err != nil || !known {
		return false, err
	}
	names := func(c weather.Catalogue) (all []string) {
		for _, m := range c {
			all = append(all, fmt.Sprintf("%s (%s, decimals %d, trace %t)", m.Name, m.Aggregate, m.Decimals, m.Trace))
		}
		return all
	}
	was, is := names(recorded), names(d.catalogue)
	if !slices.Equal(was, is) {
		return true, fmt.Errorf("%w: it has %s; this node has %s; start the node that has the catalogue with the new measures first, and then all others with the same",
			errOtherCatalogue, strings.Join(was, ", "), strings.Join(is, ", "))
	}
	return true, nil
}

func (d *declaration) declare(ctx context.Context, host *entity.Host) error {
	recorded, err := network.Measures.Ask(ctx, host, network.CatalogueID, &network.Question{})
	if err != nil {
		return err
	}
	if len(recorded) == 0 && host.Info().Local {
		if err := declareStandard(ctx, host); err != nil {
			return err
		}
	}
	return d.record(ctx, host)
}

// declareAnywhere makes the catalogue that of the store, on whatever node of the
// cluster that is. While none serves its shard this waits.
func (d *declaration) declareAnywhere(ctx context.Context, node entity.Locator) error {
	for {
		err := d.record(ctx, node)
		if !errors.Is(err, entity.ErrUnavailable) && !errors.Is(err, entity.ErrUnknown) || ctx.Err() != nil {
			return err
		}
		d.logger.Warn("the catalogue of measures can't be recorded yet: trying again", "error", err)
	}
}

// record makes the catalogue that of the store.
func (d *declaration) record(ctx context.Context, node entity.Locator) error {
	done, err := network.Declare.Ask(ctx, node, network.CatalogueID, &network.Declaration{Catalogue: d.catalogue})
	if err != nil {
		return err
	}
	if len(done.Added)+len(done.Changed) > 0 {
		d.logger.Info("the catalogue of measures is recorded", "measures", len(d.catalogue),
			"added", strings.Join(done.Added, " "), "changed", strings.Join(done.Changed, " "))
	}
	return nil
}

// declareStandard records the standard measures for a folder with stations that
// was filled before the catalogue was recorded: there were no others then.
func declareStandard(ctx context.Context, host *entity.Host) error {
	some, err := host.List(ctx, station.KindName, "", 1)
	if err != nil || len(some) == 0 {
		return err
	}
	_, err = network.Declare.Ask(ctx, host, network.CatalogueID, &network.Declaration{Catalogue: weather.Standard()})
	return err
}
