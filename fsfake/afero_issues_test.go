package fsfake_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/fsfake"
)

// TestAferoIssues has a row for issues of github.com/spf13/afero: what its
// MemMapFs does or did is the row's name, the errno is what the kernel gives.
// /f is a file, /d a directory that is not empty.
func TestAferoIssues(t *testing.T) {
	for _, row := range []struct {
		issue string
		call  func(v *fsfake.FS) error
		want  error
	}{
		{"#149 Mkdir makes parents", func(v *fsfake.FS) error { return v.Mkdir("/x/y", 0o777) }, syscall.ENOENT},
		{"#168 Create makes parents", func(v *fsfake.FS) error { _, err := v.Create("/x/y"); return err }, syscall.ENOENT},
		{"#270 #373 WriteFile makes parents", func(v *fsfake.FS) error { return v.WriteFile("/x/y", nil, 0o666) }, syscall.ENOENT},
		{"#164 MkdirAll goes below a file", func(v *fsfake.FS) error { return v.MkdirAll("/f/x/y", 0o777) }, syscall.ENOTDIR},
		{"#232 #388 Remove takes a full directory", func(v *fsfake.FS) error { return v.Remove("/d") }, syscall.ENOTEMPTY},
		{"#201 ReadFile reads a directory", func(v *fsfake.FS) error { _, err := v.ReadFile("/d"); return err }, syscall.EISDIR},
		{"#415 O_EXCL fails without O_CREATE", func(v *fsfake.FS) error { _, err := v.OpenFile("/f", os.O_RDWR|os.O_EXCL, 0); return err }, nil},
		{"#244 O_EXCL is ignored", func(v *fsfake.FS) error {
			_, err := v.OpenFile("/f", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
			return err
		}, syscall.EEXIST},
		{"#319 Rename puts a file over a directory", func(v *fsfake.FS) error { return v.Rename("/f", "/d") }, os.ErrExist},
		{"#141 Rename leaves children", func(v *fsfake.FS) error {
			if err := v.Rename("/d", "/e"); err != nil {
				return err
			}
			_, err := v.Stat("/e/in")
			return err
		}, nil},
		{"#258 no symlinks", func(v *fsfake.FS) error { return v.Symlink("f", "/s") }, nil},
		{"#432 no hard links", func(v *fsfake.FS) error { return v.Link("/f", "/l") }, nil},
		{"#166 a write after Close succeeds", func(v *fsfake.FS) error {
			f, err := v.Create("/f")
			if err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			_, err = f.Write([]byte("x"))
			return err
		}, os.ErrClosed},
		{"#567 a second Close succeeds", func(v *fsfake.FS) error {
			f, err := v.Create("/f")
			if err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			return f.Close()
		}, os.ErrClosed},
		{"#53 a read-only handle writes", func(v *fsfake.FS) error {
			f, err := v.Open("/f")
			if err != nil {
				return err
			}
			_, err = f.Write([]byte("x"))
			return err
		}, syscall.EBADF},
		{"rename into itself ends the process", func(v *fsfake.FS) error { return v.Rename("/d", "/d/y") }, syscall.EINVAL},
		{"#150 Open checks no permission", func(v *fsfake.FS) error {
			if err := v.Chmod("/f", 0o600); err != nil {
				return err
			}
			_, err := v.Disk().As(fsfake.User{UID: 5, GID: 5}).Open("/f")
			return err
		}, syscall.EACCES},
		{"#335 a directory's x bit is not checked", func(v *fsfake.FS) error {
			if err := v.Chmod("/d", 0o644); err != nil {
				return err
			}
			_, err := v.Disk().As(fsfake.User{UID: 5, GID: 5}).Stat("/d/in")
			return err
		}, syscall.EACCES},
	} {
		t.Run(row.issue, func(t *testing.T) {
			v := fsfake.New().As(fsfake.User{})
			assert.NoError(t, v.WriteFile("/f", []byte("f"), 0o666))
			assert.NoError(t, v.Mkdir("/d", 0o777))
			assert.NoError(t, v.WriteFile("/d/in", nil, 0o666))
			assert.ErrorIs(t, row.call(v), row.want)
		})
	}
}
