//go:build cgo && linux

package malloc

/*
#include <malloc.h>

static void return_large(int bytes) {
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, bytes);
#endif
}
*/
import "C"

// ReturnLarge has memory of [Large] bytes and more go back to the system when it is
// freed.
func ReturnLarge() { C.return_large(Large) }
