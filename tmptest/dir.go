package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Dir is a strict t.TempDir. It makes a directory for the test and returns its
// path, without symbolic links, and removes it when the test and its subtests
// are over.
//
// When it is handed out, the directory and its whole path are checked: the
// temporary root is absolute and exists (E01), root and ancestors belong to
// the user or to root (E03), nobody else can write them unless they are sticky
// (E04), links are trusted ones (E05), the directory itself has mode 0700
// under any umask (E06), the file system is local (E08), honours O_EXCL and
// modes (E09), and has room (E17), no access list opens it (E07), and a unix
// socket's name fits below it (E14). A rule of level [rules.Fail] that is broken
// ends the test with FailNow: there is no directory to work in.
//
// At the end of the test it is checked that the directory is the same object
// (U06) with the same mode (U04, E06), that nothing in it is open to others where
// they can come (C05: not in a directory of mode 0700), set-id (C04), somebody else's, or also linked from elsewhere (C15),
// no link leads out of it (U05), no descriptor is open in it (R03, C16; a
// unix socket that listens there is one), no process that still runs uses it
// (R13), nor is it the working directory of this one, the variables that name a
// temporary root are as they were (E13), and nobody still writes to it (R14).
// Then it is removed, also where directories are without write permission; a
// part that could not be removed is R11. Broken rules fail the test with
// Errorf; those of level [rules.Warn], and what could not be checked, are logged.
//
// The root is GOTMPDIR if that is set, as for t.TempDir, else os.TempDir. A
// test may remove the directory itself, but not put another in its place.
//
// What the system cannot check is listed in the package documentation.
func Dir(t testing.TB, opts ...Option) string {
	t.Helper()
	c, err := configure(verbDir, opts)
	if err != nil {
		t.Fatal(err)
	}
	h := handOut(t, c)
	t.Cleanup(h.finish)
	return h.path
}

// handout is a directory in the hands of a test.
type handout struct {
	t     testing.TB
	cfg   *config
	site  site
	path  string
	info  fs.FileInfo        // as it was handed out
	root  *os.Root           // open all the time, so that the inode is not used again
	dev   uint64             // see checkOpen
	mark  int64              // see childMark
	env   []string           // tempVariables, as they were
	extra func() []Violation // what is checked beyond a directory
}

// handOut makes and checks a directory, or ends the test.
func handOut(t testing.TB, c *config) *handout {
	t.Helper()
	h := &handout{t: t, cfg: c, site: callSite(3), mark: childMark(), env: environment()}
	path, found := c.makeDir(dirPattern(t.Name()))
	if path != "" {
		found = append(found, h.take(path)...)
	}
	failures, advice := split(tidy(append(found, uncheckedHere(path)...), c.allowed))
	if len(failures) > 0 || path == "" {
		gone := h.discard()
		if len(failures) == 0 { // allowed, but there is nothing to hand out
			failures = found
		}
		failures = append(failures, gone...)
		t.Fatalf("tmptest.%s: %s: no safe temporary directory for %s%s\n  again: %s",
			c.as, ids(failures), h.site, text(failures, ""), h.site.again(t.Name()))
	}
	h.advise(advice)
	return h
}

// take opens the directory at path and checks it.
func (h *handout) take(path string) []Violation {
	h.path = path
	info, found, err := checkLeaf(path)
	if err == nil {
		err = h.hold(path, info)
	}
	if err != nil {
		return append(found, Violation{Rule: rules.E06, Path: path, Detail: reason(err).Error()})
	}
	place, oneDev := h.cfg.checkPlace(path, statOf(info).dev, true)
	if oneDev {
		h.dev = statOf(info).dev
	}
	return append(found, place...)
}

// hold opens the directory and keeps it open.
func (h *handout) hold(path string, info fs.FileInfo) (err error) {
	h.path, h.info = path, info
	if h.root, err = os.OpenRoot(path); err != nil {
		return err
	}
	held.Store(path, struct{}{})
	opened, err := h.root.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("was replaced while it was being made")
	}
	return err
}

func (h *handout) release() {
	if h.root != nil {
		held.Delete(h.path)
		_ = h.root.Close() // nothing was written through it
	}
}

// discard removes a directory that is not handed out, or what is around one,
// and says what of it could not be removed.
func (h *handout) discard() (left []Violation) {
	if h.root != nil {
		left = removeTree(h.root, h.path, nil)
	}
	h.release()
	return left
}

func (h *handout) advise(advice []Violation) {
	h.t.Helper()
	if len(advice) > 0 {
		h.t.Logf("tmptest.%s: advice on the directory handed out at %s%s", h.cfg.as, h.site, text(advice, h.path))
	}
}

// finish checks the directory at the end of the test and removes it.
func (h *handout) finish() {
	h.t.Helper()
	defer h.release()
	found, intact := h.checkSame()
	if h.extra != nil {
		found = append(found, h.extra()...)
	}
	found = append(found, checkOpen(h.path, h.dev)...)
	if hadChildren(h.mark) {
		found = append(found, checkProcesses(h.path)...)
	}
	found = append(found, checkWorkingDir(h.path)...)
	found = append(found, checkEnvironment(h.env)...)
	if intact {
		found = append(found, h.checkContent(found)...)
	}
	h.report(found)
}

// checkContent looks at what is in the directory and removes it, unless it is
// to be kept. An empty directory is gone with one call.
func (h *handout) checkContent(before []Violation) []Violation {
	if !h.keeps(before) && !h.cfg.looksTwice() && removeEmpty(h.path) == nil {
		return checkGone(h.path)
	}
	dev := statOf(h.info).dev
	first := readTree(h.root, h.path, dev, true)
	found := first.check()
	if h.cfg.looksTwice() {
		h.cfg.wait()
		found = append(found, first.late(readTree(h.root, h.path, dev, true))...)
	}
	if h.keeps(slices.Concat(before, found)) {
		h.t.Logf("tmptest.%s: kept %s", h.cfg.as, h.path)
		return found
	}
	return append(found, removeTree(h.root, h.path, first)...)
}

// keeps reports whether the directory is to stay.
func (h *handout) keeps(found []Violation) bool {
	if !h.cfg.keep && os.Getenv("TMPPROOF_KEEP") != "1" {
		return false
	}
	failures, _ := split(tidy(slices.Clone(found), h.cfg.allowed))
	return h.t.Failed() || len(failures) > 0
}

// looksTwice: there are two full listings. Without, the removal itself is the
// second, and sees new names only.
func (c *config) looksTwice() bool { return c.settle > 0 || c.listings != nil }

// wait is the time between the two listings.
func (c *config) wait() {
	if c.listings != nil {
		c.listings()
	}
	if c.settle > 0 {
		time.Sleep(c.settle)
	}
}

// checkSame is U06, U04 and E06. The directory is intact if what the path
// names is what was handed out.
func (h *handout) checkSame() (found []Violation, intact bool) {
	named, err := os.Lstat(h.path)
	now, rerr := h.root.Stat(".")
	if errors.Is(rerr, fs.ErrPermission) && err == nil {
		// Without search permission "." is not found. The open root keeps the
		// inode from being used again, so the path will do.
		now, rerr = named, nil
		if !os.SameFile(named, h.info) {
			now = h.info
		}
	}
	if rerr != nil {
		return []Violation{{Rule: rules.U06, Path: h.path, Detail: "cannot be looked at: " + reason(rerr).Error()}}, false
	}
	found = h.checkMode(now)
	switch {
	case err == nil && os.SameFile(named, now):
		return found, true
	case err == nil:
		detail := "is another object than the one handed out, and is not removed: " + named.Mode().String()
		return append(found, Violation{Rule: rules.U06, Path: h.path, Detail: detail}), false
	case !errors.Is(err, fs.ErrNotExist):
		return append(found, Violation{Rule: rules.U06, Path: h.path, Detail: reason(err).Error()}), false
	case hasOwners && statOf(now).nlink > 0:
		return append(found, Violation{Rule: rules.U06, Path: h.path, Detail: "was renamed, and is not removed"}), false
	}
	return nil, false // removed by the test
}

// checkMode compares mode and owner with what was handed out.
func (h *handout) checkMode(now fs.FileInfo) []Violation {
	if !hasOwners {
		return nil
	}
	var found []Violation
	was, is := h.info.Mode(), now.Mode()
	switch {
	case accessBits(is)&^was.Perm() != 0:
		found = append(found, Violation{Rule: rules.U04, Path: h.path, Detail: fmt.Sprintf("was handed out with mode %s and now has %s", modeText(was), modeText(is))})
	case (was^is)&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		found = append(found, Violation{Rule: rules.E06, Path: h.path, Detail: "has mode " + modeText(is)})
	}
	if was, is := statOf(h.info).uid, statOf(now).uid; was != is {
		found = append(found, Violation{Rule: rules.E06, Path: h.path, Detail: fmt.Sprintf("now belongs to user %d", is)})
	}
	return found
}

func (h *handout) report(found []Violation) {
	h.t.Helper()
	failures, advice := split(tidy(found, h.cfg.allowed))
	h.advise(advice)
	if len(failures) > 0 {
		h.t.Errorf("tmptest.%s: %s: broken in the directory handed out at %s%s\n  again: %s",
			h.cfg.as, ids(failures), h.site, text(failures, h.path), h.site.again(h.t.Name()))
	}
}
