package attack

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	_ "unsafe" // for linkname
)

// aferoNumber is what afero.TempFile and afero.TempDir count their names from.
// They begin it with the time and the process number, which are held still.
//
//go:linkname aferoNumber github.com/spf13/afero.randNum
var aferoNumber uint32

// reseedAfero begins the names of afero.TempFile by chance. That they can be
// computed, from one of them or from the nanosecond of the first, is afero's
// doing and not that of the code under test, which has no other function for a
// Scene.FS: tmptest.Unpredictable is for whoever wants to know.
func reseedAfero() {
	var b [4]byte
	_, _ = cryptorand.Read(b[:]) // never fails
	aferoNumber = binary.LittleEndian.Uint32(b[:]) | 1
}
