package attack_test

import (
	"errors"
	"os"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

var publicPage = []attack.Option{attack.Public("page.html")}

// publish writes a page for everybody. early is done before the content is
// written, late after it, each on the open temporary file.
func publish(s *attack.Scene, early, late func(afero.File) error) error {
	f, err := afero.TempFile(s.FS, s.Dir, "page-*")
	if err != nil {
		return err
	}
	if err := errors.Join(early(f), writeNew(f), late(f), f.Close()); err != nil {
		return errors.Join(err, s.FS.Remove(f.Name()))
	}
	if err := s.FS.Rename(f.Name(), s.Path("page.html")); err != nil {
		return errors.Join(err, s.FS.Remove(f.Name()))
	}
	return nil
}

func noWork(afero.File) error { return nil }

func mode(s *attack.Scene, perm os.FileMode) func(afero.File) error {
	return func(f afero.File) error { return s.FS.Chmod(f.Name(), perm) }
}

// publicTests: what others may read, what they may not, and what they may not
// write.
var publicTests = []victimTest{{
	name:   "a page for everybody, without the option",
	victim: func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o644)) },
	opts:   intoPage,
	want:   "X04",
}, {
	name:   "a page for everybody, when it is whole",
	victim: func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o644)) },
	opts:   publicPage,
}, {
	name:   "a page for everybody, before it is whole",
	victim: func(s *attack.Scene) error { return publish(s, mode(s, 0o644), noWork) },
	opts:   publicPage,
	want:   "X04",
}, {
	name:   "a page that others may change",
	victim: func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o666)) },
	opts:   publicPage,
	want:   "X04 X05 X09",
}, {
	name:   "a page that others may change, and reading allowed",
	victim: func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o666)) },
	opts:   append(intoPage, attack.Allow(rules.X04, "it is for everybody")),
	want:   "X05 X09",
}, {
	name:   "a page written in place",
	victim: func(s *attack.Scene) error { return put(s.FS, s.Path("page.html"), newFile, 0o644, "page") },
	opts:   publicPage,
	want:   "X04",
}, {
	name:   "a page for nobody else",
	victim: func(s *attack.Scene) error { return publish(s, noWork, noWork) },
	opts:   publicPage,
}, {
	name: "a key beside the page",
	victim: func(s *attack.Scene) error {
		if err := publish(s, noWork, mode(s, 0o644)); err != nil {
			return err
		}
		return publishAs(s, "key", 0o644)
	},
	opts: append(publicPage, attack.Target("key")),
	want: "X04",
}, {
	name: "a public directory with what is in it",
	victim: func(s *attack.Scene) error {
		return inDir(s, func(dir string) error {
			err := put(s.FS, dir+"/index.html", newFile, 0o644, "page")
			if err = errors.Join(err, s.FS.Chmod(dir, 0o755)); err == nil {
				err = s.FS.Rename(dir, s.Path("site"))
			}
			if err != nil {
				return errors.Join(err, s.FS.RemoveAll(dir))
			}
			return nil
		})
	},
	opts: []attack.Option{attack.Public("site")},
}, {
	name: "a page whose content varies",
	victim: func(s *attack.Scene) error {
		return publish(s, func(f afero.File) error { return writeRandom(f) }, mode(s, 0o644))
	},
	opts: publicPage,
}}

var intoPage = []attack.Option{attack.Target("page.html")}

// publishAs writes a file with that mode under a name of its own.
func publishAs(s *attack.Scene, name string, perm os.FileMode) error {
	f, err := afero.TempFile(s.FS, s.Dir, "file-*")
	if err != nil {
		return err
	}
	if err := errors.Join(writeNew(f), s.FS.Chmod(f.Name(), perm), f.Close(), s.FS.Rename(f.Name(), s.Path(name))); err != nil {
		return errors.Join(err, absentIsFine(s.FS.Remove(f.Name())))
	}
	return nil
}

// TestFakePublic: what may be public is told from what may not.
func TestFakePublic(t *testing.T) { onFake(t, attack.Prove, publicTests) }

// TestFakePublicKilled: nor is a whole page under its temporary name a danger
// when the process is killed.
func TestFakePublicKilled(t *testing.T) {
	victim := func(s *attack.Scene) error { return publish(s, noWork, mode(s, 0o644)) }
	r := attack.Kills(t, victim, append(publicPage, attack.Fake(), attack.ReportOnly())...)
	assert.Equal(t, "R06 R07", rulesOf(r), texts(r))
	r = attack.Kills(t, victim, append(intoPage, attack.Fake(), attack.ReportOnly())...)
	assert.Equal(t, "C05 R06 R07", rulesOf(r), texts(r))
}
