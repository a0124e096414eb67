package main

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
)

// liveHeap returns the bytes of what can be reached.
func liveHeap() float64 {
	runtime.GC()
	runtime.GC() // the second frees what finalizers and pools held in the first
	return metric("/gc/heap/live:bytes")
}

// residentOutside returns the bytes of resident memory that are not Go's.
func residentOutside() float64 {
	return statusBytes("VmRSS") - (metric("/memory/classes/total:bytes") - metric("/memory/classes/heap/released:bytes"))
}

func metric(name string) float64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return float64(sample[0].Value.Uint64())
}

// statusBytes returns a number of bytes that Linux tells of this process, 0
// elsewhere.
func statusBytes(key string) float64 {
	content, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		if name, value, _ := strings.Cut(line, ":"); name == key {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				return 0
			}
			return float64(kib) * 1024
		}
	}
	return 0
}
