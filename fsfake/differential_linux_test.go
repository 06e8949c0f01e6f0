package fsfake_test

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/tmpproof/tmpproof/fsfake"
)

func addressOf(s []uint32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

func pointer(p *byte) uintptr { return uintptr(unsafe.Pointer(p)) }

// session compares the fake with one directory of the kernel's.
type session struct {
	t      testing.TB
	kernel *kernelWorld
	opts   []fsfake.Option
	tiny   bool
}

// run plays calls from an empty directory.
func (s *session) run(root int, calls []call) (string, int) {
	r := rootModes[root]
	if len(s.kernel.users) == 1 {
		r.uid, r.gid = s.kernel.users[0].uid, s.kernel.users[0].gid
		r.mode |= 0o700
	}
	s.kernel.reset(r.mode, r.uid, r.gid)
	fake := newFakeWorld(s.t, s.kernel.users, s.kernel.base, r.mode, r.uid, r.gid, s.opts...)
	defer fake.end()
	return play(s.kernel, fake, calls)
}

// explain shrinks a failing run and prints it as a file for testdata/kernel.
func (s *session) explain(root int, calls []call) string {
	calls = shrink(calls, func(c []call) bool {
		d, _ := s.run(root, c)
		return d != ""
	})
	diff, done := s.run(root, calls)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nroot %d\n", diff, root)
	for _, c := range calls[:done] {
		fmt.Fprintln(&b, strings.ReplaceAll(c.String(), s.kernel.base+"/", ""))
	}
	return b.String()
}

// TestKernelAgrees compares random runs with the kernel. FSFAKE_CALLS sets how
// many calls to make (20,000 by default; fewer if the test's deadline is near),
// FSFAKE_SEED where to start.
func TestKernelAgrees(t *testing.T) {
	total := setting(t, "FSFAKE_CALLS", 20_000)
	seed := uint64(setting(t, "FSFAKE_SEED", 1))
	const length = 80
	start := time.Now()
	opts := sysctls(t)
	made := 0
	run := func(s *session, total int) {
		w := s.kernel
		for ; made < total && !t.Failed(); made += length {
			if end, ok := t.Deadline(); ok && time.Until(end) < 10*time.Second {
				break // report what was done
			}
			g := &generator{chooser: seeded(seed), users: len(w.users), base: w.base, odd: seed%2 == 0, tiny: s.tiny}
			root := g.IntN(len(rootModes))
			calls := g.calls(length)
			if diff, done := s.run(root, calls); diff != "" {
				t.Errorf("seed %d, after %d calls: %s\nshortest:\n%s", seed, done, diff, s.explain(root, calls[:done]))
			}
			seed++
		}
	}
	// On disks that are soon full the last tenth.
	onTmpfs(t, func(w *kernelWorld) { run(&session{t: t, kernel: w, opts: opts}, total-total/10) })
	for i, size := range tinySizes {
		onTinyTmpfs(t, size, func(w *kernelWorld) {
			run(&session{t: t, kernel: w, opts: append(opts, size.options()...), tiny: true}, total-total/10*(len(tinySizes)-1-i)/len(tinySizes))
		})
	}
	t.Logf("%d calls, next seed %d, %v", made, seed, time.Since(start).Round(time.Second))
}

// TestManualPagesOfTheKernel holds the table of the manual pages against the
// kernel itself.
func TestManualPagesOfTheKernel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to act for four users")
	}
	if sysctl(t, "protected_hardlinks") == 0 {
		t.Skip("fs.protected_hardlinks is off; the table has it on")
	}
	onTmpfs(t, func(w *kernelWorld) {
		w.users = people
		manPageRows(t, func() world {
			w.reset(0o1777, 0, 0)
			return w
		})
	})
}

// FuzzKernel lets the fuzzer choose the calls.
func FuzzKernel(f *testing.F) {
	for seed := range byte(4) {
		f.Add([]byte(strings.Repeat(string([]byte{seed, 7 * seed, 31 + seed}), 100)))
	}
	opts := sysctls(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		onTmpfs(t, func(w *kernelWorld) {
			s := &session{t: t, kernel: w, opts: opts}
			g := &generator{chooser: &byteChooser{data}, users: len(w.users), base: w.base, odd: len(data)%2 == 0}
			root := g.IntN(len(rootModes))
			calls := g.calls(min(len(data)/8, 100))
			if diff, _ := s.run(root, calls); diff != "" {
				t.Errorf("%s", s.explain(root, calls))
			}
		})
	})
}

//go:embed testdata/regressions.txt
var regressions string

// TestKernelRegressions plays the shortest run of each kind that once differed.
// A run begins with "root N", an index of rootModes, after a line that says what
// differed.
func TestKernelRegressions(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to act for several users")
	}
	opts := sysctls(t)
	onTmpfs(t, func(w *kernelWorld) {
		s := &session{t: t, kernel: w, opts: opts}
		for run := range strings.SplitSeq(strings.TrimSpace(regressions), "\n\n") {
			title, run, _ := strings.Cut(run, "\n")
			first, rest, _ := strings.Cut(run, "\n")
			root := 0
			if _, err := fmt.Sscanf(first, "root %d", &root); err != nil {
				panic(title + ": " + err.Error())
			}
			var calls []call
			for line := range strings.Lines(rest) {
				c, err := parseCall(strings.TrimSpace(line))
				if err != nil {
					panic(line + ": " + err.Error())
				}
				calls = append(calls, c)
			}
			if diff, _ := s.run(root, calls); diff != "" {
				t.Errorf("%s: %s", title, diff)
			}
		}
	})
}
