package attack

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMoveText: each move as a report prints it is read back, and what is none
// gets one clear error.
func TestMoveText(t *testing.T) {
	var all []move
	for _, m := range everyMove() {
		m.target = "shared/a b{x=file}"
		all = append(all, m)
	}
	for _, use := range []use{anyUse, asks, takesAway, makesNew, makesDir, goesOn} {
		for _, names := range []string{"", "conf", "etc/conf", "a/b/c d", "odd=,{}\n;@'\xff"} {
			for _, m := range parentPlants(way{names: names, use: use}) {
				m.target = "shared/app"
				all = append(all, m)
			}
		}
	}
	for _, m := range all {
		got, err := parseMove(m.String())
		require.NoError(t, err, m)
		assert.Equal(t, m, got)
		assert.Regexp(t, `^[a-z-]+(\{[A-Za-z0-9%/._*+~,=-]+\})?=[A-Za-z0-9%/._*+~-]+$`, m.String())
	}
	for _, tt := range []struct{ text, want string }{
		{"teleport=shared/x", "there is no such move"},
		{"symlink-file", "it has no path"},
		{"dir{}=shared/x", "it has no path"},
		{"dir{x=file", "it has no path"},
		{"dir{x}=shared/x", "cannot be in it"},
		{"dir{x=teleport}=shared/x", "cannot be in it"},
		{"dir{../x=file}=shared/x", "not of the form name=thing"},
		{"dir{/x=file}=shared/x", "not of the form name=thing"},
		{"dir{x=file,x=dir}=shared/x", "cannot be in it"},
		{"dir{x=file,x/y=file}=shared/x", "cannot be in it"},
		{"dir{y=file,x=file}=shared/x", "cannot be in it"},
		{"dir{x=symlink-mirror,x/y=fifo}=shared/x", "cannot be in it"},
		{"symlink-mirror{x=fifo}=shared/x", "cannot be in it"},
		{"file{x=file}=shared/x", "cannot be in it"},
		{"dir{%zz=file}=shared/x", "not of the form name=thing"},
		{"dir=shared/%zz", "invalid URL escape"},
	} {
		_, err := parseMove(tt.text)
		assert.ErrorContains(t, err, tt.want, tt.text)
	}
}

// FuzzMove: what is read as a move is printed as what it is read from, but for
// how its names are escaped.
func FuzzMove(f *testing.F) {
	for _, s := range []string{"symlink-file=shared/x", "dir{a=symlink-mirror,a/b=file}=shared/app", "symlink-mirror{a%20b=dir}=shared/app", "remove=", "dir{=}=", "dir{x=dir,x/y=dir,x/y/z=hardlink}=a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMove(s)
		if err != nil {
			return
		}
		again, err := parseMove(m.String())
		require.NoError(t, err, m.String())
		require.Equal(t, m, again)
		require.Equal(t, m.inside, insideString(m.things()))
	})
}

// FuzzSchedule: so it is for a whole schedule.
func FuzzSchedule(f *testing.F) {
	f.Add("dir{a=file}=shared/app@openat:shared/app/a:main.go:1:1;remove=shared/x@unlinkat:shared/x:main.go:3 < a.go:1:2")
	f.Add("fail-EIO@write:shared/out:main.go:12:1")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseSchedule(s)
		if err != nil {
			return
		}
		again, err := parseSchedule(scheduleString(list))
		require.NoError(t, err, scheduleString(list))
		require.Equal(t, list, again)
	})
}

// TestWith: a list keeps what can lie beside a new thing.
func TestWith(t *testing.T) {
	for _, tt := range []struct{ list, at, kind, want string }{
		{"", "x", "file", "x=file"},
		{"x=file", "x", "dir", "x=dir"},
		{"x=dir,x/y=file", "x", "fifo", "x=fifo"},
		{"x=dir,x/y=file", "x", "dir", "x=dir,x/y=file"},
		{"x=file", "x/y", "file", "x/y=file"},
		{"b=file,d=file", "c", "file", "b=file,c=file,d=file"},
		{"x=symlink-mirror", "x/y", "file", "x=symlink-mirror,x/y=file"},
	} {
		list, err := parseInside(tt.list)
		require.NoError(t, err)
		assert.Equal(t, tt.want, insideString(with(list, thing{tt.at, tt.kind})), tt)
	}
}
