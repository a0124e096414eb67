// Command bench measures a node on the embedded store beside the limits of the
// same machine, and prints a table.
//
// # Synopsis
//
//	make bench
//	make bench BENCHFLAGS='-run observe -time 10s'
//	go run ./internal/bench [-run REGEXP] [-time D] [-o table|json] ...
//
// # Method
//
// Absolute figures of a shared machine move by a factor of two within minutes.
// So each figure stands beside a limit that is measured in the same run, right
// before and right after it: what the machine does when nothing of ours is in
// the way. The limit is the mean of the two, both are shown, and the ratio is
// ours divided by it. Goals are mostly about the ratio. docs/performance.md says
// what each row and each limit is, and how to read them.
//
// Rows of asks and of files, which are soon measured and move most, are measured
// three times in turn with their limit. The one with the middle ratio is shown,
// with the limit around it; what stands below the row is of the last.
//
// A figure is one measurement of -time, after a tenth of that to warm up.
// Setting up (starting nodes, registering stations) is not in it. Nothing is
// asserted: a goal that is missed is said so, and the exit code is 0.
//
// # Flags
//
// See usage in options.go, which is what -h prints.
//
// # Folders and processes
//
// Stores are made in a folder of their own below the one for temporary files
// (TMPDIR), which is what the disk of the figures is, and removed when they are
// measured, also after Ctrl-C. With -keep they are made in a folder that is
// named, and stay. Two rows run this program again: recovery has a process that
// is killed, and memory is that of a process which does nothing else. Profiles
// don't cover these processes.
//
// # Output
//
// The table, or with -o json one document, goes to stdout when all rows are
// done; progress with every single figure goes to stderr.
//
// # Exit codes
//
//	0    measured
//	1    failed
//	2    wrong usage; nothing was measured
//	130  interrupted
//
// # How it is written
//
// benchmarks in suite.go lists the rows; each is a file with what is measured
// and its limit. Everything that sends observations does it through feed. Every
// goroutine belongs to the function that started it, which waits for it.
package main
