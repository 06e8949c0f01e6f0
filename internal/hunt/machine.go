package hunt

import (
	"errors"
	"io/fs"
	"strings"
	"time"
)

// System is the disk as a victim sees it. Names are relative to the shared
// directory; "" is the directory itself.
type System interface {
	Stat(form Form, name string, follow bool) (Info, error)
	Open(form Form, name string, flags Flags, perm uint32) (File, error)
	Mkdir(form Form, name string, perm uint32) error
	Unlink(form Form, name string) error
	Rmdir(form Form, name string) error
	Move(form Form, a, b string, exchange bool) error
	Link(form Form, a, b string) error
	Symlink(form Form, target, name string) error
	Readlink(form Form, name string) (string, error)
	Chmod(form Form, name string, perm uint32) error
	Chtimes(form Form, name string) error
	Truncate(form Form, name string) error
	Chdir(form Form, name string) error
	Exec(form Form, name string) error
	Setxattr(form Form, name string) error

	// What package os makes of several calls. The names that are chosen come
	// back relative to the directory.
	WriteFile(form Form, name string, data string, perm uint32) error
	ReadFile(form Form, name string) (string, error)
	ReadDir(form Form, name string) ([]string, error)
	MkdirAll(form Form, name string, perm uint32) error
	Remove(form Form, name string) error
	RemoveAll(form Form, name string) error
	Rename(form Form, a, b string) error
	CreateTemp(form Form, dir, data string) (string, error)
	MkdirTemp(form Form, dir string) (string, error)
}

// Flags are how a file is opened.
type Flags struct{ Write, Create, Excl, Trunc, Append, NoFollow bool }

// Info is what the victim asks of an entry.
type Info struct {
	Type  fs.FileMode
	Links uint64
	Mine  bool
}

// File is an open file of the victim's.
type File interface {
	Stat() (Info, error)
	Write(data string) error
	Read() (string, error)
	Chmod(perm uint32) error
	Close() error
}

// Machine carries a program out.
type Machine struct {
	Sys   System
	temps map[string]string
	chose map[string]string // names by chance, and what they stand for
	Each  func(Op)          // called before each operation, if there is one
}

// errNotMine is what a victim says of a file that is not as it should be.
var errNotMine = errors.New("no regular file of mine with one link")

// errWell ends a program well.
var errWell = errors.New("nothing to do")

// Victims' data, and what a file has that was there before.
const (
	victimData = "the victim's data\n"
	beforeData = "was there before\n"
)

// Run carries the program out, and returns the first error that is heeded.
func (m *Machine) Run(p *Program) error {
	m.temps, m.chose = map[string]string{}, map[string]string{}
	for _, o := range p.Ops {
		if m.Each != nil {
			m.Each(o)
		}
		switch err := m.do(o); {
		case err == errWell:
			return nil
		case err != nil && o.Heed:
			return err
		}
	}
	return nil
}

// Prepare makes what is there before.
func (m *Machine) Prepare(p *Program) error {
	for _, b := range p.Before {
		var err error
		if dir, ok := strings.CutSuffix(b, "/"); ok {
			err = m.Sys.Mkdir(Absolute, dir, 0o700)
		} else {
			err = m.Sys.WriteFile(Absolute, b, beforeData, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// name puts what the kernel has chosen in the place of $T and $M. A program
// that uses one before it is chosen uses a name that does not exist.
func (m *Machine) name(n string) string {
	for _, t := range []string{TempFile, TempDir} {
		if rest, ok := strings.CutPrefix(n, t); ok {
			chosen := m.temps[t]
			if chosen == "" {
				chosen = "unmade"
			}
			return chosen + rest
		}
	}
	if n == "." {
		return ""
	}
	return n
}

// well turns a check's answer into the program's course.
func well(goOn bool) error {
	if goOn {
		return nil
	}
	return errWell
}

func (m *Machine) do(o Op) error {
	a, b, s, f := m.name(o.A), m.name(o.B), m.Sys, o.Form
	switch o.Do {
	case IfThere:
		_, err := s.Stat(f, a, true)
		return well(err == nil)
	case IfAbsent:
		_, err := s.Stat(f, a, true)
		return well(errors.Is(err, fs.ErrNotExist))
	case IfLthere:
		_, err := s.Stat(f, a, false)
		return well(err == nil)
	case IfLabsent:
		_, err := s.Stat(f, a, false)
		return well(errors.Is(err, fs.ErrNotExist))
	case IfNoLink:
		i, err := s.Stat(f, a, false)
		return well(err == nil && i.Type != fs.ModeSymlink)
	case IfMine:
		i, err := s.Stat(f, a, false)
		return well(err == nil && mine(i))
	case IfMyDir:
		i, err := s.Stat(f, a, false)
		return well(err == nil && i.Type == fs.ModeDir && i.Mine)
	case IfLink:
		_, err := s.Readlink(f, a)
		return well(err == nil)
	case WriteFile:
		return s.WriteFile(f, a, victimData, o.Mode)
	case WriteNew:
		return m.write(o, Flags{Write: true, Create: true, Excl: true}, false)
	case WriteThere:
		return m.write(o, Flags{Write: true}, false)
	case Append:
		return m.write(o, Flags{Write: true, Append: true}, false)
	case WriteMine:
		return m.write(o, Flags{Write: true, NoFollow: true}, true)
	case ReadFile:
		_, err := s.ReadFile(f, a)
		return err
	case ReadMine:
		return m.readMine(f, a)
	case ReadDir:
		_, err := s.ReadDir(f, a)
		return err
	case Mkdir:
		return s.Mkdir(f, a, o.Mode)
	case MkdirAll:
		return s.MkdirAll(f, a, o.Mode)
	case CreateTemp:
		return m.choose(TempFile, func() (string, error) { return s.CreateTemp(f, a, victimData) })
	case MkdirTemp:
		return m.choose(TempDir, func() (string, error) { return s.MkdirTemp(f, a) })
	}
	return m.change(o, a, b)
}

// change is the rest of do.
func (m *Machine) change(o Op, a, b string) error {
	s, f := m.Sys, o.Form
	switch o.Do {
	case Unlink:
		return s.Unlink(f, a)
	case Rmdir:
		return s.Rmdir(f, a)
	case Remove:
		return s.Remove(f, a)
	case RemoveAll:
		return s.RemoveAll(f, a)
	case Rename:
		return s.Rename(f, a, b)
	case Move:
		return s.Move(f, a, b, false)
	case Exchange:
		return s.Move(f, a, b, true)
	case Link:
		return s.Link(f, a, b)
	case Symlink:
		return s.Symlink(f, base(a), b)
	case Chmod:
		return s.Chmod(f, a, o.Mode)
	case FChmod:
		file, err := s.Open(f, a, Flags{}, 0)
		if err != nil {
			return err
		}
		return errors.Join(file.Chmod(o.Mode), file.Close())
	case Chtimes:
		return s.Chtimes(f, a)
	case Truncate:
		return s.Truncate(f, a)
	case Chdir:
		return s.Chdir(f, a)
	case Exec:
		return s.Exec(f, a)
	case Setxattr:
		return s.Setxattr(f, a)
	}
	return errors.New("unknown operation " + string(o.Do))
}

func mine(i Info) bool { return i.Type == 0 && i.Mine && i.Links == 1 }

func (m *Machine) write(o Op, how Flags, check bool) error {
	f, err := m.Sys.Open(o.Form, m.name(o.A), how, o.Mode)
	if err != nil {
		return err
	}
	if check {
		if i, err := f.Stat(); err != nil || !mine(i) {
			return errors.Join(errNotMine, err, f.Close())
		}
	}
	return errors.Join(f.Write(victimData), f.Close())
}

func (m *Machine) readMine(form Form, name string) error {
	f, err := m.Sys.Open(form, name, Flags{NoFollow: true}, 0)
	if err != nil {
		return err
	}
	if i, err := f.Stat(); err != nil || !mine(i) {
		return errors.Join(errNotMine, err, f.Close())
	}
	_, err = f.Read()
	return errors.Join(err, f.Close())
}

func (m *Machine) choose(which string, call func() (string, error)) error {
	name, err := call()
	if err == nil {
		m.temps[which] = name
		m.chose[base(name)] = which
	}
	return err
}

// victimTime is what Chtimes sets.
var victimTime = time.Unix(1_500_000_000, 0)
