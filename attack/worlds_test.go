package attack_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// victimTest is a victim and the rules that must be found in it: those and no
// others. Each broken victim stands beside its nearest safe twin, for which
// the list is empty. One that works through Scene.FS can be tried on the
// system's disk and on a fake one.
type victimTest struct {
	name   string
	victim attack.Victim
	opts   []attack.Option
	want   string // rule ids, sorted
	slow   bool   // run with TMPPROOF_LONG=1
}

const (
	newFile = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	anyFile = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
)

// put writes a file through an afero.Fs.
func put(fsys afero.Fs, path string, flag int, perm fs.FileMode, data string) error {
	f, err := fsys.OpenFile(path, flag, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteString(data)
	return errors.Join(err, f.Close())
}

// work makes a temporary file with content.
func work(s *attack.Scene) (string, error) {
	f, err := afero.TempFile(s.FS, s.Dir, "work-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString("secret")
	return f.Name(), errors.Join(err, f.Close())
}

func unknown(s *attack.Scene) string { return s.Path("t" + rand.Text()) }

func exists(s *attack.Scene, path string) bool {
	_, err := s.FS.Stat(path)
	return err == nil
}

func lstat(s *attack.Scene, path string) (fs.FileInfo, error) {
	fi, _, err := s.FS.(afero.Lstater).LstatIfPossible(path)
	return fi, err
}

func absentIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func lookAndRemove(s *attack.Scene) error {
	fi, err := lstat(s, s.Path("cache"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !fi.IsDir() {
		return errors.New("not a directory")
	}
	return absentIsFine(s.FS.Remove(s.Path("cache", "kept")))
}

// upload is a folder of the attacker's with a link that leads to the victim's
// keys.
func upload(s *attack.Scene) error {
	keys := filepath.Join(s.Home, "keys")
	return errors.Join(s.FS.Mkdir(s.Path("up"), 0o777), s.FS.Mkdir(keys, 0o700),
		s.FS.(afero.Linker).SymlinkIfPossible(keys, s.Path("up", "sub")))
}

// parts writes files in goroutines of their own.
func parts(s *attack.Scene, dir string, flag int) error {
	errs := make([]error, 3)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			name := filepath.Join(dir, fmt.Sprintf("part-%d", i))
			if errs[i] = put(s.FS, name, flag, 0o600, "part"); errs[i] == nil {
				errs[i] = s.FS.Remove(name)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

var counter atomic.Int64

// TestFake attacks each victim on a fake disk, whatever the system.
func TestFake(t *testing.T) {
	for _, tt := range worldTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := attack.Prove(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Fake(), attack.ReportOnly())...)
			assert.Equal(t, tt.want, rulesOf(r), texts(r))
			assert.True(t, r.Complete, r.Problems)
		})
	}
}

func rulesOf(r *attack.Report) string {
	var ids []string
	for _, f := range r.Findings {
		ids = append(ids, f.Rule.ID())
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return strings.Join(ids, " ")
}

// texts is what a report prints.
func texts(r *attack.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.String())
		b.WriteString(f.Schedule + "\n")
	}
	return b.String()
}

// TestFakeSameText attacks each victim again and again, TMPPROOF_REPEAT times
// if that is set: the same words each time.
func TestFakeSameText(t *testing.T) {
	times := 3
	if v := os.Getenv("TMPPROOF_REPEAT"); v != "" {
		var err error
		times, err = strconv.Atoi(v)
		require.NoError(t, err)
	} else if sample.Short() {
		t.Skip("left out with -short")
	}
	for _, tt := range worldTests {
		t.Run(tt.name, func(t *testing.T) {
			first := ""
			for i := range times {
				r := attack.Prove(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Fake(), attack.ReportOnly())...)
				text := fmt.Sprintf("%d boundaries, %d schedules\n%s", r.Boundaries, r.Schedules, texts(r))
				if i == 0 {
					first = text
				}
				require.Equal(t, first, text, "run %d", i+1)
			}
		})
	}
}

// TestFakeFaults and TestFakeKills try each victim on a fake disk, whatever the
// system.
func TestFakeFaults(t *testing.T) {
	onFake(t, attack.Faults, slices.Concat(faultTests, promiseTests))
}

func TestFakeKills(t *testing.T) { onFake(t, attack.Kills, killTests) }

type verb = func(*testing.T, attack.Victim, ...attack.Option) *attack.Report

func onFake(t *testing.T, by verb, tests []victimTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && !attack.Long {
				t.Skip("takes seconds: run with TMPPROOF_LONG=1")
			}
			t.Parallel()
			r := by(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.Fake(), attack.ReportOnly())...)
			assert.Equal(t, tt.want, rulesOf(r), texts(r))
			assert.True(t, r.Complete, r.Problems)
		})
	}
}
