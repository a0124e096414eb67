package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes, as the package comment documents them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells report SIGINT
)

// version is what is measured; the Makefile sets it.
var version = "unknown"

func main() {
	if code, is := asChild(os.Stdin, os.Stdout, os.Stderr); is {
		os.Exit(code) //nolint:forbidigo // this is main
	}
	// The first signal asks for an orderly end; the handler goes with it, so
	// that a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // this is main
}

// run is the program: it does what args say and returns the exit code. It
// returns early, and leaves nothing behind, when ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opt, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		if _, err := io.WriteString(stdout, usage()); err != nil {
			return exitFailed
		}
		return exitOK
	case err != nil:
		say(stderr, "bench: %v\n\n%s", err, usage())
		return exitUsage
	}
	err = measure(ctx, opt, stdout, stderr)
	var wrong misuse
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		say(stderr, "bench: %v\n", err)
		return exitUsage
	case ctx.Err() != nil:
		say(stderr, "bench: interrupted\n")
		return exitInterrupted
	}
	say(stderr, "bench: %v\n", err)
	return exitFailed
}

// measure runs the rows that opt chooses and writes what they gave.
func measure(ctx context.Context, opt options, stdout, stderr io.Writer) (err error) {
	places, err := newWorkplace(opt.keep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, places.close()) }()
	stopProfile, err := startProfile(opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	s := &suite{opt: opt, places: places, progress: progress{w: stderr}}
	rep, err := s.run(ctx)
	if err != nil {
		return err
	}
	text, err := rep.render(opt.output)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return fmt.Errorf("the report can't be written: %w", err)
	}
	return nil
}

// say writes for people. What their terminal did not take is lost with it.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
