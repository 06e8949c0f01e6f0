package hunt

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// plain reports whether package os itself does it: where a path is given by a
// descriptor, its helpers cannot be used.
func plain(form Form) bool { return form == Absolute || form == Relative }

// path is what a helper of package os is given.
func (s *linuxSystem) path(form Form, name string) (string, error) {
	p, err := s.at(form, name)
	return p.path, err
}

func (s *linuxSystem) WriteFile(form Form, name string, data string, perm uint32) error {
	if plain(form) {
		p, err := s.path(form, name)
		if err != nil {
			return err
		}
		s.call("open", name)
		return os.WriteFile(p, []byte(data), fs.FileMode(perm))
	}
	f, err := s.Open(form, name, Flags{Write: true, Create: true, Trunc: true}, perm)
	if err != nil {
		return err
	}
	return errors.Join(f.Write(data), f.Close())
}

func (s *linuxSystem) ReadFile(form Form, name string) (string, error) {
	if plain(form) && s.before == nil {
		p, err := s.path(form, name)
		if err != nil {
			return "", err
		}
		data, err := os.ReadFile(p)
		return string(data), err
	}
	f, err := s.Open(form, name, Flags{}, 0)
	if err != nil {
		return "", err
	}
	data, err := f.Read()
	return data, errors.Join(err, f.Close())
}

func (s *linuxSystem) ReadDir(form Form, name string) ([]string, error) {
	var list []os.DirEntry
	var err error
	if plain(form) && s.before == nil {
		p, perr := s.path(form, name)
		if perr != nil {
			return nil, perr
		}
		list, err = os.ReadDir(p)
	} else {
		f, operr := s.Open(form, name, Flags{}, 0)
		if operr != nil {
			return nil, operr
		}
		file := f.(*linuxFile).f
		if list, err = file.ReadDir(-1); err == nil {
			s.has(file)
		}
		err = errors.Join(err, f.Close())
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}

func (s *linuxSystem) CreateTemp(_ Form, dir, data string) (string, error) {
	if s.before != nil {
		name := strings.TrimPrefix(dir+"/tmp-"+rand.Text(), "/")
		f, err := s.Open(Absolute, name, Flags{Write: true, Create: true, Excl: true}, 0o600)
		if err != nil {
			return "", err
		}
		return name, errors.Join(f.Write(data), f.Close())
	}
	f, err := os.CreateTemp(s.abs(dir), "tmp-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(data)
	return s.rel(f.Name()), errors.Join(err, f.Close())
}

func (s *linuxSystem) MkdirTemp(_ Form, dir string) (string, error) {
	if s.before != nil {
		name := strings.TrimPrefix(dir+"/dir-"+rand.Text(), "/")
		return name, s.Mkdir(Absolute, name, 0o700)
	}
	name, err := os.MkdirTemp(s.abs(dir), "dir-*")
	return s.rel(name), err
}

func (s *linuxSystem) rel(name string) string { return strings.TrimPrefix(name, s.dir+"/") }

func (s *linuxSystem) Rename(form Form, a, b string) error {
	switch {
	case form == InRoot:
		return s.root("rename", []string{a, b}, func(r *os.Root) error { return r.Rename(dotted(a), dotted(b)) })
	case plain(form) && s.before == nil:
		from, err := s.path(form, a)
		if err != nil {
			return err
		}
		to, err := s.path(form, b)
		if err != nil {
			return err
		}
		return os.Rename(from, to)
	}
	// os.Rename looks at the new name first.
	if i, err := s.Stat(form, b, false); err == nil && i.Type == fs.ModeDir {
		return unix.EEXIST
	}
	return s.Move(form, a, b, false)
}

func (s *linuxSystem) MkdirAll(form Form, name string, perm uint32) error {
	switch {
	case form == InRoot:
		return s.root("mkdir", []string{name}, func(r *os.Root) error { return r.MkdirAll(dotted(name), fs.FileMode(perm)) })
	case plain(form) && s.before == nil:
		p, err := s.path(form, name)
		if err != nil {
			return err
		}
		return os.MkdirAll(p, fs.FileMode(perm))
	}
	// os.MkdirAll: look, make the parent, make, look again.
	if i, err := s.Stat(form, name, true); err == nil {
		if i.Type == fs.ModeDir {
			return nil
		}
		return unix.ENOTDIR
	}
	if p := parent(name); p != "" {
		if err := s.MkdirAll(form, p, perm); err != nil {
			return err
		}
	} else if i, err := s.Stat(form, "", true); err != nil || i.Type != fs.ModeDir {
		return errors.Join(unix.ENOTDIR, err)
	}
	if err := s.Mkdir(form, name, perm); err != nil {
		if i, lerr := s.Stat(form, name, false); lerr == nil && i.Type == fs.ModeDir {
			return nil
		}
		return err
	}
	return nil
}

func (s *linuxSystem) Remove(form Form, name string) error {
	switch {
	case form == InRoot:
		return s.root("unlink", []string{name}, func(r *os.Root) error { return r.Remove(dotted(name)) })
	case plain(form) && s.before == nil:
		p, err := s.path(form, name)
		if err != nil {
			return err
		}
		return os.Remove(p)
	}
	// os.Remove: unlink, and if that fails rmdir.
	err := s.Unlink(form, name)
	if err == nil {
		return nil
	}
	if rerr := s.Rmdir(form, name); rerr == nil {
		return nil
	} else if rerr != unix.ENOTDIR {
		return rerr
	}
	return err
}

func (s *linuxSystem) RemoveAll(form Form, name string) error {
	switch {
	case form == InRoot:
		return s.root("unlink", []string{name}, func(r *os.Root) error { return r.RemoveAll(dotted(name)) })
	case !plain(form): // it has no form with a descriptor
		form = Absolute
	}
	if s.before == nil {
		p, err := s.path(form, name)
		if err != nil {
			return err
		}
		return os.RemoveAll(p)
	}
	if err := s.Remove(form, name); err == nil || isNotExist(err) {
		return nil
	}
	p, err := s.path(form, parent(name))
	if err != nil {
		return err
	}
	s.call("open", parent(name))
	dir, err := os.Open(p)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return s.removeFrom(dir, name)
}

// removeFrom is os.removeAllFrom.
func (s *linuxSystem) removeFrom(dir *os.File, name string) error {
	last := base(name)
	fd := int(dir.Fd())
	s.call("unlink", name)
	uerr := unix.Unlinkat(fd, last, 0)
	if uerr == nil || uerr == unix.ENOENT {
		return nil
	}
	if uerr != unix.EISDIR && uerr != unix.EPERM && uerr != unix.EACCES {
		return uerr
	}
	s.call("open", name)
	sub, err := open(fd, last, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	switch {
	case err == unix.ENOENT:
		return nil
	case err == unix.ENOTDIR || err == unix.ELOOP:
		return uerr
	}
	var failed error
	if err == nil {
		in := os.NewFile(uintptr(sub), last)
		names, _ := in.Readdirnames(-1)
		for _, n := range names {
			if err := s.removeFrom(in, name+"/"+n); err != nil && failed == nil {
				failed = err
			}
		}
		in.Close()
	} else {
		failed = err
	}
	s.call("rmdir", name)
	if err := unix.Unlinkat(fd, last, unix.AT_REMOVEDIR); err == nil || err == unix.ENOENT {
		return nil
	} else if failed == nil {
		failed = err
	}
	return failed
}
