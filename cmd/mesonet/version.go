package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3". Without it
// the module's version holds, which go install records.
var version string

// buildInfo says what this program was built from.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // "" when it is not known
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// build returns what the program was built from. It does not change.
var build = sync.OnceValue(func() buildInfo {
	b := buildInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	return b
})

func (b buildInfo) table(w io.Writer) {
	commit := orUnknown(b.Commit)
	if b.Modified {
		commit += " (modified)"
	}
	writeFields(w,
		[2]string{"mesonet", b.Version},
		[2]string{"commit", commit},
		[2]string{"go", b.Go},
		[2]string{"platform", b.Platform})
}

func versionCommand(a *app) *cobra.Command {
	var output format
	c := &cobra.Command{
		Use:     "version",
		Short:   "Show what this program was built from",
		Example: "  mesonet version -o json",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			if err := output.write(a.out, build()); err != nil {
				return fmt.Errorf("version: %w", err)
			}
			return nil
		},
	}
	output.flag(c)
	return c
}
