package fsfake_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// compounds are calls of package os that are more than one operation, and what
// takes the whole disk.
var compounds = map[string]func(d *fsfake.Disk, v *fsfake.FS) error{
	"MkdirAll":  func(_ *fsfake.Disk, v *fsfake.FS) error { return v.MkdirAll("/dir/a/b/c", 0o700) },
	"RemoveAll": func(_ *fsfake.Disk, v *fsfake.FS) error { return v.RemoveAll("/dir") },
	"WriteFile": func(_ *fsfake.Disk, v *fsfake.FS) error { return v.WriteFile("/dir/new", []byte("x"), 0o600) },
	"TempFile":  func(_ *fsfake.Disk, v *fsfake.FS) error { _, err := v.CreateTemp("/dir", "x"); return err },
	"Tmpfile": func(_ *fsfake.Disk, v *fsfake.FS) error {
		_, err := v.OpenFile("/dir", fsfake.O_TMPFILE|2, 0o600)
		return err
	},
	"exchange": func(_ *fsfake.Disk, v *fsfake.FS) error {
		return v.Renameat2("/dir/file", "/dir/sub", fsfake.RenameExchange)
	},
	"ReadFile": func(_ *fsfake.Disk, v *fsfake.FS) error { _, err := v.ReadFile("/dir/link"); return err },
	"ReadDir":  func(_ *fsfake.Disk, v *fsfake.FS) error { _, err := v.ReadDir("/dir"); return err },
	"Mount":    func(d *fsfake.Disk, _ *fsfake.FS) error { return d.Mount("/dir/sub") },
}

// TestPanicLeavesNoLock has the disk's clock, which it asks with its locks
// held, panic or end its goroutine at each of its calls: the disk can be used
// afterwards.
func TestPanicLeavesNoLock(t *testing.T) {
	rows := map[string]func(d *fsfake.Disk, v *fsfake.FS, f *fsfake.File) error{}
	for _, o := range operations {
		rows[o.op] = func(_ *fsfake.Disk, v *fsfake.FS, f *fsfake.File) error { return o.do(v, f) }
	}
	for name, do := range compounds {
		rows[name] = func(d *fsfake.Disk, v *fsfake.FS, _ *fsfake.File) error { return do(d, v) }
	}
	for name, do := range rows {
		for how, end := range map[string]func(){"panic": func() { panic("the clock") }, "Goexit": runtime.Goexit} {
			t.Run(name+"/"+how, func(t *testing.T) {
				for at := 1; ; at++ {
					if !panicsAt(t, at, end, do) {
						return
					}
				}
			})
		}
	}
}

// panicsAt runs an operation whose at-th look at the clock is the last, and
// reports whether it came to that.
func panicsAt(t *testing.T, at int, end func(), do func(d *fsfake.Disk, v *fsfake.FS, f *fsfake.File) error) (ended bool) {
	d, v, f := scene(t)
	looks := 0
	armed := true
	d.Remount(fsfake.StrictAtime(), fsfake.Clock(func() time.Time {
		if looks++; armed && looks == at {
			ended = true
			end()
		}
		return time.Unix(1_700_000_000, int64(looks))
	}))
	over := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			recover()
			over <- err
		}()
		err = do(d, v, f)
	}()
	require.NoError(t, <-over)
	armed = false
	usable := make(chan error, 1)
	go func() { usable <- useAll(d, v, f) }()
	select {
	case err := <-usable:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		t.Fatalf("after a panic at look %d at the clock an operation waits for a lock", at)
	}
	return ended
}

// useAll takes each lock of the disk that a scene has.
func useAll(d *fsfake.Disk, v *fsfake.FS, f *fsfake.File) error {
	d.Remount(fsfake.Relatime())
	_ = f.Chmod(0o600)
	_ = f.Close()
	for _, name := range []string{"/", "/dir", "/dir/sub", "/dir/file", "/dir/link", "/dir/new"} {
		_, _ = v.Stat(name)
		_, _ = v.ReadFile(name)
		_, _ = v.ReadDir(name)
		_ = v.Lchown(name, 0, 0)
	}
	if err := v.WriteFile("/after", nil, 0o600); err != nil {
		return fmt.Errorf("a new file: %w", err)
	}
	_ = v.RemoveAll("/dir") // a mount in it is busy
	return nil
}

// TestPanicInHook has a hook panic around each operation.
func TestPanicInHook(t *testing.T) {
	for _, o := range operations {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(o.op, "/", after), func(t *testing.T) {
				d, v, f := scene(t)
				hook := fsfake.Hook{Before: func(*fsfake.Op) error { panic("before") }}
				if after {
					hook = fsfake.Hook{After: func(*fsfake.Op) { panic("after") }}
				}
				remove := d.Hook(hook)
				assert.Panics(t, func() { _ = o.do(v, f) })
				remove()
				require.NoError(t, useAll(d, v, f))
				assert.NoError(t, d.Check())
			})
		}
	}
}
