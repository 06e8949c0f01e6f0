package tmptest_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/tmptest"
)

// recorder is a test of its own inside a test: what it reports is kept, and
// its Cleanup functions run when its body ends.
type recorder struct {
	testing.TB
	name string

	mu       sync.Mutex
	failed   bool
	errors   []string
	logs     []string
	cleanups []func()
	ctx      context.Context
}

// observe runs body as a test and returns what it reported.
func observe(t testing.TB, body func(tb testing.TB)) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{TB: t, name: t.Name(), ctx: ctx}
	r.run(func() { body(r) })
	cancel()
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		r.run(last)
	}
	return r
}

// run calls f in a goroutine, since FailNow ends that.
func (r *recorder) run(f func()) {
	done := make(chan any)
	go func() {
		normal := false
		defer func() {
			p := recover()
			if p == nil && !normal {
				p = nil // Goexit
			}
			done <- p
		}()
		f()
		normal = true
	}()
	if p := <-done; p != nil {
		panic(p)
	}
}

func (r *recorder) add(list *[]string, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, text)
}

func (r *recorder) Name() string                    { return r.name }
func (r *recorder) Context() context.Context        { return r.ctx }
func (r *recorder) Helper()                         {}
func (r *recorder) Cleanup(f func())                { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(format string, args ...any) { r.add(&r.logs, fmt.Sprintf(format, args...)) }
func (r *recorder) Log(args ...any)                 { r.add(&r.logs, fmt.Sprint(args...)) }
func (r *recorder) Failed() bool                    { return r.failed }
func (r *recorder) Fail()                           { r.failed = true }
func (r *recorder) FailNow()                        { r.failed = true; runtime.Goexit() }
func (r *recorder) Error(args ...any)               { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any)               { r.Error(args...); runtime.Goexit() }

func (r *recorder) Setenv(name, value string) {
	was, set := os.LookupEnv(name)
	r.Cleanup(func() {
		if set {
			noError(r.TB, os.Setenv(name, was))
		} else {
			noError(r.TB, os.Unsetenv(name))
		}
	})
	r.TB.Setenv(name, value) // which panics in a parallel test
}

func (r *recorder) Chdir(dir string) {
	was, err := os.Getwd()
	noError(r, err)
	r.Cleanup(func() { noError(r.TB, os.Chdir(was)) })
	r.TB.Chdir(dir)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	r.add(&r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

var ruleLine = regexp.MustCompile(`(?m)^\s+([ECURX]\d\d) `)

// broken are the rules that the failures name.
func (r *recorder) broken() []string { return rulesIn(r.errors) }

// advised are the rules that the log names.
func (r *recorder) advised() []string { return rulesIn(r.logs) }

func rulesIn(texts []string) []string {
	var ids []string
	for _, m := range ruleLine.FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func (r *recorder) text() string {
	return "errors:\n" + strings.Join(r.errors, "\n") + "\nlogs:\n" + strings.Join(r.logs, "\n")
}

// noError is for the bodies of observed tests.
func noError(tb testing.TB, err error) {
	tb.Helper()
	require.NoError(tb, err)
}

// write makes a file of exactly this mode.
func write(tb testing.TB, path string, mode fs.FileMode) {
	noError(tb, os.WriteFile(path, []byte("content"), 0o600))
	noError(tb, os.Chmod(path, mode))
}

var _ tmptest.TestingT = (*recorder)(nil)
