package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	remote "github.com/mesonet/mesonet/client"
	"github.com/mesonet/mesonet/internal/config"
	mesonetv1 "github.com/mesonet/mesonet/proto/mesonet/v1"
)

// Exit codes, as the help and the package comment document them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitPartly      = 5
	exitDamaged     = 6
	exitInterrupted = 130 // as shells report SIGINT
)

// Reasons that the server gives.
const (
	reasonNoData         = "NO_DATA"
	reasonUnknownStation = "UNKNOWN_STATION"
	reasonBadID          = "BAD_ID"
	reasonOutcomeUnknown = "OUTCOME_UNKNOWN"
	reasonOverloaded     = "OVERLOADED"
	reasonCorrupt        = "CORRUPT"
	reasonTooLarge       = "TOO_LARGE"
)

// failure is an error with the exit code that it stands for.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail returns an error for the exit code. The text says what happened and,
// after a semicolon, what to do.
func fail(code int, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...)}
}

// misuse is the error of a command that was called wrongly.
func misuse(format string, args ...any) error { return fail(exitUsage, format, args...) }

// report shows what went wrong, in one line, and returns the exit code. All that
// is wrong with a configuration has a line each.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	name := a.style(a.err).bad("mesonet:")
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintf(a.err, "%s %s\n", name, printable(oneLine(p.Error())))
		}
		return exitUsage
	}
	line, code := explain(ctx, err)
	fmt.Fprintf(a.err, "%s %s\n", name, printable(withoutPackage(oneLine(line))))
	return code
}

// explain puts an error into words and chooses its exit code.
func explain(ctx context.Context, err error) (line string, code int) {
	var f *failure
	var e *remote.Error
	switch {
	case errors.As(err, &f):
		return err.Error(), f.code
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled):
		return "interrupted", exitInterrupted
	case errors.As(err, &e):
		return explainCall(e)
	}
	return err.Error(), exitFailed
}

// explainCall says what became of a call, and what to do.
func explainCall(e *remote.Error) (line string, code int) {
	if e.Reason != "" {
		return explainReason(e.Reason, e.Code, e.Message, e.RetryAfter)
	}
	switch e.Code {
	case codes.Unavailable:
		return unreachable(e), exitUnavailable
	case codes.DeadlineExceeded:
		return fmt.Sprintf("no answer from %s within %v; is it a mesonet server? allow more time with --timeout", e.Addr, e.Timeout), exitUnavailable
	case codes.ResourceExhausted:
		return advised(e.Message, tryAgain(e.RetryAfter)), exitUnavailable
	case codes.Unimplemented:
		return fmt.Sprintf("the server at %s does not know this question; it may be of another version: compare with mesonet version", e.Addr), exitFailed
	case codes.NotFound:
		return e.Message, exitNotFound
	case codes.InvalidArgument, codes.OutOfRange:
		return e.Message, exitUsage
	case codes.Canceled:
		return fmt.Sprintf("the server at %s broke the question off (%s); ask again", e.Addr, e.Message), exitUnavailable
	default:
		return fmt.Sprintf("the server at %s failed: %s (%s)", e.Addr, e.Message, e.Code), exitFailed
	}
}

// ofFailure returns the error of a part of a call, with what to do.
func ofFailure(f *mesonetv1.Failure) error {
	line, code := explainReason(f.GetReason(), codes.Code(f.GetCode()), f.GetMessage(), 0)
	return fail(code, "%s", line)
}

// isReason reports whether the server gave this reason.
func isReason(err error, reason string) bool {
	var e *remote.Error
	return errors.As(err, &e) && e.Reason == reason
}

// isTransient reports whether what failed may succeed another time.
func isTransient(err error) bool {
	var e *remote.Error
	return errors.As(err, &e) && e.Transient()
}

// breakage says why something has to be sent again, without what to do: that is
// being done.
func breakage(err error) string {
	line := err.Error()
	var e *remote.Error
	switch {
	case !errors.As(err, &e):
	case e.Method == "": // of a part of a call
		line = e.Error()
	default:
		line, _ = explainCall(e)
	}
	line, _, _ = strings.Cut(line, "; ")
	return oneLine(line)
}

// unreachable says why no server answered.
func unreachable(e *remote.Error) string {
	message := e.Message
	const start = "start one with: mesonet server --data ./mesonet-data or mesonet demo"
	switch {
	case strings.Contains(message, "connection refused"):
		return fmt.Sprintf("no server at %s (connection refused); %s", e.Addr, start)
	case strings.Contains(message, "error reading server preface"), strings.Contains(message, "first record does not look like"):
		return fmt.Sprintf("what listens at %s is not a mesonet server; name another with --addr, or %s", e.Addr, start)
	case strings.Contains(message, "error while dialing"), strings.Contains(message, "Error while dialing"),
		strings.Contains(message, "name resolver error"), strings.Contains(message, "produced zero addresses"):
		return fmt.Sprintf("cannot reach a server at %s (%s); check --addr, or %s", e.Addr, innermost(message), start)
	}
	return fmt.Sprintf("the connection to %s broke (%s); ask again", e.Addr, innermost(message))
}

// innermost returns the last part of gRPC's nested connection errors, which is
// the one that says something.
func innermost(message string) string {
	message = strings.TrimRight(message, `"`)
	if i := strings.LastIndex(message, `desc = "`); i >= 0 {
		message = message[i+len(`desc = "`):]
	}
	message = strings.TrimPrefix(message, "transport: ")
	message = strings.TrimPrefix(message, "Error while dialing: ")
	message = strings.TrimPrefix(message, "error while dialing: ")
	return message
}

// explainReason adds what to do to what the server said, and chooses the exit
// code. It is for replies and for outcomes of parts of a call.
func explainReason(reason string, c codes.Code, message string, delay time.Duration) (line string, code int) {
	switch reason {
	case reasonNoData:
		return advised(message, "ask for another period, or load readings with: mesonet load FILE"), exitNotFound
	case reasonUnknownStation:
		return advised(message, "see mesonet station list, or register it with: mesonet station load FILE"), exitNotFound
	case reasonBadID:
		return message, exitUsage
	case reasonOutcomeUnknown:
		return advised(message, "it may have happened or not: repeating it is safe"), exitUnavailable
	case reasonOverloaded:
		return advised(message, tryAgain(delay)), exitUnavailable
	case reasonCorrupt:
		return advised(message, "the server's log says where; restore its folder from a backup"), exitFailed
	case reasonTooLarge:
		return advised(message, "send it in smaller parts"), exitFailed
	}
	switch c {
	case codes.NotFound:
		return message, exitNotFound
	case codes.InvalidArgument, codes.OutOfRange:
		return message, exitUsage
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Canceled:
		return advised(message, tryAgain(delay)), exitUnavailable
	default:
		return message, exitFailed
	}
}

// advised adds advice to a message that has none of its own.
func advised(message, advice string) string {
	if strings.Contains(message, "; ") {
		return message
	}
	return message + "; " + advice
}

func tryAgain(delay time.Duration) string {
	if delay <= 0 {
		return "try again in a moment"
	}
	return fmt.Sprintf("try again in %v", delay)
}

// withoutPackage takes the names of our packages away from the beginning of an
// error: they help a programmer, and here follow the name of the program.
func withoutPackage(line string) string {
	for {
		name, rest, found := strings.Cut(line, ": ")
		switch name {
		case "mesonet", "client", "cluster", "daemon", "persistence", "pebble", "api", "entity", "ingest", "weather", "network", "cassandra", "transfer":
		default:
			return line
		}
		if !found {
			return line
		}
		line = rest
	}
}

// oneLine makes sure that an error is one line, whatever is in it.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
