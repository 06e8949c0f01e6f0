package fsfake

import (
	"sync"
	"unsafe"
)

// diskLock is a readers-writer lock for many readers: it is made of several
// locks, of which a reader takes one and a writer all. Readers on different
// goroutines mostly take different ones, so that they do not pass one cache line
// back and forth between processors.
type diskLock struct {
	shards [1 << lockBits]struct {
		sync.RWMutex
		_ [40]byte // fills a cache line of 64 bytes
	}
}

const lockBits = 3

// RLock takes the lock for reading, and returns what RUnlock is to be given.
func (l *diskLock) RLock() int {
	// Where the stack lies tells goroutines apart.
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here)) >> 11)
	i := int(at * 0x9e3779b97f4a7c15 >> (64 - lockBits))
	l.shards[i].RLock()
	return i
}

func (l *diskLock) RUnlock(i int) { l.shards[i].RUnlock() }

func (l *diskLock) Lock() {
	for i := range l.shards {
		l.shards[i].Lock()
	}
}

func (l *diskLock) Unlock() {
	for i := range l.shards {
		l.shards[i].Unlock()
	}
}
