//go:build unix

package tmptest_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// TestDirByRoot hands out directories in temporary roots good and bad: each
// gives a sound directory, or one clear error and nothing left behind.
func TestDirByRoot(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, base string) (variable, value string)
		want    string // in the one error; none: a sound directory
		skip    func() string
	}{
		"GOTMPDIR before TMPDIR": {prepare: func(t *testing.T, base string) (string, string) {
			t.Setenv("TMPDIR", "/nowhere")
			return "GOTMPDIR", base
		}},
		"TMPDIR":       {prepare: func(_ *testing.T, base string) (string, string) { return "TMPDIR", base }},
		"TMPDIR unset": {prepare: func(*testing.T, string) (string, string) { return "TMPDIR", "" }},
		"trailing dots": {prepare: func(_ *testing.T, base string) (string, string) {
			return "TMPDIR", base + "/.././" + filepath.Base(base) + "/"
		}},
		"a link": {prepare: func(t *testing.T, base string) (string, string) {
			require.NoError(t, os.Mkdir(base+"/real", 0o700))
			require.NoError(t, os.Symlink("real", base+"/link"))
			return "TMPDIR", base + "/link"
		}},
		"a name with spaces and quotes": {prepare: func(t *testing.T, base string) (string, string) {
			dir := base + "/a 'b\" \n\xff"
			require.NoError(t, os.Mkdir(dir, 0o700))
			return "TMPDIR", dir
		}},
		"relative": {
			prepare: func(*testing.T, string) (string, string) { return "TMPDIR", "some/where" },
			want:    `"some/where" is not an absolute path (the temporary root, from os.TempDir)`,
		},
		"missing": {
			prepare: func(_ *testing.T, base string) (string, string) { return "TMPDIR", base + "/none" },
			want:    "no such file or directory (the temporary root, from os.TempDir)",
		},
		"a file": {
			prepare: func(t *testing.T, base string) (string, string) {
				require.NoError(t, os.WriteFile(base+"/file", nil, 0o600))
				return "GOTMPDIR", base + "/file"
			},
			want: "is not a directory (the temporary root, from GOTMPDIR)",
		},
		"others may write": {
			prepare: func(t *testing.T, base string) (string, string) {
				require.NoError(t, os.Mkdir(base+"/open", 0o700))
				require.NoError(t, os.Chmod(base+"/open", 0o777))
				return "TMPDIR", base + "/open"
			},
			want: "/open\" has mode 0777",
		},
		"a dangling link": {
			prepare: func(t *testing.T, base string) (string, string) {
				require.NoError(t, os.Symlink("none", base+"/link"))
				return "TMPDIR", base + "/link"
			},
			want: "no such file or directory",
		},
		"a loop": {
			prepare: func(t *testing.T, base string) (string, string) {
				require.NoError(t, os.Symlink("link", base+"/link"))
				return "TMPDIR", base + "/link"
			},
			want: "is link number 6",
		},
		"read-only": {
			prepare: func(t *testing.T, base string) (string, string) {
				require.NoError(t, os.Mkdir(base+"/ro", 0o500))
				return "TMPDIR", base + "/ro"
			},
			want: "no directory can be made in it: permission denied",
			skip: func() string {
				if os.Geteuid() == 0 {
					return "root needs no write permission; see TestMounts"
				}
				return ""
			},
		},
		"not searchable": {
			prepare: func(t *testing.T, base string) (string, string) {
				require.NoError(t, os.MkdirAll(base+"/dark/in", 0o700))
				require.NoError(t, os.Chmod(base+"/dark", 0o600))
				t.Cleanup(func() { assert.NoError(t, os.Chmod(base+"/dark", 0o700)) })
				return "TMPDIR", base + "/dark/in"
			},
			want: "permission denied",
			skip: func() string {
				if os.Geteuid() == 0 {
					return "root needs no search permission"
				}
				return ""
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.skip != nil && tt.skip() != "" {
				t.Skip(tt.skip())
			}
			base := t.TempDir()
			t.Setenv("GOTMPDIR", "")
			variable, value := tt.prepare(t, base)
			t.Setenv(variable, value)
			before := list(t, base)
			var dir string
			r := observe(t, func(tb testing.TB) {
				dir = tmptest.Dir(tb)
				require.NoError(tb, os.WriteFile(dir+"/file", nil, 0o600))
			})
			assert.Equal(t, before, list(t, base), "nothing is left behind")
			if tt.want == "" {
				assert.Empty(t, r.errors)
				resolved, err := filepath.EvalSymlinks(filepath.Dir(dir))
				require.NoError(t, err)
				assert.Equal(t, filepath.Join(resolved, filepath.Base(dir)), dir, "no link is in it")
				return
			}
			assert.Empty(t, dir)
			require.Len(t, r.errors, 1, r.text())
			assert.Contains(t, r.errors[0], tt.want)
		})
	}
}

// list is what is below a directory.
func list(t *testing.T, dir string) []string {
	var names []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		if os.IsPermission(err) {
			return nil
		}
		return err
	}))
	return names
}

func TestDirByTestName(t *testing.T) {
	for _, name := range []string{
		"", "plain", "a/b", "..", "-rf", "with space", "tab\tnul\x00", "*?[]", "ünïcödé", "日本語", "quote'\"`$(x)",
		strings.Repeat("long", 100), strings.Repeat("日", 100), "%s%d", `back\slash`, "#01", "~", "\xff\xfe",
	} {
		t.Run(name, func(t *testing.T) {
			dir := tmptest.Dir(t)
			base := filepath.Base(dir)
			assert.LessOrEqual(t, len(base), 16+1+10)
			assert.Regexp(t, `^[A-Za-z0-9_]+-[0-9]+$`, base)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
		})
	}
}

func TestDirInParallel(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]bool)
	t.Run("group", func(t *testing.T) {
		for range 40 {
			t.Run("same name", func(t *testing.T) {
				t.Parallel()
				for range 5 {
					dir := tmptest.Dir(t)
					mu.Lock()
					seen[dir] = true
					mu.Unlock()
					f, err := os.Create(filepath.Join(dir, "f"))
					require.NoError(t, err)
					require.NoError(t, f.Chmod(0o600))
					require.NoError(t, f.Close())
				}
			})
		}
	})
	assert.Len(t, seen, 200)
	for dir := range seen {
		assert.NoDirExists(t, dir)
	}
}

func TestDirInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tmptest.Dir(t, tmptest.Settle(time.Minute)) // no time passes
		go func() { assert.NoError(t, os.WriteFile(dir+"/f", nil, 0o600)) }()
		synctest.Wait()
	})
}

func TestDirIsEndedByFailNow(t *testing.T) {
	var dir string
	r := observe(t, func(tb testing.TB) {
		dir = tmptest.Dir(tb)
		tb.FailNow()
	})
	assert.Empty(t, r.errors)
	assert.NoDirExists(t, dir)
}

// TestUmasks: the umask takes nothing from what is handed out, and adds
// nothing.
func TestUmasks(t *testing.T) {
	for _, mask := range []fs.FileMode{0, 0o022, 0o077, 0o177, 0o777} {
		t.Run(fmt.Sprintf("%04o", mask), func(t *testing.T) {
			root := tmptest.Dir(t)
			tmptest.Umask(t, mask)
			tmptest.Mode(t, tmptest.Dir(t, tmptest.In(root)), 0o700|fs.ModeDir)
			tmptest.Mode(t, tmptest.File(t, tmptest.In(root)).Name(), 0o600)
			tmptest.Mode(t, tmptest.Shared(t, tmptest.In(root)), 0o777|fs.ModeSticky|fs.ModeDir)
		})
	}
	t.Run("set-group-id parent", func(t *testing.T) {
		root := tmptest.Dir(t, tmptest.Allow(rules.E06, "the set-group-id bit is set here"))
		require.NoError(t, os.Chmod(root, 0o700|fs.ModeSetgid))
		tmptest.Mode(t, tmptest.Dir(t, tmptest.In(root)), 0o700)
	})
	t.Run("no umask", func(t *testing.T) {
		r := observe(t, func(tb testing.TB) { tmptest.Umask(tb, 0o1000) })
		assert.Contains(t, r.text(), "is no umask")
	})
}

// TestDirRemoves: what a test leaves goes, whatever its modes.
func TestDirRemoves(t *testing.T) {
	tests := map[string]func(t testing.TB, dir string){
		"nothing":       func(testing.TB, string) {},
		"removed by it": func(t testing.TB, dir string) { require.NoError(t, os.Remove(dir)) },
		"read-only tree, as the module cache": func(t testing.TB, dir string) {
			require.NoError(t, os.MkdirAll(dir+"/a/b/c", 0o700))
			for _, d := range []string{"/a/b/c", "/a/b", "/a"} {
				require.NoError(t, os.WriteFile(dir+d+"/f", nil, 0o400))
				require.NoError(t, os.Chmod(dir+d, 0o500))
			}
		},
		"directories of mode 0": func(t testing.TB, dir string) {
			require.NoError(t, os.MkdirAll(dir+"/a/b", 0o700))
			require.NoError(t, os.WriteFile(dir+"/a/b/f", nil, 0))
			require.NoError(t, os.Chmod(dir+"/a/b", 0))
			require.NoError(t, os.Chmod(dir+"/a", 0))
		},
		"itself of mode 0": func(t testing.TB, dir string) {
			require.NoError(t, os.Mkdir(dir+"/a", 0o700))
			require.NoError(t, os.Chmod(dir, 0))
		},
		"odd names": func(t testing.TB, dir string) {
			for _, name := range []string{"-rf", "a b", "\n", "\xff", "...", strings.Repeat("n", 255), "*"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
			}
		},
		"FIFO, socket and links": func(t testing.TB, dir string) {
			require.NoError(t, unix.Mkfifo(dir+"/fifo", 0o600))
			require.NoError(t, os.Symlink("fifo", dir+"/link"))
			require.NoError(t, os.Symlink("none", dir+"/dangling"))
			require.NoError(t, os.Symlink("loop", dir+"/loop"))
		},
		"deeper than PATH_MAX": func(t testing.TB, dir string) {
			root, err := os.OpenRoot(dir)
			require.NoError(t, err)
			for range 40 {
				name := strings.Repeat("d", 200)
				require.NoError(t, root.Mkdir(name, 0o700))
				next, err := root.OpenRoot(name)
				require.NoError(t, err)
				require.NoError(t, root.Close())
				root = next
			}
			require.NoError(t, root.Close())
		},
		"many": func(t testing.TB, dir string) {
			for i := range 500 {
				require.NoError(t, os.WriteFile(fmt.Sprint(dir, "/", i), nil, 0o600))
			}
		},
	}
	for name, leave := range tests {
		t.Run(name, func(t *testing.T) {
			var dir string
			r := observe(t, func(tb testing.TB) {
				dir = tmptest.Dir(tb)
				leave(tb, dir)
			})
			assert.Empty(t, r.errors)
			_, err := os.Lstat(dir)
			assert.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

// TestDirRemovesNothingOutside: links in the directory lead nowhere, also when
// directories on the way have to be opened up.
func TestDirRemovesNothingOutside(t *testing.T) {
	outside := t.TempDir()
	require.NoError(t, os.Mkdir(outside+"/sub", 0o500))
	require.NoError(t, os.WriteFile(outside+"/file", []byte("content"), 0o440))
	before := listModes(t, outside)
	r := observe(t, func(tb testing.TB) {
		dir := tmptest.Dir(tb)
		require.NoError(tb, os.Mkdir(dir+"/in", 0o700))
		require.NoError(tb, os.Symlink(outside, dir+"/in/absolute"))
		rel, err := filepath.Rel(dir+"/in", outside)
		require.NoError(tb, err)
		require.NoError(tb, os.Symlink(rel, dir+"/in/relative"))
		require.NoError(tb, os.Symlink(outside+"/file", dir+"/file"))
		require.NoError(tb, os.Chmod(dir+"/in", 0o500))
	})
	assert.Equal(t, []string{"U05"}, r.broken())
	assert.Equal(t, before, listModes(t, outside))
	require.NoError(t, os.Chmod(outside+"/sub", 0o700))
}

func listModes(t *testing.T, dir string) []string {
	var all []string
	for _, path := range list(t, dir) {
		info, err := os.Lstat(path)
		require.NoError(t, err)
		all = append(all, fmt.Sprint(path, info.Mode(), info.ModTime()))
	}
	return all
}

func TestKeep(t *testing.T) {
	for name, tt := range map[string]struct {
		env  string
		opts []tmptest.Option
		fail bool
		want bool
	}{
		"failed":                     {opts: []tmptest.Option{tmptest.Keep()}, fail: true, want: true},
		"passed":                     {opts: []tmptest.Option{tmptest.Keep()}},
		"failed, not asked for":      {fail: true},
		"failed, by the environment": {env: "1", fail: true, want: true},
		"passed, by the environment": {env: "1"},
	} {
		for verb, hand := range map[string]func(testing.TB, ...tmptest.Option) string{
			"Dir": tmptest.Dir, "Shared": tmptest.Shared,
			"File": func(tb testing.TB, opts ...tmptest.Option) string {
				return filepath.Dir(tmptest.File(tb, opts...).Name())
			},
		} {
			t.Run(verb+" "+name, func(t *testing.T) {
				t.Setenv("TMPPROOF_KEEP", tt.env)
				base := t.TempDir()
				var dir string
				r := observe(t, func(tb testing.TB) {
					dir = hand(tb, append(tt.opts, tmptest.In(base))...)
					if tt.fail {
						tb.Error("failed")
					}
				})
				if !tt.want {
					assert.Equal(t, []string{base}, list(t, base))
					return
				}
				assert.DirExists(t, dir)
				assert.Contains(t, r.logs, fmt.Sprintf("tmptest.%s: kept %s", verb, dir))
			})
		}
	}
	t.Run("for what it finds itself", func(t *testing.T) {
		var dir string
		base := t.TempDir()
		observe(t, func(tb testing.TB) {
			dir = tmptest.Dir(tb, tmptest.Keep(), tmptest.In(base))
			require.NoError(tb, os.WriteFile(dir+"/f", nil, 0o600))
			require.NoError(tb, os.Chmod(dir+"/f", 0o700|fs.ModeSetuid))
		})
		assert.FileExists(t, dir+"/f")
	})
}

func TestOptionErrors(t *testing.T) {
	for want, hand := range map[string]func(tb testing.TB){
		"tmptest.Dir: option Target means nothing to Dir: it is for Shared": func(tb testing.TB) { tmptest.Dir(tb, tmptest.Target("x")) },
		"tmptest.Dir: option Process means nothing to Dir: it is for Audit": func(tb testing.TB) { tmptest.Dir(tb, tmptest.Process()) },
		"tmptest.File: an option is nil: leave it out":                      func(tb testing.TB) { tmptest.File(tb, nil) },
		"Allow(C05) has no reason":                                          func(tb testing.TB) { tmptest.Dir(tb, tmptest.Allow(rules.C05, " ")) },
		`Target("["): syntax error in pattern`:                              func(tb testing.TB) { tmptest.Shared(tb, tmptest.Target("[")) },
		`In("") names no directory`:                                         func(tb testing.TB) { tmptest.Dir(tb, tmptest.In("")) },
		"Settle(-1ns) is not between 0 and a minute":                        func(tb testing.TB) { tmptest.Dir(tb, tmptest.Settle(-1)) },
		"pattern contains path separator":                                   func(tb testing.TB) { tmptest.File(tb, tmptest.Pattern("a/b")) },
	} {
		t.Run(want, func(t *testing.T) {
			r := observe(t, hand)
			require.Len(t, r.errors, 1)
			assert.Contains(t, r.errors[0], want)
		})
	}
	_, err := tmptest.Audit(t.TempDir(), tmptest.Keep())
	assert.ErrorContains(t, err, "option Keep means nothing to Audit: it is for Dir, Shared, File")
	_, err = tmptest.Audit(t.TempDir() + "/none")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// TestFailureText: the whole text of a failure, the same each time.
func TestFailureText(t *testing.T) {
	once := func() string {
		r := observe(t, func(tb testing.TB) {
			dir := tmptest.Dir(tb, tmptest.Allow(rules.U05, "links are the point here"))
			for i := range 12 {
				write(tb, fmt.Sprintf("%s/f%02d\n", dir, i), 0o644)
			}
			require.NoError(tb, os.Symlink("/etc", dir+"/etc"))
			require.NoError(tb, os.Chmod(dir, 0o755))
		})
		require.Len(t, r.errors, 1)
		return r.errors[0]
	}
	text := once()
	assert.Regexp(t, `^tmptest\.Dir: C05, U04: broken in the directory handed out at dir_test\.go:\d+\n`, text)
	_, rest, _ := strings.Cut(text, "\n")
	want := `  C05 nothing below the temporary root that group or others can reach gives them any access (CWE-732)
      "f00\n" has mode 0644
      "f01\n" has mode 0644
      "f02\n" has mode 0644
      "f03\n" has mode 0644
      "f04\n" has mode 0644
      "f05\n" has mode 0644
      "f06\n" has mode 0644
      "f07\n" has mode 0644
      "f08\n" has mode 0644
      "f09\n" has mode 0644
      and 2 more
    fix: pass 0o600 for files and 0o700 for directories, also when extracting or copying
  U04 permissions are never widened during the life of a temporary file or directory (CWE-732)
      "." was handed out with mode 0700 and now has 0755
    fix: leave the mode at 0o600 or 0o700; write the final file with its final mode instead
  again: go test -run '^TestFailureText$' github.com/tmpproof/tmpproof/tmptest`
	assert.Equal(t, want, rest)
	assert.Equal(t, text, once())
}
