package tmptest

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzACL parses what a file system may give: no panic, and an error for
// whatever is no list.
func FuzzACL(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add([]byte{2, 0, 0, 0}, true)
	f.Add([]byte{2, 0, 0, 0, 2, 0, 7, 0, 1, 0, 0, 0}, true)
	f.Add([]byte{1, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, data []byte, all bool) {
		grants, err := aclGrants(data, all)
		sound := len(data) == 0 || len(data) >= 4 && len(data)%8 == 4 && binary.LittleEndian.Uint32(data) == 2
		assert.Equal(t, sound, err == nil)
		assert.LessOrEqual(t, len(grants), len(data)/8)
	})
}
