package weather

import "testing"

func runsOf64() []*Run {
	year := hourly(2008)
	var runs []*Run
	for i := 0; i+64 <= year.Len(); i += 64 {
		runs = append(runs, year.Slice(i, i+64))
	}
	return runs
}

// perObservation reports the time of one observation, which is what the goals
// are in.
func perObservation(b *testing.B, observations int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(observations), "ns/obs")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkAppendRun(b *testing.B) {
	runs := runsOf64()
	var dst []byte
	n, size := 0, 0
	for b.Loop() {
		for _, r := range runs {
			dst = AppendRun(dst[:0], r)
			n, size = n+r.Len(), size+len(dst)
		}
	}
	perObservation(b, n)
	b.ReportMetric(float64(size)/float64(n), "B/obs")
}

func BenchmarkDecodeRun(b *testing.B) {
	var encoded [][]byte
	for _, r := range runsOf64() {
		encoded = append(encoded, AppendRun(nil, r))
	}
	n := 0
	for b.Loop() {
		for _, e := range encoded {
			r, err := DecodeRun(e)
			if err != nil {
				b.Fatal(err)
			}
			n += r.Len()
		}
	}
	perObservation(b, n)
}

// Runs of one are what a live network sends.
func BenchmarkRunOfOne(b *testing.B) {
	year := hourly(2008)
	var dst []byte
	n, size := 0, 0
	for b.Loop() {
		for i := range 1000 {
			dst = AppendRun(dst[:0], year.Slice(i, i+1))
			if _, err := DecodeRun(dst); err != nil {
				b.Fatal(err)
			}
			n, size = n+1, size+len(dst)
		}
	}
	perObservation(b, n)
	b.ReportMetric(float64(size)/float64(n), "B/obs")
}

func BenchmarkCheck(b *testing.B) {
	runs, c := runsOf64(), Standard()
	n := 0
	for b.Loop() {
		for _, r := range runs {
			if err := r.Check(c); err != nil {
				b.Fatal(err)
			}
			n += r.Len()
		}
	}
	perObservation(b, n)
}

func BenchmarkJudge(b *testing.B) {
	runs, c := runsOf64(), Standard()
	p := Profile{}.With(Temperature, Range{-300, 450}).With(WindSpeed, Range{0, 400})
	n := 0
	for b.Loop() {
		for _, r := range runs {
			if Judge(c, p, r) != r {
				b.Fatal("a copy")
			}
			n += r.Len()
		}
	}
	perObservation(b, n)
}

// A month of hourly weather, as a question for observations shows it.
func BenchmarkInspect(b *testing.B) {
	m, c := NewMonth(YearMonth{2008, 5}), Standard()
	m.Put(hourly(2008))
	n := 0
	for b.Loop() {
		for range Inspect(c, m, nil, 0, m.Len()) {
			n++
		}
	}
	perObservation(b, n)
}

func BenchmarkYearAdd(b *testing.B) {
	runs, c := runsOf64(), Standard()
	n := 0
	for b.Loop() {
		y := NewYear(c, 2008)
		for _, r := range runs {
			if err := y.Add(r); err != nil {
				b.Fatal(err)
			}
			n += r.Len()
		}
	}
	perObservation(b, n)
}

func BenchmarkMonthPut(b *testing.B) {
	runs := runsOf64()
	n := 0
	var m *Month
	for b.Loop() {
		m = NewMonth(YearMonth{2008, 5})
		for _, r := range runs[48:60] { // within May
			added, _ := m.Put(r)
			n += added
		}
	}
	perObservation(b, n)
	b.ReportMetric(float64(m.MemorySize())/float64(m.Len()), "B/obs")
}

// One late observation goes into the middle of a full month.
func BenchmarkMonthPutLate(b *testing.B) {
	m := NewMonth(YearMonth{2008, 5})
	m.Put(hourly(2008))
	late := &Run{}
	late.Append(at(2008, 5, 10, 3, 30), 1, 2, 10000, 4, 5, 6, 7, 8, 9)
	for b.Loop() {
		m.Put(late)
		m.Remove(late.Times[0])
	}
}

func fullYear(b *testing.B) *Year {
	y := NewYear(Standard(), 2008)
	if err := y.Add(hourly(2008)); err != nil {
		b.Fatal(err)
	}
	return y
}

func BenchmarkYearTotal(b *testing.B) {
	y := fullYear(b)
	for b.Loop() {
		if _, ok := y.YearTotal(Precipitation1h); !ok {
			b.Fatal("no data")
		}
	}
}

func BenchmarkMonthSummary(b *testing.B) {
	y := fullYear(b)
	for b.Loop() {
		if _, ok := y.MonthSummary(Temperature, 7); !ok {
			b.Fatal("no data")
		}
	}
}

func BenchmarkAppendYear(b *testing.B) {
	y := fullYear(b)
	var dst []byte
	for b.Loop() {
		dst = AppendYear(dst[:0], y)
	}
	b.ReportMetric(float64(len(dst)), "B")
	b.ReportMetric(float64(y.MemorySize()), "B-memory")
}

func BenchmarkDecodeYear(b *testing.B) {
	y := fullYear(b)
	encoded, c := AppendYear(nil, y), Standard()
	for b.Loop() {
		if _, err := DecodeYear(c, encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMonthCodec(b *testing.B) {
	m := NewMonth(YearMonth{2008, 5})
	m.Put(hourly(2008))
	var dst []byte
	for b.Loop() {
		dst = AppendMonth(dst[:0], m)
		if _, err := DecodeMonth(dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(dst))/float64(m.Len()), "B/obs")
}

func BenchmarkCompare(b *testing.B) {
	m := NewMonth(YearMonth{2008, 5})
	m.Put(hourly(2008))
	r := m.Run(100, 164)
	held := func(YearMonth) *Month { return m }
	n := 0
	for b.Loop() {
		if c := Compare(r, held); c.Duplicates != r.Len() {
			b.Fatal(c)
		}
		n += r.Len()
	}
	perObservation(b, n)
}
