package leakcheck

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// TestPkgDir: what counts as new in a package's directory.
func TestPkgDir(t *testing.T) {
	write := func(names ...string) func(t *testing.T) {
		return func(t *testing.T) {
			for _, name := range names {
				require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
				require.NoError(t, os.WriteFile(name, nil, 0o600))
			}
		}
	}
	many := func(dir string) func(t *testing.T) {
		return func(t *testing.T) {
			for i := range mostSource {
				write(filepath.Join(dir, fmt.Sprint(i)))(t)
			}
		}
	}
	for _, tt := range []struct {
		name          string
		before, after func(t *testing.T)
		flag          string // and its value
		value         string
		added         []string
		more          bool
	}{
		{name: "nothing", after: write()},
		{name: "files", after: write("b", "a"), added: []string{"a", "b"}},
		{name: "what was there", before: write("a"), after: write("a")},
		{name: "a directory, not what is in it", after: write("d/e/f"), added: []string{"d"}},
		{name: "in another package", before: write("sub/x.go"), after: write("sub/y")},
		{name: "in testdata", before: write("testdata/sub/x"), after: write("testdata/sub/y"), added: []string{"testdata/sub/y"}},
		{name: "a new directory in testdata", before: write("testdata/x"), after: write("testdata/new/y"), added: []string{"testdata/new"}},
		{name: "what editors and the go command make", after: write(".x_test.go.swp", "x_test.go~", "4913", ".#x_test.go", "x.test", "__debug_bin1", "_artifacts/x")},
		{name: "a profile", flag: "test.cpuprofile", value: "cpu.out", after: write("cpu.out", "mem.out"), added: []string{"mem.out"}},
		{name: "the fuzzer's", flag: "test.fuzz", value: "FuzzX", before: write("testdata/x"), after: write("testdata/fuzz/FuzzX/1")},
		{name: "without a fuzzer", before: write("testdata/x"), after: write("testdata/fuzz/FuzzX/1"), added: []string{"testdata/fuzz"}},
		{name: "too many before", before: many("."), after: write("a"), more: true},
		{name: "too many after", after: many("."), more: true},
		{name: "too many in testdata", before: many("testdata"), after: write("a"), more: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.more && sample.Short() {
				t.Skip("makes thousands of files: not with -short")
			}
			t.Chdir(t.TempDir())
			assert.Nil(t, newPkgDir(), "no directory of Go tests")
			write("x_test.go")(t)
			if tt.before != nil {
				tt.before(t)
			}
			if tt.flag != "" {
				old := flagValue(tt.flag)
				setFlag(t, tt.flag, tt.value)
				defer setFlag(t, tt.flag, old)
			}
			p := newPkgDir()
			require.NotNil(t, p)
			tt.after(t)
			var added []string
			for _, l := range p.appeared(newOptions(nil)) {
				added = append(added, l.name)
			}
			assert.ElementsMatch(t, tt.added, added)
			assert.Equal(t, tt.more, p.more)
		})
	}
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	require.NotNil(t, f, name)
	require.NoError(t, f.Value.Set(value))
}
