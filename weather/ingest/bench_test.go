package ingest

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/mesonet/mesonet/internal/sampledata"
	"github.com/mesonet/mesonet/weather"
)

// BenchmarkFormats reads the sample, or half of it, as each format.
func BenchmarkFormats(b *testing.B) {
	all := sample(b)
	table, err := os.ReadFile("testdata/year.parquet")
	if err != nil {
		b.Fatal(err)
	}
	formats, err := NewFormats(weather.Standard(), otherUnits, withFormat(otherUnits, NDJSONName), Mapping{Name: "tables", Format: ParquetName, Trace: []string{"-0.1"}})
	if err != nil {
		b.Fatal(err)
	}
	one := slices.DeleteFunc(slices.Clone(all), func(r Reading) bool { return r.Station != sampledata.NewYork })
	for _, test := range []struct {
		name, source string
		data         []byte
	}{
		{KillrWeatherName, "sample.csv", observations(b)},
		{ISDLiteName, "725030-14732-2008", asISDLite(one)},
		{CSVName, "sample.csv", asCSV(all)},
		{NDJSONName, "sample.ndjson", asNDJSON(all)},
		{ParquetName, "year.parquet", table},
	} {
		b.Run(test.name, func(b *testing.B) {
			f, err := formats.Recognise(test.data[:min(sniffed, len(test.data))], test.source)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			var r Reading
			for b.Loop() {
				d, err := f.Read(test.source, bytes.NewReader(test.data))
				if err != nil {
					b.Fatal(err)
				}
				for d.Read(&r) == nil {
					n++
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
			b.SetBytes(int64(len(test.data)))
		})
	}
}
