//go:build !linux

package attack_test

import (
	"io/fs"
	"os"

	"github.com/tmpproof/tmpproof/fsfake"
)

// alone says that a file is the user's, regular, and has one name.
func alone(fi fs.FileInfo) bool {
	st, ok := fsfake.StatOf(fi)
	uid := os.Getuid()
	if uid < 0 {
		uid = 1000 // as whom Fake runs where users have no numbers
	}
	return ok && int(st.Uid) == uid && fi.Mode().IsRegular() && st.Nlink == 1
}
