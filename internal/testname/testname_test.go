package testname

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestIn: the test behind a stack.
func TestIn(t *testing.T) {
	for name, tt := range map[string]struct {
		frames []string // the innermost first
		want   string
	}{
		"a test":           {[]string{"os.Create", "a.com/p.TestX"}, "TestX"},
		"a closure":        {[]string{"a.com/p.TestX.func1.2"}, "TestX"},
		"a goroutine":      {[]string{"a.com/p.TestX.gowrap1"}, "TestX"},
		"a suite":          {[]string{"a.com/p.(*Suite).TestX"}, "(*Suite).TestX"},
		"generic":          {[]string{"a.com/p.TestX[...].func1"}, "TestX"},
		"TestMain":         {[]string{"a.com/p.TestMain"}, "TestMain"},
		"an example":       {[]string{"a.com/p.ExampleX", "a.com/p.TestMain"}, "ExampleX"},
		"a benchmark":      {[]string{"a.com/p.BenchmarkX.func1"}, "BenchmarkX"},
		"the outermost":    {[]string{"a.com/p.TestInner", "a.com/p.TestX"}, "TestX"},
		"a helper":         {[]string{"a.com/p.helper", "a.com/p.Testify"}, ""},
		"a fuzz target":    {[]string{"a.com/p.FuzzX.func1"}, "FuzzX"},
		"a package's init": {[]string{"a.com/p.init.0"}, ""},
		"an odd path":      {[]string{"a.com/x.TestY/p.helper"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var frames []runtime.Frame
			for _, f := range tt.frames {
				frames = append(frames, runtime.Frame{Function: f, File: "/p/x_test.go"})
			}
			assert.Equal(t, tt.want, In(frames))
			for i := range frames {
				frames[i].File = "/p/x.go"
			}
			assert.Empty(t, In(frames), "not in a file of tests")
		})
	}
}

// TestFlags: the flags that select what left something.
func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"TestA", ""}, ""},
		{[]string{"TestMain"}, ""},
		{[]string{"(*Suite).TestX"}, ""},
		{[]string{"TestA"}, `-run '^TestA$'`},
		{[]string{"TestA/b_c/d"}, `-run '^TestA$/^b_c$/^d$'`},
		{[]string{"TestB", "TestA", "TestB"}, `-run '^(TestA|TestB)$'`},
		{[]string{"TestA/x", "TestA/y"}, `-run '^(TestA)$'`},
		{[]string{"FuzzA/seed#0"}, `-run '^FuzzA$/^seed#0$'`},
		{[]string{"Example_a"}, `-run '^Example_a$'`},
		{[]string{"BenchmarkA"}, `-run '^$' -bench '^BenchmarkA$' -benchtime 1x`},
		{[]string{"BenchmarkA/b", "TestA"}, `-run '^TestA$' -bench '^BenchmarkA$/^b$' -benchtime 1x`},
		{[]string{"TestA/it's"}, `-run '^TestA$/^it'\''s$'`},
		{[]string{"TestA", "TestB", "TestC", "TestD"}, ""},
	} {
		assert.Equal(t, tt.want, Flags(tt.names, 3, Exact), tt.names)
	}
}
