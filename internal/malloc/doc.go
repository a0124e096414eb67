// Package malloc sets up C's allocator, from which Pebble has its cache and its
// tables in memory: what is large shall go back to the system when it is freed.
//
// The allocator of glibc takes that as a matter of experience: once a table was
// freed, it has the next ones from the heaps that it keeps for threads, eight for
// each processor, and each of these keeps the room of a table or two. That comes to
// several times what the tables take.
//
//	malloc.ReturnLarge()
//
// It holds for the whole process, and is for its main function, before there are
// other threads that allocate. In a program without cgo, where Pebble's memory is
// Go's, and beside another C library it does nothing.
package malloc

// Large is from how many bytes on memory goes back. Blocks of a cache are smaller,
// tables in memory larger.
const Large = 256 << 10
