package attack_test

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
	"golang.org/x/sys/unix"
)

// The matrix of means: for each kind of damage each means that the kernel has to
// do it, as a victim of its own. A cell is a call, the form in which it is given
// its path, and what the attacker has put at the name.

// place is a path in one of its forms: relative to a directory descriptor, and
// for calls that take none, alone.
type place struct {
	dir   int
	name  string // relative to dir
	alone string
	root  string // with RESOLVE_IN_ROOT, below dir; "" for a plain openat
}

type form struct {
	name  string
	place func(s *attack.Scene, dir int, rel string) place
}

// forms are the ways to name Dir/rel; dir is a descriptor of Dir.
var forms = []form{
	{"absolute", func(s *attack.Scene, _ int, rel string) place {
		return place{dir: unix.AT_FDCWD, name: s.Path(rel), alone: s.Path(rel)}
	}},
	{"working directory", func(s *attack.Scene, _ int, rel string) place {
		if err := os.Chdir(s.Dir); err != nil {
			panic(err)
		}
		return place{dir: unix.AT_FDCWD, name: rel, alone: rel}
	}},
	{"descriptor", func(_ *attack.Scene, dir int, rel string) place {
		return place{dir: dir, name: rel, alone: fmt.Sprintf("/proc/self/fd/%d/%s", dir, rel)}
	}},
	{"dots and slashes", func(s *attack.Scene, _ int, rel string) place {
		p := s.Dir + "/..//" + filepath.Base(s.Dir) + "/./" + rel
		return place{dir: unix.AT_FDCWD, name: p, alone: p}
	}},
	{"proc root", func(s *attack.Scene, _ int, rel string) place {
		p := "/proc/self/root" + s.Path(rel)
		return place{dir: unix.AT_FDCWD, name: p, alone: p}
	}},
	{"proc thread", func(s *attack.Scene, dir int, rel string) place {
		p := fmt.Sprintf("/proc/thread-self/fd/%d/%s", dir, rel)
		return place{dir: unix.AT_FDCWD, name: p, alone: p}
	}},
	{"in root", func(_ *attack.Scene, dir int, rel string) place {
		return place{dir: dir, name: rel, alone: fmt.Sprintf("/proc/self/fd/%d/%s", dir, rel), root: "/" + rel}
	}},
}

// open opens the place, in its form.
func (p place) open(flags int, mode uint32) (int, error) {
	flags |= unix.O_CLOEXEC
	if p.root == "" {
		return unix.Openat(p.dir, p.name, flags, mode)
	}
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_IN_ROOT}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode)
	}
	return unix.Openat2(p.dir, p.root, &how)
}

// opens is a means that works on an open file.
func opens(flags int, f func(fd int) error) func(s *attack.Scene, p place) error {
	return func(_ *attack.Scene, p place) error {
		fd, err := p.open(flags, 0o600)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return f(fd)
	}
}

// means is one way to do a kind of damage.
type means struct {
	damage string
	name   string
	rel    string // the path that it is given, below Dir
	plants []attack.Move
	want   string // the rule that is found broken
	opens  bool   // by an open in the form at hand
	do     func(s *attack.Scene, p place) error
	// reasons say why a form is not found, or cannot be; "" is for all forms.
	reasons map[string]string
}

// unsupported is what a kernel or a file system says that has no such call.
func unsupported(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTTY)
}

// noneThere is what a call says when nobody has put there what it wants.
func noneThere(err error) bool {
	for _, e := range []error{unix.ENOENT, unix.ENOTDIR, unix.EISDIR, unix.ELOOP, unix.ENXIO, unix.EINVAL, unix.ENOTEMPTY, unix.EXDEV, unix.EBADF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (m means) victim(f form) attack.Victim {
	return func(s *attack.Scene) error {
		dir, err := unix.Open(s.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		err = m.do(s, f.place(s, dir, m.rel))
		switch {
		case unsupported(err):
			panic(fmt.Sprintf("unsupported: %v", err))
		case noneThere(err):
			return nil
		}
		return err
	}
}

// meansCell is one cell.
type meansCell struct {
	means means
	form  form
	plant attack.Move
}

func (c meansCell) String() string {
	return c.means.damage + "/" + c.means.name + "/" + c.form.name + "/" + string(c.plant)
}

func (c meansCell) reason() string {
	if c.form.name == "in root" && c.plant == attack.Symlink && c.means.opens {
		return "no damage: below RESOLVE_IN_ROOT the link leads nowhere"
	}
	for _, key := range []string{c.form.name + " " + string(c.plant), c.form.name, string(c.plant), ""} {
		if r := c.means.reasons[key]; r != "" {
			return r
		}
	}
	return ""
}

func meansCells() (all []meansCell) {
	for _, m := range allMeans() {
		for _, f := range forms {
			for _, p := range m.plants {
				all = append(all, meansCell{m, f, p})
			}
		}
	}
	return all
}

// found says that the proof found the damage; why is that it could not be had.
func (c meansCell) found(t *testing.T) (found bool, why string) {
	r := attack.Prove(t, c.means.victim(c.form), attack.Moves(c.plant), attack.Depth(1), attack.Target("out"), attack.ReportOnly())
	for _, f := range r.Findings {
		if strings.Contains(f.Detail, "unsupported: ") {
			return false, f.Detail
		}
	}
	for _, f := range r.Findings {
		if f.Rule.ID() == c.means.want {
			return true, ""
		}
	}
	var said []string
	for _, f := range r.Findings {
		said = append(said, f.Rule.ID()+" "+f.Detail)
	}
	t.Logf("found %q, problems %q", said, r.Problems)
	return false, ""
}

const meansFile = "testdata/means.md"

// TestMeans: each cell is found, or has its written reason. A run takes every
// 27th, and TMPPROOF_LONG=1 all.
func TestMeans(t *testing.T) {
	cells := meansCells()
	require.GreaterOrEqual(t, len(cells), 1000)
	for range 3 {
		cells = sample.Third(cells, !attack.Long)
	}
	for _, c := range cells {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			found, why := c.found(t)
			switch {
			case why != "":
				t.Skip(why)
			case c.reason() != "":
				assert.False(t, found, "it is found, and has a reason why not: %s", c.reason())
			default:
				assert.True(t, found, "%s is not found", c.means.want)
			}
		})
	}
}

// TestMeansTable: the committed table is that of the cells.
func TestMeansTable(t *testing.T) {
	want := meansTable()
	if os.Getenv("TMPPROOF_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(meansFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(meansFile)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "TMPPROOF_UPDATE=1 go test -run '^TestMeansTable$' ./attack writes it anew")
}

func meansTable() string {
	var b strings.Builder
	cells := meansCells()
	not := 0
	for _, c := range cells {
		if c.reason() != "" {
			not++
		}
	}
	fmt.Fprintf(&b, `# The means to do damage

Written by %s. TestMeans holds each cell against attack.Prove: every 27th in an ordinary run, all with TMPPROOF_LONG=1.

A cell is a victim: one call (or an open and what is done with the descriptor), the form in which it names Dir/x, and the kind of thing
that the attacker has put there. %d cells; %d are found, and %d have a reason why they are not.

| damage | means | plants | rule | forms | not found |
|---|---|---|---|---|---|
`, "`TMPPROOF_UPDATE=1 go test -run '^TestMeansTable$' ./attack`", len(cells), len(cells)-not, not)
	for _, m := range allMeans() {
		var plants, notes []string
		for _, p := range m.plants {
			plants = append(plants, string(p))
		}
		n := 0
		for _, f := range forms {
			for _, p := range m.plants {
				c := meansCell{m, f, p}
				if r := c.reason(); r != "" {
					notes = append(notes, f.name+", "+string(p)+": "+r)
				} else {
					n++
				}
			}
		}
		if n == 0 && len(notes) > 0 {
			_, r, _ := strings.Cut(notes[0], ": ")
			notes = []string{"in any form: " + r}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d of %d | %s |\n", m.damage, m.name, strings.Join(plants, ", "), m.want, n, len(forms)*len(m.plants), strings.Join(notes, "; "))
	}
	return b.String()
}

// home makes a file in Home.
func home(s *attack.Scene, name, data string, mode uint32) (string, error) {
	p := path.Join(s.Home, name)
	return p, write(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, os.FileMode(mode), data)
}
