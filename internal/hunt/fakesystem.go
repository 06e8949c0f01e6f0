package hunt

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/tmpproof/tmpproof/fsfake"
)

// FakeSystem is the fake disk as a victim sees it: fsys, and the shared
// directory's name on it.
func FakeSystem(fsys *fsfake.FS, dir string) System { return &fakeSystem{fsys, dir} }

type fakeSystem struct {
	fs  *fsfake.FS
	dir string
}

var errForm = errors.New("the fake disk has no such form of path")

// at gives the view and the name in it for a form.
func (s *fakeSystem) at(form Form, name string) (*fsfake.FS, string, error) {
	switch form {
	case Absolute:
		return s.fs, s.abs(name), nil
	case InRoot:
		v, err := s.fs.Root(s.dir)
		if name == "" {
			name = "."
		}
		return v, name, err
	}
	return nil, "", errForm
}

func (s *fakeSystem) abs(name string) string {
	if name == "" {
		return s.dir
	}
	return s.dir + "/" + name
}

// on calls what takes one name.
func (s *fakeSystem) on(form Form, name string, call func(v *fsfake.FS, name string) error) error {
	v, at, err := s.at(form, name)
	if err != nil {
		return err
	}
	return call(v, at)
}

func (s *fakeSystem) both(form Form, a, b string, call func(v *fsfake.FS, a, b string) error) error {
	v, from, err := s.at(form, a)
	if err != nil {
		return err
	}
	_, to, err := s.at(form, b)
	if err != nil {
		return err
	}
	return call(v, from, to)
}

func (s *fakeSystem) info(fi fs.FileInfo) Info {
	st := fi.(*fsfake.FileInfo).Stat()
	return Info{Type: fi.Mode().Type(), Links: uint64(st.Nlink), Mine: int(st.Uid) == s.fs.User().UID}
}

func (s *fakeSystem) Stat(form Form, name string, follow bool) (Info, error) {
	var fi fs.FileInfo
	err := s.on(form, name, func(v *fsfake.FS, name string) (err error) {
		if follow {
			fi, err = v.Stat(name)
		} else {
			fi, err = v.Lstat(name)
		}
		return err
	})
	if err != nil {
		return Info{}, err
	}
	return s.info(fi), nil
}

func (s *fakeSystem) Open(form Form, name string, how Flags, perm uint32) (File, error) {
	flag := os.O_RDONLY
	for _, f := range []struct {
		is   bool
		flag int
	}{{how.Write, os.O_WRONLY}, {how.Create, os.O_CREATE}, {how.Excl, os.O_EXCL}, {how.Trunc, os.O_TRUNC}, {how.Append, os.O_APPEND}, {how.NoFollow, fsfake.O_NOFOLLOW}} {
		if f.is {
			flag |= f.flag
		}
	}
	var file *fsfake.File
	err := s.on(form, name, func(v *fsfake.FS, name string) error {
		f, err := v.OpenFile(name, flag, fs.FileMode(perm))
		if err == nil {
			file = f.(*fsfake.File)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fakeFile{s, file}, nil
}

func (s *fakeSystem) Mkdir(form Form, name string, perm uint32) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.Mkdir(name, modeOf(perm)) })
}

func (s *fakeSystem) Unlink(form Form, name string) error {
	return s.on(form, name, (*fsfake.FS).Unlink)
}

func (s *fakeSystem) Rmdir(form Form, name string) error {
	return s.on(form, name, (*fsfake.FS).Rmdir)
}

func (s *fakeSystem) Move(form Form, a, b string, exchange bool) error {
	var flags uint
	if exchange {
		flags = fsfake.RenameExchange
	}
	return s.both(form, a, b, func(v *fsfake.FS, a, b string) error { return v.Renameat2(a, b, flags) })
}

func (s *fakeSystem) Link(form Form, a, b string) error {
	return s.both(form, a, b, (*fsfake.FS).Link)
}

func (s *fakeSystem) Symlink(form Form, target, name string) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.Symlink(target, name) })
}

func (s *fakeSystem) Readlink(form Form, name string) (to string, err error) {
	err = s.on(form, name, func(v *fsfake.FS, name string) error {
		to, err = v.Readlink(name)
		return err
	})
	return to, err
}

func (s *fakeSystem) Chmod(form Form, name string, perm uint32) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.Chmod(name, modeOf(perm)) })
}

func (s *fakeSystem) Chtimes(form Form, name string) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.Chtimes(name, victimTime, victimTime) })
}

func (s *fakeSystem) Truncate(form Form, name string) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.Truncate(name, 3) })
}

func (s *fakeSystem) Chdir(Form, string) error    { return errForm }
func (s *fakeSystem) Exec(Form, string) error     { return errForm }
func (s *fakeSystem) Setxattr(Form, string) error { return errForm }

func (s *fakeSystem) WriteFile(form Form, name, data string, perm uint32) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.WriteFile(name, []byte(data), modeOf(perm)) })
}

func (s *fakeSystem) ReadFile(form Form, name string) (string, error) {
	var data []byte
	err := s.on(form, name, func(v *fsfake.FS, name string) (err error) {
		data, err = v.ReadFile(name)
		return err
	})
	return string(data), err
}

func (s *fakeSystem) ReadDir(form Form, name string) ([]string, error) {
	var names []string
	err := s.on(form, name, func(v *fsfake.FS, name string) error {
		list, err := v.ReadDir(name)
		for _, e := range list {
			names = append(names, e.Name())
		}
		return err
	})
	return names, err
}

func (s *fakeSystem) MkdirAll(form Form, name string, perm uint32) error {
	return s.on(form, name, func(v *fsfake.FS, name string) error { return v.MkdirAll(name, modeOf(perm)) })
}

func (s *fakeSystem) Remove(form Form, name string) error {
	return s.on(form, name, (*fsfake.FS).Remove)
}

func (s *fakeSystem) RemoveAll(form Form, name string) error {
	return s.on(form, name, (*fsfake.FS).RemoveAll)
}

func (s *fakeSystem) Rename(form Form, a, b string) error {
	return s.both(form, a, b, (*fsfake.FS).Rename)
}

func (s *fakeSystem) CreateTemp(_ Form, dir, data string) (string, error) {
	f, err := s.fs.CreateTemp(s.abs(dir), "tmp-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(data)
	return s.rel(f.Name()), errors.Join(err, f.Close())
}

func (s *fakeSystem) MkdirTemp(_ Form, dir string) (string, error) {
	name, err := s.fs.MkdirTemp(s.abs(dir), "dir-*")
	return s.rel(name), err
}

func (s *fakeSystem) rel(name string) string {
	return strings.TrimPrefix(path.Clean(name), s.dir+"/")
}

func modeOf(perm uint32) fs.FileMode { return fs.FileMode(perm & 0o777) }

type fakeFile struct {
	s *fakeSystem
	f *fsfake.File
}

func (f *fakeFile) Stat() (Info, error) {
	fi, err := f.f.Stat()
	if err != nil {
		return Info{}, err
	}
	return f.s.info(fi), nil
}

func (f *fakeFile) Write(data string) error { _, err := f.f.WriteString(data); return err }

func (f *fakeFile) Read() (string, error) {
	data, err := io.ReadAll(f.f)
	return string(data), err
}

func (f *fakeFile) Chmod(perm uint32) error { return f.f.Chmod(modeOf(perm)) }
func (f *fakeFile) Close() error            { return f.f.Close() }
