package telemetry_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/mesonet/mesonet/actors/entity"
	"github.com/mesonet/mesonet/internal/api"
	"github.com/mesonet/mesonet/internal/telemetry"
	"github.com/mesonet/mesonet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fakeNode entity.Stats

func (n fakeNode) Stats() entity.Stats { return entity.Stats(n) }

// happen tells the listeners each thing once, with ids made from n.
func happen(m *telemetry.Metrics, n int) {
	e, l, a := m.EntityListener(), m.LogListener(), m.APIListener()
	err := fmt.Errorf("station/%d:1 is not well", n)
	shard := persistence.Shard(n)
	e.ShardOpened(entity.ShardOpening{Shard: shard, Epoch: persistence.Epoch(n), Events: 12, Took: 3 * time.Millisecond})
	e.ShardStopped(shard, err)
	e.Joined(persistence.Incarnation(n))
	e.Level(2, nil)
	e.Checked(nil)
	e.Checked(err)
	e.ShardOwned(shard, err)
	e.ShardHandedOver(entity.HandedOver{Shard: shard, Pause: 20 * time.Millisecond})
	e.ShardHandedOver(entity.HandedOver{Shard: shard, Pause: time.Second, Err: err, Kept: true})
	e.RowsWritten(entity.ViewFlush{Shard: shard, Pages: 1, Rows: 11})
	e.RowsWritten(entity.ViewFlush{Shard: shard, Pages: 1, Rows: 13, Err: err})
	e.EntityWoke("station")
	e.EntityPassivated("station")
	e.EntityFailed(fmt.Sprintf("/shard-%d/station:%d:1", n, n), err)
	e.EntityFailed(fmt.Sprintf("/shard-%d", n), err) // counted as the loss of a shard
	e.EntityCorrupt(entity.ID{Kind: "station", ID: fmt.Sprintf("%d:1", n)}, err)
	e.PagesStored(entity.PageFlush{Shard: shard, Pages: 7, Bytes: 700, Took: time.Millisecond})
	e.PagesStored(entity.PageFlush{Shard: shard, Pages: 9, Bytes: 900, Took: time.Second, Err: err})
	e.Checkpointed(shard, persistence.At(persistence.FirstEpoch, uint64(n)))
	e.PagesEvicted(5, 500)
	l.FrameDurable(shard, 40, 1200, 300*time.Microsecond)
	l.ShardLost(shard, err)
	a.Observed(api.Observed{Stored: 1, Duplicates: 2, Corrected: 3, Refused: 4, Failed: 5})
	a.Quarantined(api.Quarantined{Kept: 6, Dropped: 7, Released: 8})
}

// families returns what a scrape finds, by name.
func families(t *testing.T, m *telemetry.Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*dto.MetricFamily)
	for _, f := range all {
		byName[f.GetName()] = f
	}
	return byName
}

// ours leaves out what every Go program has.
func ours(name string) bool { return strings.HasPrefix(name, "mesonet_") }

// A function of a listener that is new is counted too. Mutation seen to fail:
// Checkpointed left out of EntityListener.
func TestListenersAreWhole(t *testing.T) {
	m := telemetry.New("test")
	for _, l := range []any{
		m.EntityListener(), m.LogListener(), m.APIListener(), m.ClusterListener(), m.GossipListener(), m.RequestListener(),
	} {
		v := reflect.ValueOf(l)
		for i := range v.NumField() {
			if v.Field(i).IsNil() {
				t.Errorf("%s of %s is not counted", v.Type().Field(i).Name, v.Type())
			}
		}
	}
}

// Each thing that happens is counted where it belongs, and what a node holds is
// shown as it is.
func TestCounts(t *testing.T) {
	m := telemetry.New("v1.2.3")
	m.Watch(fakeNode{
		Shards: 8, OpenShards: 6, StoppedShards: 1, Entities: map[string]int{"station": 17, "user": 0}, Corrupt: 2,
		MemoryBytes: 1 << 20, MemoryLimit: 1 << 30, TailBytes: 4096,
	})
	happen(m, 1)
	happen(m, 2)
	const want = `
# HELP mesonet_checkpoints_total Checkpoints of shards stored.
# TYPE mesonet_checkpoints_total counter
mesonet_checkpoints_total 2
# HELP mesonet_entities_awake Entities in memory.
# TYPE mesonet_entities_awake gauge
mesonet_entities_awake{kind="station"} 17
mesonet_entities_awake{kind="user"} 0
# HELP mesonet_entities_corrupt Entities in memory that answer nothing but an error.
# TYPE mesonet_entities_corrupt gauge
mesonet_entities_corrupt 2
# HELP mesonet_entity_corruptions_total Entities found to have state that can't be read.
# TYPE mesonet_entity_corruptions_total counter
mesonet_entity_corruptions_total{kind="station"} 2
mesonet_entity_corruptions_total{kind="user"} 0
# HELP mesonet_entity_failures_total Panics in the code of entities; each restarts one of them.
# TYPE mesonet_entity_failures_total counter
mesonet_entity_failures_total{kind="station"} 2
mesonet_entity_failures_total{kind="user"} 0
# HELP mesonet_entity_memory_bytes About what entities and their pages take.
# TYPE mesonet_entity_memory_bytes gauge
mesonet_entity_memory_bytes 1.048576e+06
# HELP mesonet_entity_memory_limit_bytes What entities and their pages may take; 0 for no limit.
# TYPE mesonet_entity_memory_limit_bytes gauge
mesonet_entity_memory_limit_bytes 1.073741824e+09
# HELP mesonet_entity_passivations_total Entities that nobody asked for a while and that left memory.
# TYPE mesonet_entity_passivations_total counter
mesonet_entity_passivations_total{kind="station"} 2
mesonet_entity_passivations_total{kind="user"} 0
# HELP mesonet_entity_wakeups_total Entities that came into memory.
# TYPE mesonet_entity_wakeups_total counter
mesonet_entity_wakeups_total{kind="station"} 2
mesonet_entity_wakeups_total{kind="user"} 0
# HELP mesonet_log_bytes_total Bytes of the frames made durable.
# TYPE mesonet_log_bytes_total counter
mesonet_log_bytes_total 2400
# HELP mesonet_log_events_total Events in the frames made durable.
# TYPE mesonet_log_events_total counter
mesonet_log_events_total 80
# HELP mesonet_log_frames_total Frames made durable: group commits of a shard.
# TYPE mesonet_log_frames_total counter
mesonet_log_frames_total 2
# HELP mesonet_log_tail_bytes Log that is not in pages yet: what a start after a crash reads.
# TYPE mesonet_log_tail_bytes gauge
mesonet_log_tail_bytes 4096
# HELP mesonet_node_joins_total Times the node took its place in the store: at the start, and again after it was fenced.
# TYPE mesonet_node_joins_total counter
mesonet_node_joins_total 2
# HELP mesonet_observations_total Observations that stations were sent, by what became of them.
# TYPE mesonet_observations_total counter
mesonet_observations_total{outcome="corrected"} 6
mesonet_observations_total{outcome="duplicate"} 4
mesonet_observations_total{outcome="failed"} 10
mesonet_observations_total{outcome="refused"} 8
mesonet_observations_total{outcome="stored"} 2
# HELP mesonet_page_store_errors_total Writes of pages that failed; they are tried again.
# TYPE mesonet_page_store_errors_total counter
mesonet_page_store_errors_total 2
# HELP mesonet_pages_evicted_bytes_total Bytes of the pages that left memory.
# TYPE mesonet_pages_evicted_bytes_total counter
mesonet_pages_evicted_bytes_total 1000
# HELP mesonet_pages_evicted_total Pages that left memory while their entity stayed.
# TYPE mesonet_pages_evicted_total counter
mesonet_pages_evicted_total 10
# HELP mesonet_pages_stored_bytes_total Bytes of the pages written to the store.
# TYPE mesonet_pages_stored_bytes_total counter
mesonet_pages_stored_bytes_total 1400
# HELP mesonet_pages_stored_total Pages written to the store.
# TYPE mesonet_pages_stored_total counter
mesonet_pages_stored_total 14
# HELP mesonet_quarantined_lines_total Lines that could not be taken in, by what became of them.
# TYPE mesonet_quarantined_lines_total counter
mesonet_quarantined_lines_total{outcome="dropped"} 14
mesonet_quarantined_lines_total{outcome="kept"} 12
mesonet_quarantined_lines_total{outcome="released"} 16
# HELP mesonet_shard_handover_errors_total Shards that could not be given to another node.
# TYPE mesonet_shard_handover_errors_total counter
mesonet_shard_handover_errors_total 2
# HELP mesonet_shard_handovers_total Shards given to another node.
# TYPE mesonet_shard_handovers_total counter
mesonet_shard_handovers_total 2
# HELP mesonet_shard_losses_total Shards lost: a write failed or another node took it. It is opened again.
# TYPE mesonet_shard_losses_total counter
mesonet_shard_losses_total 2
# HELP mesonet_shard_openings_total Shards opened, each once at the start and again after a loss.
# TYPE mesonet_shard_openings_total counter
mesonet_shard_openings_total 2
# HELP mesonet_shard_recovery_events_total Events read from the log by openings.
# TYPE mesonet_shard_recovery_events_total counter
mesonet_shard_recovery_events_total 24
# HELP mesonet_shard_stops_total Shards stopped: they can't be opened and are not tried again.
# TYPE mesonet_shard_stops_total counter
mesonet_shard_stops_total 2
# HELP mesonet_shard_waits_total Times a shard was found to be another node's.
# TYPE mesonet_shard_waits_total counter
mesonet_shard_waits_total 2
# HELP mesonet_shards Shards of the store.
# TYPE mesonet_shards gauge
mesonet_shards 8
# HELP mesonet_shards_open Shards that are served.
# TYPE mesonet_shards_open gauge
mesonet_shards_open 6
# HELP mesonet_shards_stopped Shards that can't be served until somebody mends them.
# TYPE mesonet_shards_stopped gauge
mesonet_shards_stopped 1
# HELP mesonet_store_check_errors_total Looks at the own place in the store that had no answer.
# TYPE mesonet_store_check_errors_total counter
mesonet_store_check_errors_total 2
# HELP mesonet_store_level Level of the store's formats, as this node has read it.
# TYPE mesonet_store_level gauge
mesonet_store_level 2
# HELP mesonet_view_rows_written_total Rows that were written to tables for others, or removed from them.
# TYPE mesonet_view_rows_written_total counter
mesonet_view_rows_written_total 22
# HELP mesonet_view_write_errors_total Writes of such rows that failed; the pages wait, and they are tried again.
# TYPE mesonet_view_write_errors_total counter
mesonet_view_write_errors_total 2
`
	var plain []string // histograms and what names a Go version are compared below, those of clusters in TestClusterCounts
	for name, f := range families(t, m) {
		if ours(name) && f.GetType() != dto.MetricType_HISTOGRAM && name != "mesonet_build_info" && !strings.HasPrefix(name, "mesonet_cluster_") {
			plain = append(plain, name)
		}
	}
	if err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(want), plain...); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]struct {
		count uint64
		sum   float64
		first int // the bucket that the first value is in
	}{
		"mesonet_log_durable_duration_seconds":    {2, 600e-6, 3}, // 300 µs is above 200 and up to 400
		"mesonet_shard_recovery_duration_seconds": {2, 6e-3, 1},
		"mesonet_page_store_duration_seconds":     {4, 2.002, 2},
	} {
		h := families(t, m)[name].GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != want.count || h.GetSampleSum() < want.sum*.999 || h.GetSampleSum() > want.sum*1.001 {
			t.Errorf("%s has %d values of %v, want %d of %v", name, h.GetSampleCount(), h.GetSampleSum(), want.count, want.sum)
		}
		first := slices.IndexFunc(h.GetBucket(), func(b *dto.Bucket) bool { return b.GetCumulativeCount() > 0 })
		if first != want.first {
			t.Errorf("%s begins in bucket %d, want %d", name, first, want.first)
		}
	}
	info := families(t, m)["mesonet_build_info"].GetMetric()[0]
	if got := labels(info); got["version"] != "v1.2.3" || !strings.HasPrefix(got["go_version"], "go") || info.GetGauge().GetValue() != 1 {
		t.Errorf("build info is %v", info)
	}
}

func labels(m *dto.Metric) map[string]string {
	found := make(map[string]string)
	for _, l := range m.GetLabel() {
		found[l.GetName()] = l.GetValue()
	}
	return found
}

// However many shards and entities something happens to, there are no more
// series, and no id in any. Mutations seen to fail: the id as EntityCorrupt's
// label, or the path as EntityFailed's.
func TestSeriesAreFew(t *testing.T) {
	m := telemetry.New("test")
	happen(m, 1)
	amongOthers(m, 1)
	serveCalls(t, m)
	before := series(t, m)
	for n := range 1000 {
		happen(m, n)
		amongOthers(m, n)
	}
	after := series(t, m)
	if !slices.Equal(before, after) {
		t.Errorf("there were %d series, and then %d:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
	allowed := map[string][]string{
		"kind": {"station"}, "outcome": {"stored", "duplicate", "corrected", "refused", "failed", "kept", "dropped", "released"},
		"method": {"grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"}, "code": {"OK", "NotFound", "Canceled"},
		"state": {"joining", "serving", "lost_touch", "draining", "left"}, "by": {"gossip", "requests"},
		"reason":    {"cluster", "key", "store", "shards", "protocol", "level", "identity", "node", "certificate", "remote"},
		"direction": {"received", "sent"}, "version": {"test"}, "go_version": nil, "le": nil,
	}
	for name, f := range families(t, m) {
		for _, metric := range f.GetMetric() {
			for label, value := range labels(metric) {
				values, ok := allowed[label]
				if ours(name) && (!ok || values != nil && !slices.Contains(values, value)) {
					t.Errorf("%s has the label %s=%q", name, label, value)
				}
			}
		}
	}
}

// series lists what a scrape finds of ours, sorted.
func series(t *testing.T, m *telemetry.Metrics) []string {
	t.Helper()
	var all []string
	for name, f := range families(t, m) {
		for _, metric := range f.GetMetric() {
			if ours(name) {
				all = append(all, fmt.Sprint(name, labels(metric)))
			}
		}
	}
	slices.Sort(all)
	return all
}

// The names and texts are as Prometheus wants them.
func TestLint(t *testing.T) {
	m := telemetry.New("test")
	m.Watch(fakeNode{Entities: map[string]int{"station": 1}})
	m.WatchCluster(fakeCluster{})
	happen(m, 1)
	serveCalls(t, m)
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	// What lints must have been there.
	for _, name := range m.Names() {
		if families(t, m)[name] == nil && ours(name) {
			t.Errorf("%s is registered and was not gathered", name)
		}
	}
}

// Two nodes of one process have metrics of their own.
func TestTwoInOneProcess(t *testing.T) {
	a, b := telemetry.New("test"), telemetry.New("test")
	a.APIListener().Observed(api.Observed{Stored: 3})
	for m, want := range map[*telemetry.Metrics]string{
		a: `mesonet_observations_total{outcome="stored"} 3`, b: `mesonet_observations_total{outcome="stored"} 0`,
	} {
		w := httptest.NewRecorder()
		m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("got %d without %s", w.Code, want)
		}
	}
}

// A node that can't say what it holds fails the scrape, loudly, and not the
// process.
func TestNodePanics(t *testing.T) {
	m := telemetry.New("test")
	n := &panickingNode{}
	m.Watch(n)
	n.now = true
	var log strings.Builder
	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.NewTextHandler(&log, nil))).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "not today") {
		t.Errorf("got %d, logged %q", w.Code, log.String())
	}
}

type panickingNode struct{ now bool }

func (n *panickingNode) Stats() entity.Stats {
	if n.now {
		panic(errors.New("not today"))
	}
	return entity.Stats{}
}
