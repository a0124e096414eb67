package ingest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/mesonet/mesonet/weather"
)

// silent is a sink that is never sent anything.
type silent struct{ t *testing.T }

func (s silent) Send(context.Context, []StationRun, func([]Outcome)) error {
	s.t.Error("a batch was sent")
	return nil
}

// Whoever keeps a line of a table is told its header, and no resume point passes what
// is not kept. Mutation seen to fail: save not asking Kept.
func TestQuarantinedHeader(t *testing.T) {
	formats, err := NewFormats(weather.Standard())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "resume")
	for _, kept := range []bool{false, false, true, true} {
		resume, err := OpenResume(path, "here")
		if err != nil {
			t.Fatal(err)
		}
		var got []Quarantined
		cfg := DefaultConfig()
		cfg.Format, cfg.Resume = formats.Recognise, resume
		cfg.Quarantine = func(q Quarantined) error { got = append(got, q); return nil }
		cfg.Kept = func() error {
			if kept {
				return nil
			}
			return errors.New("not kept")
		}
		sources := []Source{
			Memory("a.csv", []byte("\xef\xbb\xbf\nstation,\"time\",temperature\nx,y,z\n")),
			Memory("b.ndjson", []byte(`{"station":"x","time":"2008","temperature":1}`)),
		}
		if _, err := Load(t.Context(), sources, silent{t}, cfg); err != nil {
			t.Fatal(err)
		}
		if _, done := resume.points["a.csv"]; done != kept {
			t.Errorf("kept: %t, but a resume point: %t", kept, done)
		}
		if len(got) == 0 && kept {
			return // of the load before
		}
		if len(got) != 2 || string(got[0].Header) != `station,"time",temperature` || got[0].HeaderLine != 2 || got[0].Line != 3 || got[1].Header != nil {
			t.Errorf("the quarantine was given %+v", got)
		}
	}
	t.Error("what was kept is read again")
}
