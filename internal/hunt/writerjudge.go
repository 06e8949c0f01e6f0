package hunt

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"syscall"

	"github.com/tmpproof/tmpproof/fsfake"
)

// JudgeFaults lets each call of a writer fail, alone and with all that come
// after it, and each write be cut, and returns the ids of the rules that broke.
// Nothing is said of one that always fails, or
// leaves no target.
func JudgeFaults(w *Writer) (rules []string, fails bool, err error) {
	return judgeWriter(w, func(calls int) []blow {
		var all []blow
		for at := range calls {
			all = append(all, blow{at: at, how: once}, blow{at: at, how: fromThere}, blow{at: at, how: cut}, blow{at: at, how: cutFromThere})
		}
		return all
	})
}

// JudgeKills ends a writer before each call, and by a panic where one can come.
func JudgeKills(w *Writer) (rules []string, fails bool, err error) {
	return judgeWriter(w, func(calls int) []blow {
		var all []blow
		for at := range calls {
			all = append(all, blow{at: at, how: killed}, blow{at: at, how: panicked})
		}
		return all
	})
}

// blow is what is done to a writer, and at which call; after it a second one,
// where the first has not kept the writer from success.
type blow struct {
	at   int
	how  how
	then *blow
}

type how uint8

const (
	spared       how = iota
	once             // the call fails
	fromThere        // it and all later ones fail
	cut              // the write writes half
	cutFromThere     // and all later calls fail
	killed
	panicked
)

// writerWorld is a disk with one run of a writer on it.
type writerWorld struct {
	blow
	disk   *fsfake.Disk
	god    *fsfake.FS
	victim *fsfake.FS

	calls, points int
	sites         []string // what each call was, and about which name
	dead          bool     // nothing comes to the disk any more
	struck        bool     // the blow was dealt
	closing       bool     // the close under way is to fail
	open          map[*fsfake.File]uint64
	called        map[uint64]string // the names that files had last
	dirty, lost   map[uint64]bool   // files whose data is not on the disk, or is no more
	tried         map[string]bool   // names whose removal was tried and failed
	next          string            // the call that the process was killed before: what it removes
}

const writerDir = "/dir"

// left is what a writer leaves.
type left struct {
	there   bool
	content string
	perm    fs.FileMode
	inode   uint64
}

func newWriterWorld(b blow) *writerWorld {
	d := fsfake.New(fsfake.Bare())
	w := &writerWorld{blow: b, disk: d, god: d.As(fsfake.User{}).Quiet(), victim: d.As(fsfake.User{UID: victimID, GID: victimID, Privileged: true}),
		open: map[*fsfake.File]uint64{}, called: map[uint64]string{}, dirty: map[uint64]bool{}, lost: map[uint64]bool{}, tried: map[string]bool{}}
	d.Hook(fsfake.Hook{Before: w.before, After: w.after})
	return w
}

var errBlow = syscall.EIO

// gone is what a killed writer's goroutine ends with.
type gone struct{}

func (w *writerWorld) before(op *fsfake.Op) error {
	if w.dead {
		return errBlow
	}
	at := w.calls
	w.calls++
	w.sites = append(w.sites, w.site(op))
	if w.then != nil && at == w.then.at && (op.Name == "write" || w.then.how == once || w.then.how == fromThere) {
		w.blow = *w.then
	}
	switch {
	case w.how == spared || w.how == panicked || at < w.at:
		return nil
	case at == w.at && (w.how == cut || w.how == cutFromThere):
		if op.Name == "write" && len(op.Data) > 1 {
			w.struck = true
			op.Shorten(len(op.Data) / 2)
		}
		return nil
	case at == w.at && w.how == killed:
		w.dead, w.struck = true, true
		if op.Name == "unlink" {
			w.next = path.Base(op.Path)
		}
		panic(gone{})
	case at == w.at:
		w.struck = true
	case w.how != fromThere && w.how != cutFromThere || !w.struck:
		return nil
	}
	if op.Name == "close" { // it closes all the same
		w.closing = true
		if ino := op.File.Inode(); w.dirty[ino] {
			w.lost[ino] = true
		}
		return nil
	}
	return errBlow
}

// site is a call, wherever in the run it comes.
func (w *writerWorld) site(op *fsfake.Op) string {
	if op.File != nil && op.Name != "open" {
		return op.Name + " " + w.called[op.File.Inode()]
	}
	return op.Name + " " + path.Base(op.Path)
}

func (w *writerWorld) after(op *fsfake.Op) {
	var inode uint64
	if op.File != nil {
		inode = op.File.Inode()
	}
	switch op.Name {
	case "open":
		if op.Err == nil {
			w.open[op.File], w.called[inode] = inode, path.Base(op.Path)
		}
	case "close":
		delete(w.open, op.File)
		if w.closing {
			op.Err, w.closing = errBlow, false
		}
	case "write":
		if op.N > 0 {
			w.dirty[inode] = true
		}
	case "fsync":
		if op.Err != nil && w.dirty[inode] {
			w.lost[inode] = true
		}
		w.dirty[inode] = w.dirty[inode] && op.Err != nil
	case "rename":
		for inode, name := range w.called {
			if op.Err == nil && name == path.Base(op.Path) && inode == w.look(path.Base(op.NewPath)).inode {
				w.called[inode] = path.Base(op.NewPath)
			}
		}
	case "unlink", "rmdir":
		if errors.Is(op.Err, errBlow) {
			w.tried[path.Base(op.Path)] = true
		}
	}
}

// run is one run.
func (w *writerWorld) run(p *Writer) (err error, ended bool) {
	r := &WriterRun{Dir: writerDir, FS: w.victim}
	if w.how == panicked {
		r.Point = func() {
			if w.points++; w.points == w.at+1 {
				w.struck = true
				panic(gone{})
			}
		}
	}
	defer func() {
		if v := recover(); v != nil {
			if _, ours := v.(gone); !ours {
				panic(v)
			}
			ended = true
		}
	}()
	return r.Run(p), false
}

func (w *writerWorld) look(name string) left {
	fi, found := w.god.Peek(writerDir + "/" + name)
	if !found {
		return left{}
	}
	data, _ := w.god.ReadFile(writerDir + "/" + name)
	return left{true, string(data), fi.Mode().Perm(), fi.Stat().Ino}
}

// opened are the names of what is open.
func (w *writerWorld) opened() []string {
	var names []string
	for _, inode := range w.open {
		names = append(names, w.called[inode])
	}
	return names
}

// names are what is in the directory.
func (w *writerWorld) names() []string {
	list, _ := w.god.ReadDir(writerDir)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func (w *writerWorld) prepare(p *Writer) error {
	err := errors.Join(w.god.Mkdir(writerDir, 0o700), w.god.Chmod(writerDir, 0o777|fs.ModeSticky))
	return errors.Join(err, (&WriterRun{Dir: writerDir, FS: w.god}).Prepare(p))
}

func judgeWriter(p *Writer, blows func(calls int) []blow) (rules []string, fails bool, err error) {
	calm := newWriterWorld(blow{})
	if err := calm.prepare(p); err != nil {
		return nil, false, err
	}
	before := calm.look(TargetName)
	if err, _ := calm.run(p); err != nil || !calm.look(TargetName).there {
		return nil, true, nil
	}
	j := &writerJudge{before: before, want: calm.look(TargetName), leaves: calm.names(), opens: calm.opened(), broken: map[string]bool{}}
	for _, b := range blows(calm.calls) {
		sites, err := j.try(p, b)
		if err != nil {
			return nil, false, err
		}
		// On another way to success, what no other way has is tried in turn.
		for at := b.at + 1; at < len(sites) && (b.how == once || b.how == cut); at++ {
			if slices.Contains(calm.sites, sites[at]) {
				continue
			}
			for _, how := range []how{once, fromThere, cut, cutFromThere} {
				two := b
				two.then = &blow{at: at, how: how}
				if _, err := j.try(p, two); err != nil {
					return nil, false, err
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(j.broken)), false, nil
}

// try judges a run, and returns the calls of one that came to success.
func (j *writerJudge) try(p *Writer, b blow) (sites []string, err error) {
	w := newWriterWorld(b)
	if err := w.prepare(p); err != nil {
		return nil, err
	}
	err, ended := w.run(p)
	if !w.struck {
		return nil, nil
	}
	j.judge(w, err, ended)
	if err != nil || ended {
		return nil, nil
	}
	return w.sites, nil
}

type writerJudge struct {
	before, want left
	leaves       []string // what an undisturbed run leaves
	opens        []string // and leaves open
	broken       map[string]bool
}

func (j *writerJudge) judge(w *writerWorld, err error, ended bool) {
	now := w.look(TargetName)
	success := err == nil && !ended
	switch {
	case success:
		if now.there != j.want.there || now.content != j.want.content || now.perm != j.want.perm {
			j.broken["X05"] = true
		}
		if now.there && w.lost[now.inode] {
			j.broken["X05"] = true
		}
	case now.there:
		if (!j.before.there || now.content != j.before.content) && (!j.want.there || now.content != j.want.content) {
			j.broken["X05"] = true
		}
	case j.before.there && j.want.there:
		j.broken["X05"] = true
	}
	for _, name := range w.names() {
		if name == TargetName || slices.Contains(j.leaves, name) {
			continue
		}
		j.behind(w, name, success)
	}
	for _, name := range w.opened() {
		if !ended && !slices.Contains(j.opens, name) {
			j.broken["R03"] = true
		}
	}
}

// behind judges a file that is left.
func (j *writerJudge) behind(w *writerWorld, name string, success bool) {
	switch w.how {
	case killed:
		if name != w.next {
			j.broken["R07"] = true
		}
	case panicked:
		j.broken["R06"] = true
	default:
		switch {
		case !w.tried[name]:
			j.broken["R05"] = true
		case success:
			j.broken["R11"] = true
		}
	}
	if (w.how == killed || w.how == panicked) && w.look(name).perm&0o077 != 0 {
		j.broken["C05"] = true
	}
}
