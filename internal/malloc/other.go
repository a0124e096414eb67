//go:build !cgo || !linux

package malloc

// ReturnLarge does nothing here.
func ReturnLarge() {}
