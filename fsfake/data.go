package fsfake

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"syscall"
)

// File data lies in chunks of 64 KiB, each made when something is written to
// it. What lies in no chunk, or beyond a chunk's bytes, is a hole that reads as
// zeros. Pages of 4 KiB are the unit of account, as on tmpfs.
const (
	pageShift  = 12
	pageSize   = 1 << pageShift
	chunkShift = 16
	chunkSize  = 1 << chunkShift
	keptBuffer = pageSize // a buffer up to this size outlives a truncation to zero

	maxSize = math.MaxInt64
)

// chunk is shared with a snapshot, and copied before it is written, when its
// epoch is not the disk's.
type chunk struct {
	b     []byte
	epoch uint32
	pages uint16 // which pages are in use
}

// fileData is the content of a file. Most files have the first chunk only.
type fileData struct {
	first chunk
	more  *extents
}

// extents has the chunks after the first: those that follow on in a table, and
// those far behind a hole in a map.
type extents struct {
	table  []chunk // chunk 1 and on
	sparse map[int64]*chunk
	link   string        // what a symbolic link says
	drain  *atomic.Int64 // of a FIFO that somebody reads: how much came
}

// at gives a chunk, nil where there is a hole.
func (f *fileData) at(i int64) *chunk {
	switch {
	case i == 0:
		return &f.first
	case f.more == nil:
		return nil
	case i <= int64(len(f.more.table)):
		return &f.more.table[i-1]
	}
	return f.more.sparse[i]
}

// make gives a chunk, new if need be.
func (f *fileData) make(i int64) *chunk {
	if c := f.at(i); c != nil {
		return c
	}
	if f.more == nil {
		f.more = &extents{}
	}
	m := f.more
	if i > int64(2*len(m.table)+16) {
		if m.sparse == nil {
			m.sparse = make(map[int64]*chunk)
		}
		c := &chunk{}
		m.sparse[i] = c
		return c
	}
	for int64(len(m.table)) < i {
		next := int64(len(m.table)) + 1
		var c chunk
		if s := m.sparse[next]; s != nil {
			c = *s
			delete(m.sparse, next)
		}
		m.table = append(m.table, c)
	}
	return &m.table[i-1]
}

// own gets the data ready for a change: the first one of an epoch is saved for
// the snapshot before it.
func (d *Disk) own(n *node) {
	if n.saved == d.epoch {
		return
	}
	if v := d.history(); v != nil {
		old := n.data
		v.add(change{kind: changedData, node: n, data: &old})
		if m := n.data.more; m != nil {
			copied := &extents{table: slices.Clone(m.table)}
			if m.sparse != nil {
				copied.sparse = make(map[int64]*chunk, len(m.sparse))
				for i, c := range m.sparse {
					one := *c
					copied.sparse[i] = &one
				}
			}
			n.data.more = copied
		}
	}
	n.saved = d.epoch
}

// grow makes the chunk's own buffer at least n bytes long. What lies between
// the old end and n is zero.
func (c *chunk) grow(n int, epoch uint32) {
	old := len(c.b)
	if c.epoch == epoch && cap(c.b) >= n {
		if n > old {
			c.b = c.b[:n]
			clear(c.b[old:])
		}
		return
	}
	if c.epoch == epoch && cap(c.b) > 0 {
		n = max(n, old)
		b := make([]byte, n, max(n, min(2*cap(c.b), chunkSize)))
		copy(b, c.b)
		c.b = b
		return
	}
	b := make([]byte, max(n, old))
	copy(b, c.b)
	c.b, c.epoch = b, epoch
}

// pageMask has a bit for each page that the bytes from..to of a chunk touch.
func pageMask(from, to int) uint16 {
	if from >= to {
		return 0
	}
	return uint16(uint32(1)<<((to-1)>>pageShift+1) - uint32(1)<<(from>>pageShift))
}

// write puts p into the file. The caller holds n.mu and has called own. It
// returns fewer bytes when the disk is full, none with ENOSPC.
func (d *Disk) write(n *node, a *attr, p []byte, off int64) (int, error) {
	if off > maxSize-int64(len(p)) {
		p = p[:maxSize-off]
	}
	done := 0
	for done < len(p) {
		start := int(off & (chunkSize - 1))
		m := min(len(p)-done, chunkSize-start)
		c := n.data.make(off >> chunkShift)
		if fresh := pageMask(start, start+m) &^ c.pages; fresh != 0 {
			want := int64(bits.OnesCount16(fresh))
			got := d.charge(a, want)
			for ; want > got; want-- { // the disk is full: up to the first page that is not there
				last := bits.Len16(fresh) - 1
				fresh &^= 1 << last
				m = max(last<<pageShift-start, 0)
			}
			c.pages |= fresh
			if m == 0 {
				break
			}
		}
		if start == 0 && len(c.b) <= m && cap(c.b) < m {
			c.b = append([]byte(nil), p[done:done+m]...)
			c.epoch = d.epoch
		} else {
			c.grow(start+m, d.epoch)
			copy(c.b[start:], p[done:done+m])
		}
		done += m
		off += int64(m)
	}
	if done == 0 && len(p) > 0 {
		return 0, syscall.ENOSPC
	}
	a.size = max(a.size, off)
	return done, nil
}

// read fills p from the file; the caller has seen that it lies within the size.
func (f *fileData) read(p []byte, off int64) {
	if end := off + int64(len(p)); end <= int64(len(f.first.b)) {
		copy(p, f.first.b[off:end])
		return
	}
	for len(p) > 0 {
		start := int(off & (chunkSize - 1))
		m := min(len(p), chunkSize-start)
		got := 0
		if c := f.at(off >> chunkShift); c != nil && start < len(c.b) {
			got = copy(p[:m], c.b[start:])
		}
		clear(p[got:m])
		p = p[m:]
		off += int64(m)
	}
}

// cut drops what lies beyond size, and returns the pages that this frees. The
// caller has called own.
func (f *fileData) cut(size int64) int64 {
	freed := 0
	trim := func(c *chunk, keep int) {
		mask := pageMask(keep+pageSize-1, chunkSize) & c.pages
		if keep >= chunkSize {
			return
		}
		freed += bits.OnesCount16(mask)
		c.pages &^= mask
		if len(c.b) > keep {
			c.b = c.b[:keep]
		}
		if keep == 0 && cap(c.b) > keptBuffer {
			c.b = nil
		}
	}
	keepOf := func(i int64) int { return int(min(max(size-i<<chunkShift, 0), chunkSize)) }
	trim(&f.first, keepOf(0))
	if m := f.more; m != nil {
		last := size >> chunkShift
		for i := min(last, int64(len(m.table))); i <= int64(len(m.table)); i++ {
			if i > 0 {
				trim(&m.table[i-1], keepOf(i))
			}
		}
		whole := min((size+chunkSize-1)>>chunkShift, int64(len(m.table))+1)
		clear(m.table[max(whole-1, 0):])
		m.table = m.table[:max(whole-1, 0)]
		maps.DeleteFunc(m.sparse, func(i int64, c *chunk) bool {
			if i >= last {
				trim(c, keepOf(i))
			}
			return i<<chunkShift >= size
		})
		if size <= chunkSize {
			f.more = nil
		}
	}
	return int64(freed)
}

// seekData gives the first byte at or after off that lies in a page in use
// (data true), or in a hole. The end of the file counts as a hole; -1 means
// that there is no data.
func (f *fileData) seekData(off, size int64, data bool) int64 {
	for off < size {
		c := f.at(off >> chunkShift)
		if c == nil {
			if !data {
				return off
			}
			off = f.nextChunk(off>>chunkShift) << chunkShift
			continue
		}
		page := uint(off&(chunkSize-1)) >> pageShift
		if (c.pages>>page&1 == 1) == data {
			return off
		}
		off = (off>>pageShift + 1) << pageShift
	}
	if data {
		return -1
	}
	return size
}

// nextChunk gives the next chunk after a hole.
func (f *fileData) nextChunk(i int64) int64 {
	next := int64(maxSize >> chunkShift)
	if f.more != nil {
		if i < int64(len(f.more.table)) {
			return i + 1
		}
		for j := range f.more.sparse {
			if j > i {
				next = min(next, j)
			}
		}
	}
	return next
}
