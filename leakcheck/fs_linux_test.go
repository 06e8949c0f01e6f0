package leakcheck

import (
	"fmt"
	"os"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/fsfake"
)

type recorder struct {
	testing.TB
	text     string
	failed   bool
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Name() string      { return "TestRecorded" }
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any) { r.failed, r.text = true, args[0].(string) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failed, r.text = true, fmt.Sprintf(format, args...)
}
func (r *recorder) Log(args ...any) { r.text = args[0].(string) }

func TestCheckFs(t *testing.T) {
	type row struct {
		name  string
		opts  []Option
		test  func(t *testing.T, fsys afero.Fs)
		fails bool
		has   string
	}
	create := func(t *testing.T, fsys afero.Fs) {
		f, err := afero.TempFile(fsys, "/tmp", "up-*.x")
		must(t, err)
		must(t, f.Close())
	}
	rows := []row{
		{"clean", nil, func(t *testing.T, fsys afero.Fs) {
			create(t, fsys)
			must(t, fsys.RemoveAll("/tmp"))
		}, false, ""},
		{"file", nil, create, true, `TestRecorded left "up-*.x"`},
		{"in the sources", nil, create, true, `the sources have "up-*.x" at fs_linux_test.go`},
		{"directory", nil, func(t *testing.T, fsys afero.Fs) {
			must(t, fsys.MkdirAll("/tmp/deep/er", 0o700))
			must(t, afero.WriteFile(fsys, "/tmp/deep/er/f", nil, 0o600))
		}, true, "deep: directory with 2 entries"},
		{"what was there", nil, func(t *testing.T, fsys afero.Fs) { must(t, fsys.MkdirAll("/tmp/before", 0o700)) }, false, ""},
		{"ignored", []Option{Ignore("up-*")}, create, false, ""},
		{"warning", []Option{Warn()}, create, false, `TestRecorded left "up-*.x"`},
		{"another directory", []Option{Dir("/other")}, create, false, ""},
		{"bad option", []Option{Ignore("[")}, create, true, "nothing can be checked: the pattern [ of Ignore"},
		{"no directory", []Option{Dir("/tmp/before/file")}, create, true, "nothing can be checked: "},
		{"the usual directory", []Option{Dir("")}, func(t *testing.T, fsys afero.Fs) {
			create(t, fsys) // elsewhere
			must(t, fsys.MkdirAll(os.TempDir(), 0o700))
			f, err := afero.TempFile(fsys, "", "usual-*")
			must(t, err)
			must(t, f.Close())
		}, true, `TestRecorded left "usual-*"`},
		{"directory that becomes a file", nil, func(t *testing.T, fsys afero.Fs) {
			must(t, fsys.RemoveAll("/tmp"))
			must(t, afero.WriteFile(fsys, "/tmp", nil, 0o600))
		}, true, "R01: "},
	}
	for name, disk := range map[string]func(t *testing.T) afero.Fs{
		"memory": func(*testing.T) afero.Fs { return fsfake.New().As(fsfake.User{}) },
		"os":     func(t *testing.T) afero.Fs { return afero.NewBasePathFs(afero.NewOsFs(), t.TempDir()) },
	} {
		for _, row := range rows {
			t.Run(name+", "+row.name, func(t *testing.T) {
				fsys := disk(t)
				must(t, fsys.MkdirAll("/tmp/before", 0o700))
				must(t, afero.WriteFile(fsys, "/tmp/before/file", nil, 0o600))
				r := &recorder{TB: t}
				CheckFs(r, fsys, append([]Option{Dir("/tmp")}, row.opts...)...)
				row.test(t, fsys)
				for _, f := range r.cleanups {
					f()
				}
				assert.Equal(t, row.fails, r.failed, r.text)
				if row.has == "" {
					assert.Empty(t, r.text)
				}
				assert.Contains(t, r.text, row.has)
			})
		}
	}
}
