package config

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/dustin/go-humanize"
)

// unlimited is the size of what has no limit.
const unlimited = "unlimited"

// maxSize is beyond what any machine has.
const maxSize = 1 << 50

// parseSize reads 256MiB, 2GB or a number of bytes. none, when it is not "", is
// the word for 0.
func parseSize(text, none string) (int64, error) {
	or := ""
	if none != "" {
		or = ", or " + none
	}
	if text == none && none != "" {
		return 0, nil
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > maxSize {
		return 0, fmt.Errorf("%s is no size; write one such as 256MiB or 2GiB%s", shown(text), or)
	}
	return int64(n), nil
}

// formatSize writes a size in the largest unit that shows it exactly.
func formatSize(n int64) string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	if n <= 0 {
		return strconv.FormatInt(n, 10)
	}
	thousands := min(bits.TrailingZeros64(uint64(n))/10, len(units)-1)
	return strconv.FormatInt(n>>(10*thousands), 10) + units[thousands]
}
