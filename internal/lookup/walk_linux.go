package lookup

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Path is a path argument of a stopped call.
type Path struct {
	Raw     string
	Dir     int    // descriptor of the thread, or unix.AT_FDCWD
	Follow  bool   // a symbolic link at the end is followed
	Resolve uint64 // RESOLVE_ flags of openat2
}

// Name is one name that the kernel looks up in a directory.
type Name struct {
	Dir  *Place // valid until the visit is over
	Name string
	// Found is what is there in the thread's view, a mount that covers the
	// entry included; nil for nothing.
	Found *Place
	// Last says that the end of the path is reached, as given or that of a
	// link which is followed: nothing is looked up below it.
	Last bool
	// Rest is what is still to be looked up below it.
	Rest string
}

// Walk resolves paths for one stopped thread.
type Walk struct {
	PID, TID int
	// Visit is called for each name that is looked up, in order. The first
	// name below what is no directory, where the kernel fails with ENOTDIR, is
	// told too, with nothing found.
	Visit func(*Name)
	// Jump is called when a magic link leads to an object without a name being
	// looked up; last as in Name.
	Jump func(to *Place, last bool)
	// Start is called with the directory in which the walk begins, and what is
	// to be looked up there.
	Start func(at *Place, rest string)
	// Plain says of a directory that was reached without a symbolic link that
	// no name on the way is of interest: the way is then taken in one step.
	// nil: every name is visited.
	Plain func(at *Place) bool
}

// Result is where a walk ends.
type Result struct {
	// End is the object, open; nothing when Err is set.
	End Place
	// Dir and Name are where the last name was looked up. Dir is nothing when
	// the path ends with "..", ".", or the root.
	Dir  Place
	Name string
	Err  error // as the kernel's
}

// Close closes what the result holds open.
func (r *Result) Close() {
	r.End.Close()
	r.Dir.Close()
}

// Exists reports whether the walk ends at an object.
func (r *Result) Exists() bool { return r.Err == nil }

// Missing reports whether nothing but the last name is missing: a call that
// creates makes it.
func (r *Result) Missing() bool { return r.Err == unix.ENOENT && r.Dir.FD() >= 0 }

const (
	maxLinks = 40 // MAXSYMLINKS
	scoped   = unix.RESOLVE_BENEATH | unix.RESOLVE_IN_ROOT
)

// walk is the state of one walk.
type walk struct {
	*Walk
	resolve uint64
	follow  bool
	cur     Place
	root    Place // of "/" and "..": opened when it is needed
	rest    []string
	links   int
	onlyDir bool // a slash follows the last name
	result  Result
}

// Resolve resolves a path. The result must be closed.
func (w *Walk) Resolve(p Path) Result {
	s := walk{Walk: w, resolve: p.Resolve, follow: p.Follow}
	err := s.start(p)
	if err == nil {
		err = s.run()
	}
	if err == nil && s.onlyDir && !s.cur.IsDir() {
		err = unix.ENOTDIR
	}
	if err != nil && err != unix.ENOENT {
		s.result.Dir.Close()
	}
	if s.result.Err = err; err == nil {
		s.result.End.take(&s.cur)
	}
	s.cur.Close()
	s.root.Close()
	return s.result
}

// start opens the directory in which the walk begins.
func (s *walk) start(p Path) (err error) {
	absolute := strings.HasPrefix(p.Raw, "/")
	switch {
	case p.Raw == "":
		return unix.ENOENT
	case absolute && s.resolve&unix.RESOLVE_BENEATH != 0:
		return unix.EXDEV
	case absolute && s.resolve&unix.RESOLVE_IN_ROOT == 0:
		if err := s.needRoot(); err != nil {
			return err
		}
		s.cur, err = s.root.dup()
	default:
		s.cur, err = Descriptor(s.TID, p.Dir)
	}
	if err == nil && s.resolve&scoped != 0 {
		s.root, err = s.cur.dup()
	}
	if err != nil {
		return err
	}
	if !s.cur.IsDir() {
		return unix.ENOTDIR
	}
	if s.Start != nil {
		s.Start(&s.cur, p.Raw)
	}
	s.rest = append(s.rest, p.Raw)
	if absolute && s.Plain != nil && s.resolve == 0 {
		s.hurry()
	}
	return nil
}

// Descriptor opens what a descriptor of a thread refers to, or with AT_FDCWD
// its working directory.
func Descriptor(tid, fd int) (Place, error) {
	if fd == unix.AT_FDCWD {
		return open(unix.AT_FDCWD, procOf(tid)+"/cwd", 0)
	}
	p, err := open(unix.AT_FDCWD, procOf(tid)+"/fd/"+itoa(fd), 0)
	if err == unix.ENOENT {
		err = unix.EBADF
	}
	return p, err
}

func (s *walk) needRoot() (err error) {
	if s.root.FD() < 0 {
		s.root, err = open(unix.AT_FDCWD, procOf(s.TID)+"/root", 0)
	}
	return err
}

// hurry takes the directories of an absolute path in one step, where no
// symbolic link is among them and nobody wants to know their names.
func (s *walk) hurry() {
	path := s.rest[0]
	i := strings.LastIndexByte(strings.TrimRight(path, "/"), '/')
	if i <= 0 || strings.Contains(path, "/..") {
		return
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(s.cur.fd, strings.TrimLeft(path[:i], "/"), &how)
	if err != nil {
		return // the walk finds out why
	}
	at, err := opened(fd)
	if err != nil {
		return
	}
	defer at.Close()
	if s.Plain(&at) {
		s.cur.take(&at)
		s.rest[0] = path[i+1:]
	}
}

// next takes the next name off the path; more says that another follows it.
func (s *walk) next() (name string, more bool) {
	for len(s.rest) > 0 {
		top := &s.rest[len(s.rest)-1]
		*top = strings.TrimLeft(*top, "/")
		if *top == "" {
			s.rest = s.rest[:len(s.rest)-1]
			continue
		}
		name, *top = cut(*top)
		for _, r := range s.rest {
			if strings.Trim(r, "/") != "" {
				more = true
			}
		}
		return name, more
	}
	return "", false
}

// cut parts a path after its first name. A slash that follows stays with the
// rest.
func cut(path string) (name, rest string) {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// remaining is the path below the name at hand.
func (s *walk) remaining() string {
	all := ""
	for i := len(s.rest) - 1; i >= 0; i-- {
		if r := strings.Trim(s.rest[i], "/"); r != "" {
			all = strings.TrimPrefix(all+"/"+r, "/")
		}
	}
	return all
}

// run takes the names of the path one by one.
func (s *walk) run() error {
	for {
		name, more := s.next()
		if name == "" {
			return nil
		}
		s.result.Dir.Close()
		for _, r := range s.rest {
			s.onlyDir = s.onlyDir || !more && r != "" // a slash follows
		}
		if !s.cur.IsDir() {
			if s.Visit != nil && name != "." && name != ".." {
				s.Visit(&Name{Dir: &s.cur, Name: name, Last: !more, Rest: s.remaining()})
			}
			return unix.ENOTDIR
		}
		var err error
		switch name {
		case ".":
			err = search(&s.cur)
		case "..":
			err = s.up()
		default:
			err = s.down(name, more)
		}
		if err != nil {
			return err
		}
	}
}

// search reports why names cannot be looked up in a directory.
func search(dir *Place) error {
	fd, err := openat(dir.fd, ".", unix.O_PATH|unix.O_CLOEXEC)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// up is "..": at the root it leads nowhere.
func (s *walk) up() error {
	if err := s.needRoot(); err != nil {
		return err
	}
	if s.cur.Same(&s.root.Object) {
		if err := search(&s.cur); err != nil || s.resolve&unix.RESOLVE_BENEATH == 0 {
			return err
		}
		return unix.EXDEV
	}
	to, err := open(s.cur.fd, "..", unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return s.enter(&to)
}

// enter goes on at another place, unless RESOLVE_NO_XDEV keeps it from there.
func (s *walk) enter(to *Place) error {
	if s.resolve&unix.RESOLVE_NO_XDEV != 0 && to.Mount != s.cur.Mount {
		to.Close()
		return unix.EXDEV
	}
	s.cur.take(to)
	return nil
}

// down looks a name up.
func (s *walk) down(name string, more bool) error {
	to, err := open(s.cur.fd, name, unix.O_NOFOLLOW)
	if err != nil && err != unix.ENOENT {
		return err
	}
	if s.Visit != nil {
		n := Name{Dir: &s.cur, Name: name, Last: !more, Rest: s.remaining()}
		if err == nil {
			n.Found = &to
		}
		s.Visit(&n)
	}
	if !more {
		s.result.Name = name
		if dir, derr := s.cur.dup(); derr == nil {
			s.result.Dir.take(&dir)
		}
	}
	switch {
	case err != nil:
		return err
	case s.resolve&unix.RESOLVE_NO_XDEV != 0 && to.Mount != s.cur.Mount:
		to.Close()
		return unix.EXDEV
	case to.IsLink() && (more || s.follow):
		defer to.Close()
		return s.link(name, &to)
	}
	s.cur.take(&to)
	return nil
}

// link goes on where a symbolic link leads.
func (s *walk) link(name string, link *Place) error {
	if s.links++; s.links > maxLinks || s.resolve&unix.RESOLVE_NO_SYMLINKS != 0 {
		return unix.ELOOP
	}
	magic, err := kindOf(&s.cur, name, link)
	switch {
	case err != nil:
		return err
	case magic == jumps:
		return s.jump(name)
	}
	target := ""
	if magic == text {
		target, err = readlink(link)
	} else {
		target, err = s.self(magic == ownThread)
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(target, "/") {
		// With RESOLVE_NO_XDEV the kernel takes a root that nothing has led to
		// yet for another mount (nd_jump_root in fs/namei.c).
		if s.resolve&unix.RESOLVE_BENEATH != 0 || s.resolve&unix.RESOLVE_NO_XDEV != 0 && s.root.FD() < 0 {
			return unix.EXDEV
		}
		if err := s.needRoot(); err != nil {
			return err
		}
		to, err := s.root.dup()
		if err == nil {
			err = s.enter(&to)
		}
		if err != nil {
			return err
		}
	}
	s.result.Dir.Close()
	s.rest = append(s.rest, target)
	return nil
}

// jump follows a magic link of /proc, which leads to an object and not to a
// name.
func (s *walk) jump(name string) error {
	if s.resolve&unix.RESOLVE_NO_MAGICLINKS != 0 {
		return unix.ELOOP
	}
	to, err := open(s.cur.fd, name, 0)
	if err != nil {
		return err
	}
	s.result.Dir.Close()
	if err := s.enter(&to); err != nil {
		return err
	}
	if s.resolve&scoped != 0 {
		return unix.EXDEV
	}
	if s.Jump != nil {
		s.Jump(&s.cur, s.remaining() == "")
	}
	return nil
}
