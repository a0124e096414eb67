package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
	"github.com/mesonet/mesonet/weather/ingest"
)

// samples are the year of two stations in all formats, by the names of the files:
// NOAA's, two of them in a folder and in an archive; a table in °F and local time,
// and objects.
var samples = sync.OnceValues(func() (map[string][]byte, error) {
	text, err := sampledata.Observations()
	if err != nil {
		return nil, err
	}
	format, err := ingest.KillrWeatherFormat(weather.Standard())
	if err != nil {
		return nil, err
	}
	d, err := format.Read(sampledata.ObservationsName, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	files := map[string]*bytes.Buffer{}
	at := func(name string) *bytes.Buffer {
		if files[name] == nil {
			files[name] = &bytes.Buffer{}
		}
		return files[name]
	}
	at("sample.tsv").WriteString("id\tlocal\ttemp_f\tdew_f\thPa\tdir\tm/s\tsky\train\train6\n")
	for {
		var r ingest.Reading
		err := d.Read(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		at("isd/" + strings.ReplaceAll(r.Station, ":", "-") + "-2008").WriteString(isdText(&r))
		at("sample.tsv").WriteString(fahrenheitText(&r))
		at("sample.ndjson").Write(append(readingText(weather.Standard(), &r), '\n'))
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	all := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all[name] = files[name].Bytes()
		if !strings.HasPrefix(name, "isd/") {
			continue
		}
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(all[name]); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	all["isd.zip"] = archive.Bytes()
	return all, err
})

// isdText is a reading in NOAA's form.
func isdText(r *ingest.Reading) string {
	var b strings.Builder
	b.WriteString(r.Time.Time().Format("2006 01 02 15"))
	for _, m := range []weather.MeasureID{
		weather.Temperature, weather.DewPoint, weather.SeaLevelPressure, weather.WindDirection, weather.WindSpeed, weather.SkyCondition,
		weather.Precipitation1h, weather.Precipitation6h,
	} {
		v := int(r.Values[m])
		switch r.Values[m] {
		case weather.Missing:
			v = -9999
		case weather.Trace:
			v = -1
		}
		fmt.Fprintf(&b, "%6d", v)
	}
	return b.String() + "\n"
}

// fahrenheitText is a reading in the units and the time of somebody else.
func fahrenheitText(r *ingest.Reading) string {
	local := r.Time.Time().Add(-5 * 60 * 60 * 1e9)
	cells := []string{r.Station, local.Format("02.01.2006 15:04")}
	for _, m := range []weather.MeasureID{weather.Temperature, weather.DewPoint} {
		cell := "M"
		if v := r.Values[m]; v != weather.Missing {
			cell = (18*v + 3200).Format(2) // tenths of °C times 1.8 are hundredths of °F
		}
		cells = append(cells, cell)
	}
	for _, m := range []weather.MeasureID{
		weather.SeaLevelPressure, weather.WindDirection, weather.WindSpeed, weather.SkyCondition, weather.Precipitation1h, weather.Precipitation6h,
	} {
		cells = append(cells, r.Values[m].Format(weather.Standard()[m].Decimals))
	}
	return strings.Join(cells, "\t") + "\n"
}

// writeSamples writes them into a folder.
func writeSamples(folder string) error {
	all, err := samples()
	for name, text := range all {
		path := filepath.Join(folder, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600))
	}
	return err
}
