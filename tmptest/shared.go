package tmptest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// sharedName is the shared directory's name in its guarded parent.
const sharedName = "tmp"

// Shared makes a directory of mode 1777 for the test, as /tmp is, in a private
// parent with canaries beside it, and returns its path. TMPDIR, TMP, TEMP and
// GOTMPDIR name it until the test ends, so that the code under test uses it
// like any other temporary root; for that the test must be serial. In a
// parallel test Shared fails with the way out, which is [NoEnv].
//
// When it is handed out and at the end it is checked as [Dir] checks. In
// addition the canaries must be untouched (X01): a file and a directory with
// odd modes and old times that nothing but a link or a path with .. leads to.
// What is left behind is R01, unless it is a [Target], and its name is judged
// (C06): one that is made of process id, user, host or time alone is a name
// that somebody else could have been waiting at.
//
// Nobody attacks here; package attack does that.
func Shared(t testing.TB, opts ...Option) string {
	t.Helper()
	c, err := configure(verbShared, opts)
	if err != nil {
		t.Fatal(err)
	}
	if !c.noEnv {
		mustBeSerial(t, "Shared", "give it the option tmptest.NoEnv() and hand its path to the code under test")
	}
	h := handOut(t, c)
	s, err := newShared(h)
	if err != nil {
		t.Fatalf("tmptest.Shared: %v%s", err, text(h.discard(), h.path))
	}
	t.Cleanup(s.finish)
	if !c.noEnv {
		for _, name := range tempVariables {
			t.Setenv(name, s.h.path)
		}
	}
	return s.h.path
}

// tempVariables are the environment variables that name a temporary root.
var tempVariables = []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"}

// mustBeSerial ends a test that is parallel, or has a parallel parent. The
// testing package tells by the panic of Setenv, and keeps the test serial from
// then on.
func mustBeSerial(t testing.TB, verb, wayOut string) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := recover(); p != nil {
			t.Fatalf("tmptest.%s: %s is a parallel test, and this changes the whole process: %s, or leave out t.Parallel (%v)",
				verb, t.Name(), wayOut, p)
		}
	}()
	t.Setenv("TMPPROOF_SERIAL", "1")
}

// shared is a shared directory in the hands of a test: h is the directory
// itself, parent the private directory around it.
type shared struct {
	h        *handout
	parent   *handout
	canaries []canary
	start    time.Time
}

// newShared furnishes a private directory.
func newShared(parent *handout) (*shared, error) {
	s := &shared{parent: parent, start: time.Now()}
	dir := filepath.Join(parent.path, sharedName)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		return nil, err
	}
	s.h = &handout{t: parent.t, cfg: parent.cfg, site: parent.site, mark: parent.mark, dev: parent.dev}
	info, err := os.Lstat(dir)
	if err == nil {
		err = s.h.hold(dir, info)
	}
	if err != nil {
		return nil, err
	}
	s.h.extra = s.check
	s.canaries, err = plantCanaries(parent.path)
	return s, err
}

// finish checks and removes the shared directory, then what is around it.
func (s *shared) finish() {
	s.h.t.Helper()
	s.h.finish()
	if _, err := os.Lstat(s.h.path); err == nil && s.h.t.Failed() {
		s.parent.release() // kept, or in the way
		return
	}
	s.parent.report(s.parent.discard())
}

// check is what Shared checks beyond Dir.
func (s *shared) check() []Violation {
	found := checkCanaries(s.parent.path, s.canaries)
	judge := sync.OnceValue(func() nameJudge { return newNameJudge(s.h.t.Name(), s.start) })
	for _, e := range readTree(s.h.root, s.h.path, statOf(s.h.info).dev, false).entries {
		if path.Dir(e.rel) == "." && hasOwners && e.info.Mode()&fs.ModeSymlink == 0 && accessBits(e.info.Mode()) != 0 {
			found = append(found, Violation{Rule: rules.C03, Path: filepath.Join(s.h.path, e.rel), Detail: "has mode " + modeText(e.info.Mode()) + " where others can reach it"})
		}
		if s.isTarget(e.rel) {
			continue
		}
		found = append(found, Violation{Rule: rules.R01, Path: filepath.Join(s.h.path, e.rel), Detail: describe(e.info)})
		if path.Dir(e.rel) != "." {
			continue // out of reach unless its directory is open, which is C05
		}
		if made := judge().madeOf(path.Base(e.rel)); made != "" {
			found = append(found, Violation{Rule: rules.C06, Path: filepath.Join(s.h.path, e.rel), Detail: "is made of " + made})
		}
	}
	return found
}

// isTarget matches the entry and what it is in.
func (s *shared) isTarget(rel string) bool {
	for ; rel != "."; rel = path.Dir(rel) {
		if slices.ContainsFunc(s.h.cfg.targets, func(p string) bool { ok, _ := path.Match(p, rel); return ok }) {
			return true
		}
	}
	return false
}

// describe says what was left behind.
func describe(info fs.FileInfo) string {
	kind := "file"
	switch mode := info.Mode(); {
	case mode.IsDir():
		return fmt.Sprintf("was left behind: a directory, mode %s", modeText(mode))
	case mode&fs.ModeSymlink != 0:
		return "was left behind: a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		kind = "FIFO"
	case mode&fs.ModeSocket != 0:
		kind = "socket"
	}
	return fmt.Sprintf("was left behind: a %s of %d bytes, mode %s", kind, info.Size(), modeText(info.Mode()))
}

// canary is an entry that the code under test has no business with.
type canary struct {
	rel  string
	info fs.FileInfo
	data []byte
}

// canaryTime is long ago, so that a change of times shows.
var canaryTime = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// plantCanaries makes a file and a directory with odd modes and old times.
func plantCanaries(parent string) ([]canary, error) {
	plan := []struct {
		rel  string
		mode fs.FileMode
		data []byte
	}{
		{"canary", 0o740 | fs.ModeDir, nil},
		{"canary/file", 0o604, []byte("nothing to do with the test\n")},
		{"canary.txt", 0o640, []byte("not the test's either\n")},
	}
	var all []canary
	for _, p := range plan {
		name := filepath.Join(parent, p.rel)
		var err error
		if p.mode.IsDir() {
			err = os.Mkdir(name, 0o700)
		} else {
			err = os.WriteFile(name, p.data, 0o600)
		}
		if err == nil {
			err = os.Chmod(name, p.mode.Perm())
		}
		if err != nil {
			return nil, err
		}
		all = append(all, canary{rel: p.rel, data: p.data})
	}
	for i := range all { // after all is made, since that changes directories
		name := filepath.Join(parent, all[i].rel)
		if err := os.Chtimes(name, canaryTime, canaryTime); err != nil {
			return nil, err
		}
		info, err := os.Lstat(name)
		if err != nil {
			return nil, err
		}
		all[i].info = info
	}
	return all, nil
}

// checkCanaries is X01.
func checkCanaries(parent string, canaries []canary) []Violation {
	var found []Violation
	known := []string{sharedName}
	for _, c := range canaries {
		known = append(known, c.rel)
		if detail := c.changed(filepath.Join(parent, c.rel)); detail != "" {
			found = append(found, Violation{Rule: rules.X01, Path: filepath.Join(parent, c.rel), Detail: "is outside the shared directory and " + detail})
		}
	}
	for _, dir := range []string{".", "canary"} {
		entries, err := os.ReadDir(filepath.Join(parent, dir))
		if err != nil {
			continue // its canary says it
		}
		for _, e := range entries {
			if rel := path.Join(dir, e.Name()); !slices.Contains(known, rel) {
				found = append(found, Violation{Rule: rules.X01, Path: filepath.Join(parent, rel), Detail: "was made outside the shared directory"})
			}
		}
	}
	return found
}

// changed says how a canary differs from how it was planted.
func (c canary) changed(name string) string {
	info, err := os.Lstat(name)
	if err != nil {
		return "cannot be seen any more: " + reason(err).Error()
	}
	var changes []string
	if !os.SameFile(info, c.info) {
		return "is another object now"
	}
	if info.Mode() != c.info.Mode() {
		changes = append(changes, "has mode "+modeText(info.Mode()))
	}
	if was, is := statOf(c.info), statOf(info); was.uid != is.uid {
		changes = append(changes, fmt.Sprintf("belongs to user %d", is.uid))
	} else if was.nlink != is.nlink && !info.IsDir() {
		changes = append(changes, fmt.Sprintf("has %d links", is.nlink))
	}
	if !info.IsDir() {
		if data, err := os.ReadFile(name); err != nil || !bytes.Equal(data, c.data) {
			changes = append(changes, "was written")
		}
	}
	if len(changes) == 0 && !info.ModTime().Equal(c.info.ModTime()) {
		changes = append(changes, "had its times changed")
	}
	return strings.Join(changes, ", ")
}
