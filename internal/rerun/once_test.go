package rerun

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	got, err := once(t, func() string { return strconv.Itoa(os.Getppid()) })
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(os.Getpid()), got, "the child's parent")
}

func TestOnceInOddlyNamedTests(t *testing.T) {
	names := []string{
		"", "plain", "a/b", "a//b", "/", "two words", "[x]", "a|b", "*", "^$", "(", ")", "]", "[", `back\slash`, `\`,
		"tab\there", "nul\x00", "line\nend", "ünï\u2028cödé", "日本", "\xff", "same", "same", "same#01", "#01", "#00", "x{2}", "a+b?", ".",
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := once(t, func() string { return t.Name() + name })
			require.NoError(t, err)
			assert.Equal(t, t.Name()+name, got)
		})
	}
}

func TestOnceSeveralTimes(t *testing.T) {
	for i, want := range []string{"first", "second", "third"} {
		got, err := once(t, func() string { return want })
		require.NoError(t, err)
		require.Equal(t, want, got, "call %d", i+1)
	}
	t.Run("below", func(t *testing.T) {
		got, err := once(t, func() string { return "below" })
		require.NoError(t, err)
		require.Equal(t, "below", got)
	})
	got, err := once(t, func() string { return "after" })
	require.NoError(t, err)
	require.Equal(t, "after", got)
}

func TestOnceRunsOnlyItsOwnTest(t *testing.T) {
	for _, name := range []string{"one", "two", "three"} {
		t.Run(name, func(t *testing.T) {
			ran = append(ran, t.Name())
			got, err := once(t, func() string { return "" + ran[len(ran)-1] + strconv.Itoa(len(ran)) })
			require.NoError(t, err)
			assert.Equal(t, t.Name()+"1", got)
		})
	}
}

var ran []string

// TestOnceBelowAParentThatNeedsAllOfThem: the parent's check fails in the
// child, where one of the subtests has run. That is no fault of fn.
func TestOnceBelowAParentThatNeedsAllOfThem(t *testing.T) {
	done := 0
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			got, err := once(t, func() string { return name })
			require.NoError(t, err)
			assert.Equal(t, name, got)
			done++
		})
	}
	require.Equal(t, 2, done)
}

func TestOnceOutcomes(t *testing.T) {
	rows := []struct {
		name   string
		fn     func(t *testing.T) string
		kind   Kind
		detail string
	}{
		{"panic", func(t *testing.T) string { panic("boom") }, Panicked, "panicked: boom"},
		{"runtime panic", func(t *testing.T) string { return ran[len(ran)+1] }, Panicked, "index out of range"},
		{"panic nil", func(t *testing.T) string { panic(error(nil)) }, Panicked, "nil"},
		{"panic elsewhere", func(t *testing.T) string { go panic("boom"); select {} }, Panicked, "panic: boom"},
		{"Goexit", func(t *testing.T) string { runtime.Goexit(); return "" }, Goexited, "runtime.Goexit"},
		{"Fatal", func(t *testing.T) string { t.Fatal("no"); return "" }, Failed, "t.Fatal"},
		{"Error", func(t *testing.T) string { t.Error("no"); return "" }, Failed, "t.Error"},
		{"Skip", func(t *testing.T) string { t.Skip("no"); return "" }, Skipped, "t.Skip"},
		{"exit 0", func(t *testing.T) string { os.Exit(0); return "" }, Exited, "os.Exit(0)"},
		{"exit 3", func(t *testing.T) string { os.Exit(3); return "" }, Exited, "os.Exit(3)"},
		{"exit 2", func(t *testing.T) string { os.Exit(2); return "" }, Exited, "os.Exit(2)"},
		{"nested", func(t *testing.T) string { s, _ := once(t, func() string { return "" }); return s }, Nested, "TestOnceOutcomes/nested"},
		{"nested, error unseen", func(t *testing.T) string { _, _ = Enter(t); return "" }, Nested, "nested use"},
		{"bad cleanup", func(t *testing.T) string { t.Cleanup(func() { t.Error("late") }); return "data" }, EndedBadly, "exit status 1"},
		{"bad cleanup, panic", func(t *testing.T) string { t.Cleanup(func() { panic("late") }); return "data" }, EndedBadly, "exit status 2"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := once(t, func() string { return row.fn(t) })
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, row.kind, e.Kind, "%v", err)
			assert.Contains(t, e.Detail, row.detail)
			assert.Contains(t, err.Error(), t.Name())
		})
	}
}
