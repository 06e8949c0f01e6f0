package attack

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// exploreFake is Prove with Fake, but for the verdict on the test.
func exploreFake(t testing.TB, victim Victim, opts ...Option) *Report {
	return exploreFakeBy(prove, t, victim, opts...)
}

func exploreFakeBy(how verb, t testing.TB, victim Victim, opts ...Option) *Report {
	return exploreIn(func(w world) world { return w }, how, t, victim, opts...)
}

// exploreIn puts something between the explorer and its worlds.
func exploreIn(between func(world) world, how verb, t testing.TB, victim Victim, opts ...Option) *Report {
	opt, err := newOptions(how, append(opts, Fake()))
	require.NoError(t, err)
	opt.setBudget(t, time.Minute)
	e := &explorer{opt: opt, test: t.Name(), report: &Report{}, found: &findings{groups: map[string]*group{}},
		deadline: time.Now().Add(opt.budget), progress: func(int, int) {}}
	e.open = func(start) (world, error) {
		w, err := openFake(t, victim, opt, e.deadline)
		if err == nil {
			scene := w.(*fakeWorld).scene
			openWorlds.Store(scene, w)
			t.Cleanup(func() { openWorlds.Delete(scene) })
			w = between(w)
		}
		return w, err
	}
	if err := errors.Join(e.explore(), e.closeWorlds()); err != nil {
		e.problem("%v", err)
	}
	e.finish()
	return e.report
}

// openWorlds are the worlds of scenes.
var openWorlds sync.Map

// afterReturn waits until the victim has returned.
func afterReturn(s *Scene) {
	w, _ := openWorlds.Load(s)
	for late, f := false, w.(*fakeWorld); !late; runtime.Gosched() {
		f.mu.Lock()
		late = f.over.Load() || f.phase == inLate
		f.mu.Unlock()
	}
}

// stubT is a test that can be failed without harm.
type stubT struct {
	testing.TB
	failed, skipped bool
}

func (t *stubT) Failed() bool  { return t.failed }
func (t *stubT) Skipped() bool { return t.skipped }

// met says that the attacker was there.
func met(s *Scene) bool {
	_, _, err := s.FS.(afero.Lstater).LstatIfPossible(s.Path("x"))
	return err == nil
}

// TestFakeMisbehaviour has victims that do not come back as they should, with
// what the report says of each.
func TestFakeMisbehaviour(t *testing.T) {
	stub := new(stubT) // of the row; what an earlier one left running may still look at its own
	var once sync.Once
	var kept error
	registered := false
	var runs atomic.Int64
	release := make(chan struct{})
	defer close(release)
	for _, tt := range []struct {
		name    string
		victim  Victim
		opts    []Option
		rules   string // of the findings
		problem string // part of the only problem
		native  bool   // not on wasm
	}{
		{name: "leaves Scene.FS out", victim: func(s *Scene) error {
			_, err := os.Stat(filepath.Join(os.TempDir(), "none"))
			if err == nil {
				return errors.New("it exists")
			}
			return nil
		}, problem: "the victim made no call that names anything in the scene: use Scene.FS"},
		{name: "writes to the path with package os", victim: func(s *Scene) error {
			return os.WriteFile(s.Path("x"), nil, 0o600)
		}, problem: "without any attack, the victim returned an error"},
		{name: "keeps state", victim: func(s *Scene) error {
			once.Do(func() { _ = s.FS.Mkdir(filepath.Join(s.Home, "cache"), 0o700) })
			_, err := s.FS.Stat(s.Path("x"))
			return ignoreAbsent(err)
		}, problem: "it keeps state from run to run"},
		{name: "keeps an error", victim: func(s *Scene) error {
			if kept == nil && met(s) {
				kept = errors.New("somebody was here")
			}
			return kept
		}, problem: "the victim keeps state: after a schedule that ended in an error, an undisturbed run did not come out as before"},
		{name: "registers once", victim: func(s *Scene) error {
			met(s)
			if registered {
				return errors.New("registered already")
			}
			registered = true
			return nil
		}, problem: "the victim returned nil in one run and an error in another: it keeps state from run to run"},
		{name: "keeps nothing", victim: func(s *Scene) error {
			if met(s) {
				return errors.New("somebody was here")
			}
			return nil
		}},
		{name: "fails the test", victim: func(s *Scene) error {
			if met(s) {
				stub.failed = true
				runtime.Goexit()
			}
			return nil
		}, problem: "the victim failed the test (t.Error, t.Fatal or an assertion), which cannot be taken back"},
		{name: "skips the test", victim: func(s *Scene) error {
			stub.skipped = met(s)
			return nil
		}, problem: "the victim skipped the test, which cannot be taken back"},
		{name: "ends its goroutine, always", victim: func(s *Scene) error {
			met(s)
			runtime.Goexit()
			return nil
		}, problem: "without any attack, the victim ended its goroutine"},
		{name: "ends its goroutine under attack", victim: func(s *Scene) error {
			if met(s) {
				runtime.Goexit()
			}
			return nil
		}},
		{name: "panics, always", victim: func(s *Scene) error {
			met(s)
			panic("odd\nvalue")
		}, problem: "without any attack, the victim panicked: odd"},
		{name: "waits for nothing, under attack", victim: func(s *Scene) error {
			if met(s) {
				<-release
			}
			return nil
		}, opts: []Option{Moves(File), Depth(1), Budget(2 * time.Second)}, rules: "X07"},
		{name: "waits for nothing, always", victim: func(s *Scene) error {
			met(s)
			<-release
			return nil
		}, opts: []Option{Budget(2 * time.Second)}, problem: "without any attack, the victim did not come back: no call and no return within 200ms"},
		{name: "looks without end, always", victim: func(s *Scene) error {
			for {
				met(s)
			}
		}, problem: "without any attack, the victim made calls without end: more than 60000 calls"},
		{name: "looks beyond the budget, always", victim: func(s *Scene) error {
			for {
				met(s)
			}
		}, opts: []Option{ManyCalls, Budget(2 * time.Second)}, problem: "the budget is used up, and the victim was still running (Budget)", native: true},
		{name: "waits at a FIFO of its own", victim: func(s *Scene) error {
			fsys := s.FS.(*fsfake.FS)
			p := filepath.Join(s.Home, "fifo")
			if err := fsys.Mkfifo(p, 0o600); err != nil {
				return err
			}
			_, err := fsys.Open(p)
			return err
		}, problem: "without any attack, the victim did not come back: it waits at the FIFO home/fifo"},
		{name: "removes the scene", victim: func(s *Scene) error {
			return s.FS.RemoveAll(s.Dir)
		}, rules: "X01", problem: "removed the scene itself"},
		{name: "goes on in a goroutine", victim: func(s *Scene) error {
			back := make(chan struct{})
			go func() {
				<-back
				afterReturn(s)
				_ = afero.WriteFile(s.FS, s.Path("late"), nil, 0o600)
			}()
			defer close(back)
			met(s)
			return nil
		}, opts: []Option{Moves(Hardlink), Depth(1)}, rules: "R14"},
		{name: "leaves a goroutine that does nothing", victim: func(s *Scene) error {
			go func() { <-release }()
			met(s)
			return nil
		}, opts: []Option{Moves(Hardlink), Depth(1)}},
		{name: "a goroutine waits at the attacker's FIFO", victim: func(s *Scene) error {
			failed := make(chan error)
			go func() {
				_, err := s.FS.Open(s.Path("x"))
				failed <- err
			}()
			return ignoreAbsent(<-failed)
		}, opts: []Option{Moves(FIFO), Depth(1)}, rules: "X07"},
		{name: "takes another way each time", victim: func(s *Scene) error {
			if runs.Add(1)%2 == 0 {
				_, _ = s.FS.Stat(s.Path("y"))
			}
			met(s)
			return nil
		}, problem: "leaves something to chance"},
		{name: "panics in Setup", victim: func(s *Scene) error { met(s); return nil },
			opts: []Option{Setup(func(*Scene) error { panic("no") })}, problem: "Setup failed: it panicked: no"},
		{name: "ends its goroutine in Ensure", victim: func(s *Scene) error { met(s); return nil },
			opts: []Option{Ensure(func(*Scene) error { runtime.Goexit(); return nil }), Moves(Hardlink), Depth(1)}, rules: "X05"},
		{name: "waits in Setup", victim: func(s *Scene) error { met(s); return nil },
			opts: []Option{Setup(func(*Scene) error { <-release; return nil }), Budget(time.Second)}, problem: "Setup did not come back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.native && runtime.GOARCH == "wasm" {
				t.Skip("nothing preempts the victim here: the number of its calls is what ends it")
			}
			stub = &stubT{TB: t}
			r := exploreFake(stub, tt.victim, append(tt.opts, ReportOnly())...)
			var rules []string
			for _, f := range r.Findings {
				rules = append(rules, f.Rule.ID())
			}
			assert.Equal(t, tt.rules, strings.Join(rules, " "), "%v", r.Findings)
			if tt.problem == "" {
				assert.Empty(t, r.Problems)
				return
			}
			assert.False(t, r.Complete)
			require.NotEmpty(t, r.Problems)
			assert.Contains(t, strings.Join(r.Problems, "\n"), tt.problem)
		})
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// TestFakeEndsWhatItGaveUp sees that a victim that calls without end ends with
// its run, and that its disk works on for who has kept a healthy scene.
func TestFakeEndsWhatItGaveUp(t *testing.T) {
	ended := make(chan struct{}, 10)
	exploreFake(t, func(s *Scene) error {
		defer func() { ended <- struct{}{} }()
		for {
			met(s)
		}
	})
	<-ended
	var kept *Scene
	r := exploreFake(t, func(s *Scene) error { kept = s; met(s); return nil })
	require.True(t, r.Complete, r.Problems)
	require.NoError(t, afero.WriteFile(kept.FS, kept.Path("later"), []byte("x"), 0o600))
}

// TestFakeDiskRefuses holds the attacker to its powers: what they do not cover
// the disk itself refuses.
func TestFakeDiskRefuses(t *testing.T) {
	opt, err := newOptions(prove, []Option{Fake(), SameGroup()})
	require.NoError(t, err)
	d, err := newFakeDisk(opt)
	require.NoError(t, err)
	v := d.disk.As(fakeVictim())
	shared := d.abs(dirShared)
	require.NoError(t, v.Mkdir(shared+"/private", 0o700))
	require.NoError(t, v.Mkdir(shared+"/open", 0o777))
	require.NoError(t, v.Mkdir(shared+"/group", 0o770))
	require.NoError(t, afero.WriteFile(v, shared+"/open/theirs", nil, 0o602))
	for _, row := range []struct {
		what string
		do   func() error
		may  bool
	}{
		{"plant in the shared directory", func() error { return d.symlink("x", "shared/a") }, true},
		{"plant in a private one", func() error { return d.symlink("x", "shared/private/a") }, false},
		{"plant in one that is open to all", func() error { return d.mkfifo("shared/open/a") }, true},
		{"plant in the group's", func() error { return d.mkdir("shared/group/a", 0o777) }, true},
		{"plant at home", func() error { return d.mksock("home/a") }, false},
		{"move another's entry under the sticky bit", func() error { return d.rename("shared/open", "attic/away") }, false},
		{"exchange it", func() error { return d.exchange("shared/a", "shared/private") }, false},
		{"move its own", func() error { return d.rename("shared/a", "shared/b") }, true},
		{"move another's without the bit", func() error { return d.rename("shared/open/theirs", "attic/theirs") }, true},
		{"write into another's open file", func() error { return d.write("attic/theirs", "x", 0) }, true},
		{"link to what it may reach", func() error { return d.link(vaultFile, "attic/hard") }, true},
		{"write to the vault", func() error { return d.thief[0].Symlink("x", "vault/a") }, false},
	} {
		if err := row.do(); row.may {
			assert.NoError(t, err, row.what)
		} else {
			assert.ErrorIs(t, err, os.ErrPermission, row.what)
		}
	}
	require.NoError(t, d.disk.As(fsfake.User{}).Chmod(shared, 0o777))
	assert.NoError(t, d.rename("shared/private", "attic/private"), "without the sticky bit, a directory that it cannot write can be moved")
}

// TestFakeRefusesSignals: a schedule of Kills with a signal is for a process.
func TestFakeRefusesSignals(t *testing.T) {
	look := func(s *Scene) error { met(s); return nil }
	schedule := ""
	r := exploreFakeBy(kills, t, look, optionFunc(func(o *options) {
		o.ran = func(p []placed) {
			if s := scheduleString(p); strings.HasPrefix(s, "SIG") {
				schedule = s
			}
		}
	}))
	require.True(t, r.Complete, r.Problems)
	require.Contains(t, schedule, "SIGKILL@newfstatat:shared/x:")
	r = exploreFakeBy(kills, t, look, Replay(strings.Replace(schedule, "SIGKILL", "SIGTERM", 1)))
	require.Len(t, r.Problems, 1)
	assert.Contains(t, r.Problems[0], "SIGTERM cannot be sent to one goroutine of this process")
}

// TestFakeEndsWhatItKills: what a killed victim has deferred runs, so that its
// locks are free again, and comes to the disk no more; nor do its goroutines.
func TestFakeEndsWhatItKills(t *testing.T) {
	var lock sync.Mutex
	var astray atomic.Int64
	r := exploreFakeBy(kills, t, func(s *Scene) error {
		lock.Lock()
		defer lock.Unlock()
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		back := make(chan struct{})
		defer func() { <-back }()
		go func() {
			defer close(back)
			_, _ = f.WriteString("x")
		}()
		defer func() {
			err = s.FS.Remove(f.Name())
			if err != nil {
				astray.Add(1)
			}
		}()
		return f.Close()
	}, Allow(rules.R06, "a panic between creation and defer"), ReportOnly())
	require.True(t, r.Complete, r.Problems)
	require.NotEmpty(t, r.Findings)
	for _, f := range r.Findings {
		assert.Equal(t, "R07", f.Rule.ID(), f)
	}
	assert.Zero(t, astray.Load())
}

// TestFakeInjectNotReached: a boundary that the undisturbed runs showed and that
// does not come again ends the search, since the victim has kept that.
func TestFakeInjectNotReached(t *testing.T) {
	runs := 0
	r := exploreFakeBy(faults, t, func(s *Scene) error {
		if runs++; runs <= 3 { // those that are undisturbed
			if _, err := s.FS.Stat(s.Dir); err != nil {
				return err
			}
		}
		return s.FS.Mkdir(s.Path("out"), 0o700)
	}, Target("out"))
	assert.False(t, r.Complete)
	assert.Contains(t, strings.Join(r.Problems, "\n"), "the victim keeps state")
}

// TestFakePanics has the disk, a hook of the test's and the victim panic, or
// stand still, in a call: the verdict comes, and says whose fault it is.
func TestFakePanics(t *testing.T) {
	hooked := func(hook func(op *fsfake.Op) fsfake.Hook) Victim {
		return func(s *Scene) error {
			v := s.FS.(*fsfake.FS)
			var once sync.Once
			remove := v.Disk().Hook(hook(nil))
			defer once.Do(remove)
			return afero.WriteFile(v, s.Path("out"), []byte("x"), 0o600)
		}
	}
	tests := []struct {
		name   string
		victim Victim
		want   string
	}{
		{"the disk", func(s *Scene) error {
			v := s.FS.(*fsfake.FS)
			v.Disk().Remount(fsfake.Clock(func() time.Time { panic("no time") }))
			defer v.Disk().Remount(fsfake.Clock(time.Now))
			return afero.WriteFile(v, s.Path("out"), []byte("x"), 0o600)
		}, "a call on the disk in memory panicked (open shared/out)"},
		{"a hook before", hooked(func(*fsfake.Op) fsfake.Hook {
			return fsfake.Hook{Before: func(*fsfake.Op) error { panic("hook") }}
		}), "a call on the disk in memory panicked (open shared/out)"},
		{"a hook after", hooked(func(*fsfake.Op) fsfake.Hook {
			return fsfake.Hook{After: func(*fsfake.Op) { panic("hook") }}
		}), "panicked: hook"},
		{"the victim", func(s *Scene) error {
			_, _ = s.FS.Stat(s.Path("out"))
			panic("victim")
		}, "panicked: victim"},
		{"a hook that waits for ever", hooked(func(*fsfake.Op) fsfake.Hook {
			return fsfake.Hook{Before: func(*fsfake.Op) error { select {} }}
		}), "budget"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := exploreFake(t, tt.victim, Budget(2*time.Second))
			assert.False(t, r.Complete)
			require.NotEmpty(t, r.Problems)
			assert.Contains(t, r.Problems[0], tt.want)
		})
	}
}
