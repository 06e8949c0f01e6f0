package tmptest_test

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/require"
)

// letters draws n characters of the alphabet.
func letters(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[rand.IntN(len(alphabet))]
	}
	return string(b)
}

const (
	python = "abcdefghijklmnopqrstuvwxyz0123456789_"
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// lcgNames draws names from a generator of its own.
func lcgNames(next func(x uint64) uint64, name func(x uint64) string) func(string) string {
	x := uint64(time.Now().UnixNano())
	return func(string) string {
		x = next(x)
		return name(x)
	}
}

// TestUnpredictable has the generators that must pass, and for each thing that
// a name can be made of one that must not.
func TestUnpredictable(t *testing.T) {
	host, err := os.Hostname()
	assert.NoError(t, err)
	me, err := user.Current()
	assert.NoError(t, err)
	n := 0
	count := func() int { n++; return n }
	pid, ppid := os.Getpid(), os.Getppid()
	tests := []struct {
		name string
		gen  func(dir string) string // may create
		want []string                // rules; none: it must pass
		made string                  // what the message says
	}{
		{name: "os.CreateTemp", gen: func(dir string) string { return created(os.CreateTemp(dir, "upload-*.tmp")) }},
		{name: "os.MkdirTemp and a fixed name", gen: func(dir string) string {
			d, err := os.MkdirTemp(dir, "")
			if err != nil {
				panic(err)
			}
			return filepath.Join(d, "config")
		}},
		{name: "Python", gen: func(string) string { return "tmp" + letters(python, 8) }},
		{name: "glibc", gen: func(string) string { return "tmp." + letters(base62, 6) }},
		{name: "crypto/rand.Text", gen: func(string) string { return crand.Text() }},
		{name: "UUID", gen: func(string) string {
			u := rand.Uint64()
			return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(u), uint16(u>>32), u>>52, rand.IntN(4096), rand.Int64N(1<<48))
		}},
		{name: "time and chance", gen: func(string) string { return fmt.Sprintf("%d-%016x", time.Now().UnixNano(), rand.Uint64()) }},
		{name: "ULID", gen: func(string) string {
			return fmt.Sprintf("%010s", strconv.FormatInt(time.Now().UnixMilli(), 32)) + letters("0123456789abcdefghjkmnpqrstv", 16)
		}},
		{name: "process id and chance", gen: func(string) string { return fmt.Sprintf("%d-%d", pid, rand.Uint64()) }},
		{name: "odd characters", gen: func(string) string { return fmt.Sprintf("a\n\xff'%016x", rand.Uint64()) }},

		{name: "constant", gen: func(string) string { return "lock" }, want: []string{"C06"}, made: "the same each time"},
		{name: "process id", gen: func(string) string { return fmt.Sprintf("app.%d.tmp", pid) }, want: []string{"C06"}, made: "process id"},
		{name: "process id in hex", gen: func(string) string { return fmt.Sprintf("app.%x.tmp", pid) }, want: []string{"C06"}, made: "process id"},
		{name: "parent's process id", gen: func(string) string { return fmt.Sprintf("app-%d", ppid) }, want: []string{"C06"}, made: "parent process id"},
		{name: "user id", gen: func(string) string { return fmt.Sprintf("pytest-of-%d", os.Getuid()) }, want: []string{"C06"}, made: "user id"},
		{name: "user", gen: func(string) string { return "pytest-of-" + me.Username }, want: []string{"C06"}, made: "user name"},
		{name: "host", gen: func(string) string { return host + ".lock" }, want: []string{"C06"}, made: "host name"},
		{name: "test name", gen: func(string) string { return "TestUnpredictable.out" }, want: []string{"C06"}, made: "test name"},
		{name: "seconds", gen: func(string) string { return fmt.Sprint("dump-", time.Now().Unix()) }, want: []string{"C06"}, made: "time in seconds"},
		{name: "nanoseconds", gen: func(string) string { return fmt.Sprint("dump-", time.Now().UnixNano()) }, want: []string{"C06"}, made: "time in nanoseconds"},
		{name: "nanoseconds in hex", gen: func(string) string { return fmt.Sprintf("dump-%x", time.Now().UnixNano()) }, want: []string{"C06"}, made: "time in nanoseconds"},
		{name: "date and fraction", gen: func(string) string { return time.Now().Format("20060102-150405.000000000") }, want: []string{"C06"}, made: "second"},
		{name: "process id and time", gen: func(string) string { return fmt.Sprintf("%d-%d", pid, time.Now().UnixNano()) }, want: []string{"C06"}, made: "process id, time in nanoseconds"},
		{name: "counter", gen: func(string) string { return fmt.Sprintf("part-%05d", count()) }, want: []string{"C06"}, made: "counter"},
		{name: "process id and counter", gen: func(string) string { return fmt.Sprintf("%d.%d", pid, count()) }, want: []string{"C06"}, made: "counter, process id"},
		{name: "small alphabet", gen: func(string) string { return letters("01", 20) }, want: []string{"C08"}},
		{name: "four hex digits", gen: func(string) string { return fmt.Sprintf("%04x", rand.IntN(1<<16)) }, want: []string{"C08"}},
		{name: "a number twice", gen: func(string) string { n := rand.IntN(1 << 20); return fmt.Sprintf("%05x-%05x", n, n) }, want: []string{"C08"}},
		{name: "seconds and little chance", gen: func(string) string { return fmt.Sprintf("%d-%03d", time.Now().Unix(), rand.IntN(1000)) }, want: []string{"C06"}, made: "time in seconds"},
		{name: "afero.TempFile", gen: aferoName, want: []string{"C08", "C09"}, made: "Numerical Recipes"},
		{
			name: "drand48 whole",
			gen:  lcgNames(func(x uint64) uint64 { return (x*25214903917 + 11) & (1<<48 - 1) }, func(x uint64) string { return fmt.Sprintf("%012x", x) }),
			want: []string{"C09"}, made: "modulo 2^48",
		},
		{
			name: "ANSI C, high bits",
			gen: lcgNames(func(x uint64) uint64 { return uint64(uint32(x*1103515245 + 12345)) }, func(x uint64) string {
				return fmt.Sprintf("%05d", x>>16&0x7fff)
			}),
			want: []string{"C08", "C09"}, made: "ANSI C",
		},
		{
			name: "any multiplier",
			gen:  lcgNames(func(x uint64) uint64 { return x*0x9e3779b97f4a7c15 + 12347 }, func(x uint64) string { return strconv.FormatUint(x, 10) }),
			want: []string{"C09"}, made: "modulo 2^64",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			gen := func() (string, error) { return tt.gen(dir), nil }
			if tt.want == nil {
				assert.True(t, tmptest.Unpredictable(t, gen))
				return
			}
			r := &failures{T: t}
			assert.False(t, tmptest.Unpredictable(r, gen, "message %d", 7))
			text := fmt.Sprint(r.texts)
			assert.Equal(t, tt.want, rulesIn(r.texts), text)
			assert.Contains(t, text, tt.made)
			assert.Contains(t, text, "message 7")
			assert.Contains(t, text, "again: go test -run '^TestUnpredictable$/^")
		})
	}
}

func created(f *os.File, err error) string {
	if err != nil {
		panic(err)
	}
	defer f.Close()
	return f.Name()
}

func aferoName(dir string) string {
	f, err := afero.TempFile(afero.NewOsFs(), dir, "upload-*.tmp")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	return f.Name()
}

// failures is the running test, its failures kept instead.
type failures struct {
	*testing.T
	texts, logs []string
}

func (f *failures) Logf(format string, args ...any) {
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}
func (f *failures) FailNow() { f.texts = append(f.texts, "FailNow") }

func TestUnguessable(t *testing.T) {
	assert.True(t, tmptest.Unguessable(t, func() (string, error) { return crand.Text(), nil }))
	r := &failures{T: t}
	dir := t.TempDir()
	assert.False(t, tmptest.Unguessable(r, func() (string, error) { return created(os.CreateTemp(dir, "")), nil }))
	assert.Equal(t, []string{"C08"}, rulesIn(r.texts))
}

// errorer is a TestingT that is no test.
type errorer []string

func (e *errorer) Errorf(format string, args ...any) { *e = append(*e, fmt.Sprintf(format, args...)) }

func TestUnpredictableWithoutChildren(t *testing.T) {
	var e errorer
	assert.True(t, tmptest.Unpredictable(&e, func() (string, error) { return crand.Text(), nil }))
	assert.False(t, tmptest.Unpredictable(&e, func() (string, error) { return "", errors.New("no room") }))
	assert.Contains(t, fmt.Sprint(e), "no name: no room")

	synctest.Test(t, func(t *testing.T) {
		r := &failures{T: t}
		assert.False(t, tmptest.Unpredictable(r, func() (string, error) { return fmt.Sprint(time.Now().UnixNano()), nil }))
		assert.Contains(t, fmt.Sprint(r.logs), "in this process only")
		assert.Equal(t, []string{"C06"}, rulesIn(r.texts))
	})
}

func TestUnpredictableTwiceInOneTest(t *testing.T) {
	calls := 0
	gen := func() (string, error) { calls++; return crand.Text(), nil }
	require.Unpredictable(t, gen)
	first := calls
	require.Unpredictable(t, gen)
	assert.Equal(t, 2*first, calls, "the second call draws anew, also in its children")
}
