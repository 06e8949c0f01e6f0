//go:build unix

package tmptest_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

func TestSharedIsTheTemporaryRoot(t *testing.T) {
	before, inside := os.TempDir(), ""
	t.Run("while the test runs", func(t *testing.T) {
		dir := tmptest.Shared(t)
		tmptest.Mode(t, dir, 0o777|fs.ModeSticky|fs.ModeDir)
		for _, name := range []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"} {
			assert.Equal(t, dir, os.Getenv(name))
		}
		f, err := os.CreateTemp("", "f-*")
		require.NoError(t, err)
		assert.Equal(t, dir, filepath.Dir(f.Name()))
		require.NoError(t, f.Close())
		require.NoError(t, os.Remove(f.Name()))
		out, err := exec.Command("sh", "-c", `echo "$TMPDIR"`).Output()
		require.NoError(t, err)
		assert.Equal(t, dir, strings.TrimSpace(string(out)), "children inherit it")
		inside = dir
	})
	assert.Equal(t, before, os.TempDir(), "and no longer")
	assert.NoDirExists(t, filepath.Dir(inside))
}

func TestSharedInParallel(t *testing.T) {
	t.Run("is an error with the way out", func(t *testing.T) {
		t.Parallel()
		for verb, use := range map[string]func(testing.TB){
			"Shared": func(tb testing.TB) { tmptest.Shared(tb) },
			"Umask":  func(tb testing.TB) { tmptest.Umask(tb, 0) },
		} {
			r := observe(t, use)
			require.Len(t, r.errors, 1)
			assert.Contains(t, r.errors[0], "tmptest."+verb+": TestSharedInParallel/is_an_error_with_the_way_out is a parallel test")
			if verb == "Shared" {
				assert.Contains(t, r.errors[0], "tmptest.NoEnv()")
			}
		}
	})
	t.Run("and below a parallel test", func(t *testing.T) {
		t.Parallel()
		t.Run("too", func(t *testing.T) {
			r := observe(t, func(tb testing.TB) { tmptest.Shared(tb) })
			require.Len(t, r.errors, 1)
		})
	})
	t.Run("with NoEnv", func(t *testing.T) {
		t.Parallel()
		root := os.TempDir()
		dir := tmptest.Shared(t, tmptest.NoEnv())
		assert.Equal(t, root, os.TempDir())
		tmptest.Mode(t, dir, 0o777|fs.ModeSticky)
	})
}

// TestSharedJudgesLeftovers: what is left, and by its name or mode what it
// could have been exposed to.
func TestSharedJudgesLeftovers(t *testing.T) {
	pid := os.Getpid()
	tests := map[string]struct {
		leave   string
		dir     bool
		mode    fs.FileMode
		targets []string
		want    []string
	}{
		"private":                   {leave: "f-123456789012", mode: 0o600, want: []string{"R01"}},
		"a directory":               {leave: "d-123456789012", dir: true, mode: 0o700, want: []string{"R01"}},
		"readable":                  {leave: "f-123456789012", mode: 0o644, want: []string{"C03", "C05", "R01"}},
		"a target":                  {leave: "out.txt", mode: 0o600, targets: []string{"*.txt"}},
		"a target, deep":            {leave: "a/b/c", mode: 0o600, targets: []string{"a"}},
		"a target, readable":        {leave: "out.txt", mode: 0o604, targets: []string{"out.txt"}, want: []string{"C03", "C05"}},
		"not the target":            {leave: "out.log", mode: 0o600, targets: []string{"*.txt"}, want: []string{"R01"}},
		"process id":                {leave: fmt.Sprintf("app-%d.tmp", pid), mode: 0o600, want: []string{"C06", "R01"}},
		"process id and counter":    {leave: fmt.Sprintf("app.%d.7", pid), mode: 0o600, want: []string{"C06", "R01"}},
		"process id and chance":     {leave: fmt.Sprintf("app.%d.83f0a2c1", pid), mode: 0o600, want: []string{"R01"}},
		"test name":                 {leave: "TestSharedJudgesLeftovers.tmp", mode: 0o600, want: []string{"C06", "R01"}},
		"words alone tell nothing":  {leave: "tmpqzkwjxpd", mode: 0o600, want: []string{"R01"}},
		"Python with a lone number": {leave: "tmpab_3_xyz", mode: 0o600, want: []string{"R01"}},
		"a name with a line break":  {leave: "a\nb-987654321", mode: 0o600, want: []string{"R01"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := observe(t, func(tb testing.TB) {
				r := tb.(*recorder)
				r.name = "TestSharedJudgesLeftovers"
				dir := tmptest.Shared(tb, tmptest.Target(tt.targets...))
				path := filepath.Join(dir, tt.leave)
				require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o700|fs.ModeSticky))
				if filepath.Dir(path) != dir {
					require.NoError(tb, os.Chmod(filepath.Dir(path), 0o700))
				}
				if tt.dir {
					require.NoError(tb, os.Mkdir(path, tt.mode))
					return
				}
				write(tb, path, tt.mode)
			})
			assert.Equal(t, tt.want, r.broken(), r.text())
		})
	}
}

// testStart is some time.
var testStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// TestCanaries: each way to touch what is beside the shared directory shows.
func TestCanaries(t *testing.T) {
	tests := map[string]struct {
		touch func(tb testing.TB, parent string)
		want  string // nothing: it is no damage
	}{
		"written":   {func(tb testing.TB, p string) { write(tb, p+"/canary.txt", 0o640) }, "was written"},
		"truncated": {func(tb testing.TB, p string) { noError(tb, os.Truncate(p+"/canary/file", 0)) }, "was written"},
		"chmod":     {func(tb testing.TB, p string) { noError(tb, os.Chmod(p+"/canary", 0o777)) }, "has mode 0777"},
		"times":     {func(tb testing.TB, p string) { noError(tb, os.Chtimes(p+"/canary.txt", testStart, testStart)) }, "had its times changed"},
		"removed":   {func(tb testing.TB, p string) { noError(tb, os.Remove(p+"/canary.txt")) }, "cannot be seen any more"},
		"replaced": {func(tb testing.TB, p string) {
			noError(tb, os.Rename(p+"/canary.txt", p+"/x"))
			write(tb, p+"/canary.txt", 0o640)
			noError(tb, os.Remove(p+"/x"))
		}, "is another object now"},
		"linked":      {func(tb testing.TB, p string) { noError(tb, os.Link(p+"/canary.txt", p+"/tmp/l")) }, "has 2 links"},
		"made beside": {func(tb testing.TB, p string) { write(tb, p+"/new", 0o600) }, "was made outside"},
		"made below":  {func(tb testing.TB, p string) { write(tb, p+"/canary/new", 0o600) }, "was made outside"},
		"read":        {func(tb testing.TB, p string) { _, err := os.ReadFile(p + "/canary.txt"); noError(tb, err) }, ""},
		"listed":      {func(tb testing.TB, p string) { _, err := os.ReadDir(p); noError(tb, err) }, ""},
		"through link": {func(tb testing.TB, p string) {
			noError(tb, os.Symlink("../canary", p+"/tmp/l"))
			write(tb, p+"/tmp/l/file", 0o604)
		}, "was written"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := observe(t, func(tb testing.TB) { tt.touch(tb, filepath.Dir(tmptest.Shared(tb))) })
			if tt.want == "" {
				assert.Empty(t, r.errors)
				return
			}
			assert.Contains(t, r.broken(), "X01", r.text())
			assert.Contains(t, r.text(), tt.want)
		})
	}
}

func TestFile(t *testing.T) {
	var name string
	for body, use := range map[string]func(tb testing.TB, f *os.File){
		"left open": func(testing.TB, *os.File) {},
		"closed":    func(tb testing.TB, f *os.File) { noError(tb, f.Close()) },
		"removed":   func(tb testing.TB, f *os.File) { noError(tb, os.Remove(f.Name())) },
		"all gone":  func(tb testing.TB, f *os.File) { noError(tb, os.RemoveAll(filepath.Dir(f.Name()))) },
	} {
		t.Run(body, func(t *testing.T) {
			r := observe(t, func(tb testing.TB) {
				f := tmptest.File(tb, tmptest.Pattern("up-*.load"))
				name = f.Name()
				assert.Regexp(tb, `^up-\d+\.load$`, filepath.Base(name))
				tmptest.Private(tb, name)
				tmptest.InSecureDir(tb, name)
				tmptest.CloseOnExec(tb, f)
				use(tb, f)
			})
			assert.Empty(t, r.errors)
			assert.NoDirExists(t, filepath.Dir(name))
		})
	}
}

// TestAudit finds in a directory as it stands what Dir finds.
func TestAudit(t *testing.T) {
	dir := tmptest.Dir(t, tmptest.Allow(rules.U05, "made so for the audit"))
	found, err := tmptest.Audit(dir)
	require.NoError(t, err)
	assert.Empty(t, failing(found))

	write(t, dir+"/f", 0o644)
	found, err = tmptest.Audit(dir)
	require.NoError(t, err)
	assert.Empty(t, failing(found), "where nobody else can come")
	require.NoError(t, os.Chmod(dir, 0o711))
	defer os.Chmod(dir, 0o700)
	require.NoError(t, os.Symlink("/etc", dir+"/l"))
	found, err = tmptest.Audit(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"E06 " + dir, "C05 " + dir + "/f", "U05 " + dir + "/l"}, failing(found))
	found, err = tmptest.Audit(dir, tmptest.Allow(rules.E06, "others come here"), tmptest.Allow(rules.C05, "it is meant for others"), tmptest.Allow(rules.U05, "it is known"))
	require.NoError(t, err)
	assert.Empty(t, failing(found))

	t.Run("relative, through a link, changes nothing", func(t *testing.T) {
		base := tmptest.Dir(t)
		require.NoError(t, os.Mkdir(base+"/real", 0o755))
		require.NoError(t, os.Chmod(base+"/real", 0o755))
		require.NoError(t, os.Symlink("real", base+"/link"))
		t.Chdir(base)
		before := listModes(t, base)
		found, err := tmptest.Audit("link")
		require.NoError(t, err)
		assert.Equal(t, []string{"E06 " + base + "/real"}, failing(found))
		assert.Equal(t, before, listModes(t, base))
		require.NoError(t, os.Chmod(base+"/real", 0o700))
	})
	t.Run("what cannot be read is named", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root can read everything")
		}
		base := tmptest.Dir(t)
		require.NoError(t, os.Mkdir(base+"/dark", 0))
		found, err := tmptest.Audit(base)
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.Equal(t, rules.Warn, found[0].Level())
		assert.Contains(t, found[0].String(), "not checked: the directory cannot be read: permission denied")
	})
}

// failing are the rule and the path of each violation that fails a test.
func failing(found []tmptest.Violation) []string {
	var all []string
	for _, v := range found {
		if v.Level() == rules.Fail {
			all = append(all, v.Rule.ID()+" "+v.Path)
		}
	}
	return all
}
