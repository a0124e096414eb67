package daemon

import (
	"context"
	"log/slog"
	"strings"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/network"
	"github.com/mesonet/mesonet/weather/station"
)

// declare makes the catalogue that of the store, or says how it contradicts it.
func declare(ctx context.Context, host *entity.Host, catalogue weather.Catalogue, logger *slog.Logger) error {
	recorded, err := network.Measures.Ask(ctx, host, network.CatalogueID, &network.Question{})
	if err != nil {
		return err
	}
	if len(recorded) == 0 {
		if err := declareStandard(ctx, host); err != nil {
			return err
		}
	}
	done, err := network.Declare.Ask(ctx, host, network.CatalogueID, &network.Declaration{Catalogue: catalogue})
	if err != nil {
		return err
	}
	if len(done.Added)+len(done.Changed) > 0 {
		logger.Info("the catalogue of measures is recorded", "measures", len(catalogue),
			"added", strings.Join(done.Added, " "), "changed", strings.Join(done.Changed, " "))
	}
	return nil
}

// declareStandard records the standard measures for a store with stations that
// was filled before the catalogue was recorded: there were no others then.
func declareStandard(ctx context.Context, host *entity.Host) error {
	some, err := host.List(ctx, station.KindName, "", 1)
	if err != nil || len(some) == 0 {
		return err
	}
	_, err = network.Declare.Ask(ctx, host, network.CatalogueID, &network.Declaration{Catalogue: weather.Standard()})
	return err
}
