package gateway

import (
	"fmt"

	"github.com/mesonet/mesonet/internal/spelling"
)

// suggestion says which of the names is meant by one that is not among them, ""
// when none is like it. Names of fields are long, so more letters may be wrong than
// in a command.
func suggestion(name string, names []string) string {
	best, least := "", len(name)/3+2 // so many letters may be wrong, and no more
	for _, n := range names {
		if d := spelling.Distance(name, n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
