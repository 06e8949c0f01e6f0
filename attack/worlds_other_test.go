//go:build !linux

package attack_test

import (
	"io/fs"
	"os"

	"github.com/tmpproof/tmpproof/fsfake"
)

// ours says that a file is the user's and regular, and how many names it has.
func ours(fi fs.FileInfo) (bool, int) {
	st, ok := fsfake.StatOf(fi)
	uid := os.Getuid()
	if uid < 0 {
		uid = 1000 // as whom Fake runs where users have no numbers
	}
	return ok && int(st.Uid) == uid && fi.Mode().IsRegular(), int(st.Nlink)
}

// uid says that the test's own user has made it.
func uid(fi fs.FileInfo) bool {
	st, ok := fsfake.StatOf(fi)
	want := os.Getuid()
	if want < 0 {
		want = 1000
	}
	return ok && int(st.Uid) == want
}
