package hunt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Program is a victim: operations on names below a shared directory.
type Program struct {
	Before []string // what is there before: "d/" is a directory, "d/x" a file
	Ops    []Op
}

// Op is one operation.
type Op struct {
	Do   Verb
	Form Form
	A, B string // names below the directory; see TempFile
	Mode uint32
	Heed bool // an error ends the program, and is its result
}

// Verb is what an operation does. The checks end the program well where they
// do not find what they ask for.
type Verb string

// Verbs that look.
const (
	IfThere   Verb = "ifthere"   // stat
	IfAbsent  Verb = "ifabsent"  // stat
	IfLthere  Verb = "iflthere"  // lstat
	IfLabsent Verb = "iflabsent" // lstat
	IfNoLink  Verb = "ifnolink"  // lstat: it is there, and no symbolic link
	IfMine    Verb = "ifmine"    // lstat: a regular file of mine with one link
	IfMyDir   Verb = "ifmydir"   // lstat: a directory of mine
	IfLink    Verb = "iflink"    // readlink
)

// Verbs that act.
const (
	WriteFile  Verb = "writefile"  // os.WriteFile
	WriteNew   Verb = "writenew"   // O_CREATE|O_EXCL
	WriteThere Verb = "writethere" // O_WRONLY alone
	Append     Verb = "append"     // O_WRONLY|O_APPEND
	WriteMine  Verb = "writemine"  // O_WRONLY|O_NOFOLLOW, fstat, write
	ReadFile   Verb = "readfile"
	ReadMine   Verb = "readmine" // O_NOFOLLOW, fstat, read
	ReadDir    Verb = "readdir"
	Mkdir      Verb = "mkdir"
	MkdirAll   Verb = "mkdirall"
	CreateTemp Verb = "createtemp" // in A; its name is TempFile from then on
	MkdirTemp  Verb = "mkdirtemp"  // in A; its name is TempDir
	Unlink     Verb = "unlink"
	Rmdir      Verb = "rmdir"
	Remove     Verb = "remove"    // os.Remove
	RemoveAll  Verb = "removeall" // os.RemoveAll
	Rename     Verb = "rename"    // os.Rename
	Move       Verb = "move"      // rename(2), no look before it
	Exchange   Verb = "exchange"  // RENAME_EXCHANGE
	Link       Verb = "link"
	Symlink    Verb = "symlink" // B to what A says, relative
	Chmod      Verb = "chmod"
	FChmod     Verb = "fchmod" // open, fchmod
	Chtimes    Verb = "chtimes"
	Truncate   Verb = "truncate"
)

// Verbs that the fake disk cannot express.
const (
	Chdir    Verb = "chdir" // what has the form Relative begins there from then on
	Exec     Verb = "exec"
	Setxattr Verb = "setxattr"
)

// Form is how a path is given to the call.
type Form string

// Forms. All but Absolute and InRoot need a kernel.
const (
	Absolute Form = ""
	InRoot   Form = "root"    // os.OpenRoot of the directory
	Relative Form = "rel"     // to the working directory
	ByDir    Form = "dirfd"   // the last name in a descriptor of what is before it
	Openat2  Form = "inroot"  // openat2 with RESOLVE_IN_ROOT, O_PATH of the parent
	Beneath  Form = "beneath" // openat2 with RESOLVE_BENEATH
	ByProc   Form = "proc"    // /proc/self/fd/N/name
)

// Names of what the kernel chose.
const (
	TempFile = "$T"
	TempDir  = "$M"
)

// verb is what is known of a Verb.
type verb struct {
	do    Verb
	two   bool   // takes two names
	mode  uint32 // what it is usually given; 0 takes none
	check bool
	dir   bool // names a directory, usually
	rare  bool
	linux bool // no such thing on the fake disk
}

var verbs = []verb{
	{do: IfThere, check: true}, {do: IfAbsent, check: true}, {do: IfLthere, check: true}, {do: IfLabsent, check: true},
	{do: IfNoLink, check: true}, {do: IfMine, check: true}, {do: IfMyDir, check: true, dir: true}, {do: IfLink, check: true, rare: true},
	{do: WriteFile, mode: 0o600}, {do: WriteNew, mode: 0o600}, {do: WriteThere}, {do: Append}, {do: WriteMine},
	{do: ReadFile}, {do: ReadMine}, {do: ReadDir, dir: true},
	{do: Mkdir, mode: 0o700, dir: true}, {do: MkdirAll, mode: 0o700, dir: true}, {do: CreateTemp, dir: true}, {do: MkdirTemp, dir: true},
	{do: Unlink}, {do: Rmdir, dir: true}, {do: Remove}, {do: RemoveAll},
	{do: Rename, two: true}, {do: Move, two: true}, {do: Exchange, two: true}, {do: Link, two: true}, {do: Symlink, two: true},
	{do: Chmod, mode: 0o600}, {do: FChmod, mode: 0o600}, {do: Chtimes}, {do: Truncate},
	{do: Chdir, dir: true, linux: true}, {do: Exec, linux: true, rare: true}, {do: Setxattr, linux: true, rare: true},
}

func (v Verb) known() verb {
	if i := slices.IndexFunc(verbs, func(k verb) bool { return k.do == v }); i >= 0 {
		return verbs[i]
	}
	return verb{}
}

// String is the program as Parse reads it: "d/ d/x | mkdir! a 700; chmod d/x 600".
// An exclamation mark is an error that is heeded, and "chmod:dirfd" a form.
func (p *Program) String() string {
	var ops []string
	for _, o := range p.Ops {
		ops = append(ops, o.String())
	}
	return strings.Join(p.Before, " ") + " | " + strings.Join(ops, "; ")
}

// String is the operation in the text form that Parse reads.
func (o Op) String() string {
	s := string(o.Do)
	if o.Form != Absolute {
		s += ":" + string(o.Form)
	}
	if o.Heed {
		s += "!"
	}
	s += " " + o.A
	if o.B != "" {
		s += " " + o.B
	}
	if o.Mode != 0 {
		s += " " + strconv.FormatUint(uint64(o.Mode), 8)
	}
	return s
}

// Parse reads what String wrote.
func Parse(text string) (*Program, error) {
	before, ops, ok := strings.Cut(text, "|")
	if !ok {
		return nil, fmt.Errorf("program %q: no \"|\" between what is there before and the operations", text)
	}
	p := &Program{Before: strings.Fields(before)}
	for part := range strings.SplitSeq(ops, ";") {
		o, err := parseOp(strings.Fields(part))
		if err != nil {
			return nil, fmt.Errorf("program %q: %w", text, err)
		}
		p.Ops = append(p.Ops, o)
	}
	return p, nil
}

func parseOp(f []string) (Op, error) {
	if len(f) < 2 {
		return Op{}, fmt.Errorf("operation %q: not of the form verb[:form][!] name [name] [mode]", strings.Join(f, " "))
	}
	var o Op
	head, heed := strings.CutSuffix(f[0], "!")
	do, form, _ := strings.Cut(head, ":")
	o.Do, o.Form, o.Heed, o.A = Verb(do), Form(form), heed, f[1]
	k := o.Do.known()
	want := 2
	if k.two {
		want++
	}
	if k.mode != 0 {
		want++
	}
	if k.do == "" || len(f) != want {
		return Op{}, fmt.Errorf("operation %q: unknown, or not %d words", strings.Join(f, " "), want)
	}
	if k.two {
		o.B = f[2]
	}
	if k.mode != 0 {
		mode, err := strconv.ParseUint(f[len(f)-1], 8, 32)
		if err != nil {
			return Op{}, fmt.Errorf("operation %q: %w", strings.Join(f, " "), err)
		}
		o.Mode = uint32(mode)
	}
	return o, nil
}

// Names are all that the program uses and their parents, sorted.
func (p *Program) Names() []string {
	all := map[string]bool{}
	add := func(name string) {
		for name != "" && name != "." {
			all[name] = true
			name = parent(name)
		}
	}
	for _, b := range p.Before {
		add(strings.TrimSuffix(b, "/"))
	}
	for _, o := range p.Ops {
		switch o.Do {
		case CreateTemp:
			add(TempFile)
		case MkdirTemp:
			add(TempDir)
		}
		if o.Do != Symlink {
			add(o.A)
		}
		add(o.B)
	}
	for _, o := range p.Ops {
		if o.Do != Symlink {
			continue
		}
		// Where the link leads, and what is looked up behind it.
		to := strings.TrimPrefix(parent(o.B)+"/"+base(o.A), "/")
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if rest, ok := strings.CutPrefix(name, o.B+"/"); ok {
				add(to + "/" + rest)
			}
		}
		add(to)
	}
	return slices.Sorted(maps.Keys(all))
}

// bases are the last names of the program's names.
func (p *Program) bases() []string {
	all := map[string]bool{}
	for _, n := range p.Names() {
		if b := base(n); !strings.HasPrefix(b, "$") {
			all[b] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// Linux reports whether the program needs a kernel: the fake disk has no
// working directory, programs or attributes.
func (p *Program) Linux() bool {
	return slices.ContainsFunc(p.Ops, func(o Op) bool { return o.Do.known().linux || o.Form != Absolute && o.Form != InRoot })
}
