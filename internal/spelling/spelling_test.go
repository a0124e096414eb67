package spelling_test

import (
	"testing"

	"github.com/mesonet/mesonet/internal/spelling"
)

func TestClosest(t *testing.T) {
	names := []string{"load", "list", "station", "temperature", "MESONET_LISTEN"}
	for text, want := range map[string]string{
		"laod": "load", "temprature": "temperature", "temp": "temperature", "Station": "station", "lst": "list",
		"MESONET_LISTN": "MESONET_LISTEN", "mesonet_listen": "MESONET_LISTEN", "snow": "", "x": "", "": "",
	} {
		if got := spelling.Closest(text, names); got != want {
			t.Errorf("Closest(%q) = %q, want %q", text, got, want)
		}
	}
}
