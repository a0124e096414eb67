package daemon_test

import (
	"testing"
	"time"

	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// A daemon keeps what is put into quarantine in its folder, with the time of its
// own clock. Mutation seen to fail: the daemon not serving the kind.
func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir)
	before := time.Now().Truncate(time.Second)
	bad := &mesonetv1.QuarantinedLine{Line: 12, Text: []byte("725030:14732,2008,13"), Reason: "there is no month 13", Format: "killrweather"}
	kept, err := mesonetv1.NewQuarantineServiceClient(c.conn).Quarantine(t.Context(), &mesonetv1.QuarantineRequest{
		Source: "ny.csv", Lines: []*mesonetv1.QuarantinedLine{bad},
	})
	if err != nil || kept.GetKept() != 1 {
		t.Errorf("kept are %v, %v", kept, err)
	}
	c.stop(t)
	c = start(t, dir)
	defer c.stop(t)
	quarantine := mesonetv1.NewQuarantineServiceClient(c.conn)
	sources, err := quarantine.ListQuarantineSources(t.Context(), &mesonetv1.ListQuarantineSourcesRequest{})
	if err != nil || len(sources.GetSources()) != 1 || sources.GetSources()[0].GetSource() != "ny.csv" {
		t.Errorf("sources are %v, %v", sources, err)
	}
	page, err := quarantine.ListQuarantined(t.Context(), &mesonetv1.ListQuarantinedRequest{Source: "ny.csv"})
	if err != nil || len(page.GetLines()) != 1 {
		t.Fatalf("lines are %v, %v", page, err)
	}
	got := page.GetLines()[0]
	if at := got.GetTime().AsTime(); string(got.GetText()) != string(bad.GetText()) || got.GetReason() != bad.GetReason() || at.Before(before) || at.After(time.Now()) {
		t.Errorf("the line is %v, want %v", got, bad)
	}
}
