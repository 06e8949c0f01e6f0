package attack_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// lineTest is a victim with a finding at the line that has the row's name in a
// comment, and nowhere else.
type lineTest struct {
	name   string
	rule   rules.Rule
	by     verb
	victim attack.Victim
	opts   []attack.Option
}

var dirMoves = []attack.Option{attack.Moves(attack.Dir)}

var lineTests = []lineTest{{
	name: "listed, then looked at", rule: rules.X03, by: attack.Prove, opts: dirMoves,
	victim: func(s *attack.Scene) error {
		list, err := afero.ReadDir(s.FS, s.Path("in")) // at: listed, then looked at
		if err != nil {
			return absentIsFine(err)
		}
		for _, fi := range list {
			if _, err := s.FS.Stat(s.Path("in", fi.Name())); err != nil {
				return absentIsFine(err)
			}
		}
		return absentIsFine(second(s.FS.Stat(s.Path("in"))))
	},
}, {
	name: "read, then listed", rule: rules.X03, by: attack.Prove, opts: dirMoves,
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.Stat(s.Path("in")); err != nil {
			return absentIsFine(err)
		}
		_, err := afero.ReadDir(s.FS, s.Path("in")) // at: read, then listed
		return absentIsFine(err)
	},
}, {
	name: "made exclusively, and taken", rule: rules.X05, by: attack.Prove, opts: append(intoOut, attack.Moves(attack.File)),
	victim: func(s *attack.Scene) error {
		err := put(s.FS, s.Path("out"), newFile, 0o600, "x") // at: made exclusively, and taken
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return second(s.FS.Stat(s.Path("out")))
	},
}, {
	name: "found, and taken", rule: rules.X05, by: attack.Prove, opts: append(intoOut, attack.Moves(attack.File)),
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.Stat(s.Path("out")); err == nil { // at: found, and taken
			return second(s.FS.Stat(s.Path("out")))
		}
		return put(s.FS, s.Path("out"), newFile, 0o600, "x")
	},
}, {
	name: "MkdirAll", rule: rules.X06, by: attack.Prove, opts: append(intoOut, dirMoves...),
	victim: func(s *attack.Scene) error {
		if err := s.FS.MkdirAll(s.Path("out"), 0o700); err != nil { // at: MkdirAll
			return err
		}
		return put(s.FS, s.Path("out", "f"), newFile, 0o600, "x")
	},
}, {
	name: "a directory that is found", rule: rules.X06, by: attack.Prove, opts: append(intoOut, dirMoves...),
	victim: func(s *attack.Scene) error {
		if _, err := s.FS.Stat(s.Path("out")); err != nil { // at: a directory that is found
			if err := s.FS.Mkdir(s.Path("out"), 0o700); err != nil {
				return err
			}
		}
		return put(s.FS, s.Path("out", "f"), newFile, 0o600, "x")
	},
}, {
	name: "opened again", rule: rules.R03, by: attack.Faults,
	victim: func(s *attack.Scene) error {
		name, err := work(s)
		if err != nil {
			return errors.Join(err, absentIsFine(s.FS.RemoveAll(name)))
		}
		f, err := s.FS.Open(name) // at: opened again
		if err == nil {
			hold(f)
		}
		return errors.Join(err, s.FS.Remove(name))
	},
}, {
	name: "made, and closed where it was opened again", rule: rules.R03, by: attack.Faults,
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(unknown(s), newFile, 0o600) // at: made, and closed where it was opened again
		if err != nil {
			return err
		}
		hold(f)
		again, err := s.FS.Open(f.Name())
		if err == nil {
			err = again.Close()
		}
		return errors.Join(err, s.FS.Remove(f.Name()))
	},
}}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }

// markedLines are the lines of a file with "// at: name".
func markedLines(t *testing.T, file string) map[string]string {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := map[string]string{}
	for i, line := range strings.Split(string(b), "\n") {
		if _, name, ok := strings.Cut(line, "// at: "); ok {
			lines[name] = fmt.Sprintf("%s:%d", filepath.Base(file), i+1)
		}
	}
	return lines
}

// try finds the rule at the line, and at no other.
func (tt lineTest) try(t *testing.T, want string, where ...attack.Option) {
	r := tt.by(t, tt.victim, append(append(tt.opts[:len(tt.opts):len(tt.opts)], where...), attack.ReportOnly())...)
	var at []string
	for _, f := range r.Findings {
		if f.Rule == tt.rule {
			for part := range strings.SplitSeq(f.Line, " < ") {
				if strings.HasPrefix(part, "lines_test.go:") {
					at = append(at, part)
					break
				}
			}
		}
	}
	require.NotEmpty(t, at, texts(r))
	for _, line := range at {
		assert.Equal(t, want, line, texts(r))
	}
}

// TestFakeLines: a finding is at the line that did it.
func TestFakeLines(t *testing.T) {
	lines := markedLines(t, "lines_test.go")
	for _, tt := range lineTests {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.try(t, lines[tt.name], attack.Fake()) })
	}
}
