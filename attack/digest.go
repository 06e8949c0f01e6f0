package attack

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"

	"github.com/tmpproof/tmpproof/internal/leftover"
)

// digest is the content of a file of any size, in a form that can be compared
// and that a report can show. Holes are the zeros that they read as.
type digest struct {
	size int64
	head string // the first bytes
	sum  [sha256.Size]byte
	form form
}

// digestHead is how much of a content is kept to be shown, in bytes.
const digestHead = 40

// blockSize is what contents are read by, and divides every block size of a
// file system.
const blockSize = 1 << 16

// digest reads a file. One that is removed meanwhile, or cannot be read, has
// the digest of nothing.
func (r *run) digest(name string) digest {
	h := hasher{sum: sha256.New()}
	d := digest{}
	size, err := r.disk.blocks(name, h.block)
	if err != nil {
		return d
	}
	d.size = size
	d.head = string(h.head[:min(size, digestHead)])
	h.sum.Sum(d.sum[:0])
	if size == int64(len(h.all)) {
		d.form = formOf(h.all)
	}
	return d
}

// hasher takes the blocks of a file that are not all zeros, in order.
type hasher struct {
	sum  hash.Hash
	head [digestHead]byte
	all  []byte // up to maxForm, and the first hole
}

func (h *hasher) block(at int64, b []byte) {
	if at == 0 {
		copy(h.head[:], b)
	}
	if at == int64(len(h.all)) && at+int64(len(b)) <= maxForm {
		h.all = append(h.all, b...)
	}
	if !zeros(b) {
		var where [8]byte
		binary.LittleEndian.PutUint64(where[:], uint64(at))
		h.sum.Write(where[:])
		h.sum.Write(b)
	}
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// String is the content as reports show it.
func (d digest) String() string {
	if d.size > digestHead {
		return fmt.Sprintf("%d bytes, %q...", d.size, d.head)
	}
	return fmt.Sprintf("%s, %q", leftover.Count(int(d.size), "byte", "bytes"), d.head)
}

// line is the content as an entry of a directory is compared by it.
func (d digest) line() string { return fmt.Sprintf(" %d %q %x", d.size, d.head, d.sum) }

// told reports whether what was written tells the attacker something that he
// has not put there himself.
func told(written, his string) bool {
	written = strings.Trim(written, "\x00")
	return written != "" && !strings.Contains(his, written)
}

// wrote tells how many bytes of a file are not what the attacker had put
// there: up to the last that is not zero. What was only cut, or overwritten or
// lengthened by zeros, is 0.
func (r *run) wrote(name, data string) int64 {
	var end int64 // of what is not zero
	differs := false
	_, err := r.disk.blocks(name, func(at int64, b []byte) {
		for i, c := range b {
			if c != 0 {
				end = at + int64(i) + 1
				differs = differs || end > int64(len(data)) || data[end-1] != c
			}
		}
	})
	if err != nil || !differs {
		return 0
	}
	return end
}
