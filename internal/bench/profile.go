package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// startProfile begins the profiles that are asked for; the function that it
// returns ends them.
func startProfile(opt options) (stop func() error, err error) {
	var cpu *os.File
	if opt.cpuProfile != "" {
		if cpu, err = os.Create(opt.cpuProfile); err != nil {
			return nil, fmt.Errorf("-cpuprofile: %w", err)
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(fmt.Errorf("-cpuprofile: %w", err), cpu.Close())
		}
	}
	return func() error {
		var errs []error
		if cpu != nil {
			pprof.StopCPUProfile()
			errs = append(errs, cpu.Close())
		}
		if opt.memProfile != "" {
			errs = append(errs, writeHeapProfile(opt.memProfile))
		}
		return errors.Join(errs...)
	}, nil
}

func writeHeapProfile(name string) error {
	f, err := os.Create(name) //nolint:gosec // a path from the command line: that is its use
	if err != nil {
		return fmt.Errorf("-memprofile: %w", err)
	}
	runtime.GC() // what is live, not what was
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
