package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// attack.Prove runs the test that calls it again, and a benchmark cannot be
// run again alone. So each benchmark runs a test of this binary, which leaves
// the report in a file. What is measured is the report's Elapsed; two proofs of
// different size are compared, so that the starts of the children do not
// count.

const envReport = "TMPPROOF_BENCH_REPORT"

// proofs are the tests' victims.
var proofs = map[string]struct {
	victim attack.Victim
	opts   []attack.Option
	verb   func(*testing.T, attack.Victim, ...attack.Option) *attack.Report // nil: Prove
}{
	"three calls, small":     {func(s *attack.Scene) error { return threeCalls(s.Dir) }, []attack.Option{attack.Target("out"), attack.Unsticky(), attack.Depth(1)}, nil},
	"three calls, depth two": {func(s *attack.Scene) error { return threeCalls(s.Dir) }, []attack.Option{attack.Target("out"), attack.Unsticky()}, nil},
	"three calls, large":     {func(s *attack.Scene) error { return threeCalls(s.Dir) }, []attack.Option{attack.Target("out"), attack.Unsticky(), attack.Depth(4), attack.Schedules(20_000)}, nil},
	"stat, write":            {func(s *attack.Scene) error { return statWrite(s.Dir) }, []attack.Option{attack.Target("out")}, nil},
	"no lookups":             {lookups(0), nil, nil},
	"2,000 lookups":          {lookups(2000), nil, nil},
	"faults":                 {func(s *attack.Scene) error { return threeCalls(s.Dir) }, []attack.Option{attack.Target("out")}, attack.Faults},
	"kills":                  {func(s *attack.Scene) error { return threeCalls(s.Dir) }, []attack.Option{attack.Target("out")}, attack.Kills},
}

// TestProof is a proof for a benchmark.
func TestProof(t *testing.T) {
	file := os.Getenv(envReport)
	if file == "" {
		t.Skip("run by the benchmarks of attack.Prove, with " + envReport)
	}
	for name, p := range proofs {
		t.Run(name, func(t *testing.T) {
			verb := p.verb
			if verb == nil {
				verb = attack.Prove
			}
			report := verb(t, p.victim, append(p.opts, attack.ReportOnly())...)
			report.Findings = report.Findings[:min(len(report.Findings), 1)]
			data, err := json.Marshal(report)
			if err == nil {
				err = os.WriteFile(file, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// prove runs a proof in a process of its own.
//
// cpu is the processor time of both sides: on a machine that has other work it
// varies less than Elapsed.
func prove(b *testing.B, name string, args ...string) (r attack.Report, cpu time.Duration) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "report")
	cmd := exec.Command(exe, append(args, "-test.run=^TestProof$/^"+name+"$")...)
	cmd.Env = append(os.Environ(), envReport+"="+file)
	out, failed := cmd.CombinedOutput()
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatalf("%v %v\n%s", failed, err, out)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		b.Fatal(err)
	}
	return r, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// ownCPU is the processor time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSchedule is one schedule of the three-boundary victim, scene reset
// and judgement included, most with the four moves that its depth allows: in
// one child, as with GOMAXPROCS=1, and in as many as there are processors.
// TMPPROOF_BENCH_PROFILE names a file for the parent's CPU profile.
func BenchmarkSchedule(b *testing.B) {
	for _, row := range []struct {
		name string
		args []string
	}{{"1child", []string{"-test.cpu=1"}}, {"children", nil}} {
		b.Run(row.name, func(b *testing.B) { schedules(b, row.args) })
	}
}

func schedules(b *testing.B, args []string) {
	profiled := args
	if profile := os.Getenv("TMPPROOF_BENCH_PROFILE"); profile != "" {
		profiled = append(slices.Clone(args), "-test.cpuprofile="+profile)
	}
	var took, cpu time.Duration
	var schedules int
	for b.Loop() {
		small, cpuSmall := prove(b, "three calls, small", args...)
		large, cpuLarge := prove(b, "three calls, large", profiled...)
		cpu += cpuLarge - cpuSmall
		took += large.Elapsed - small.Elapsed
		schedules += large.Schedules - small.Schedules
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(schedules), "ns/schedule")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(schedules), "cpu-ns/schedule")
	b.ReportMetric(float64(schedules)/took.Seconds(), "schedules/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFault is one fault in the three-boundary victim, and BenchmarkKill
// one end of it, in a process of its own; what the undisturbed runs take is
// divided among them.
func BenchmarkFault(b *testing.B) { benchmarkInjection(b, "faults") }

// BenchmarkKill is described with BenchmarkFault.
func BenchmarkKill(b *testing.B) { benchmarkInjection(b, "kills") }

func benchmarkInjection(b *testing.B, name string) {
	var took time.Duration
	var schedules int
	for b.Loop() {
		r, _ := prove(b, name)
		took += r.Elapsed
		schedules += r.Schedules
	}
	b.ReportMetric(float64(schedules)/took.Seconds(), "runs/s")
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/verdict")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkUnsupervised is the same victim and the reset of its scene, with
// nobody looking on.
func BenchmarkUnsupervised(b *testing.B) {
	dir, home := b.TempDir(), b.TempDir()
	before := ownCPU(b)
	for b.Loop() {
		if err := reset(dir, home); err != nil {
			b.Fatal(err)
		}
		if err := threeCalls(dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((ownCPU(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkVerdict is a whole proof, from the call to the report: two children
// started, every schedule run. The first finding comes before.
func BenchmarkVerdict(b *testing.B) {
	for _, name := range []string{"stat, write", "three calls, depth two"} {
		b.Run(strings.ReplaceAll(name, " ", ""), func(b *testing.B) {
			var took time.Duration
			n := 0
			for b.Loop() {
				r, _ := prove(b, name)
				if len(r.Findings) == 0 {
					b.Fatal("not broken")
				}
				took += r.Elapsed
				n++
			}
			b.ReportMetric(float64(took.Microseconds())/1000/float64(n), "ms/verdict")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkBoundary is one call of the victim that is stopped, looked into and
// let go without a move.
func BenchmarkBoundary(b *testing.B) {
	var took, cpu time.Duration
	calls := 0
	for b.Loop() {
		none, cpuNone := prove(b, "no lookups")
		many, cpuMany := prove(b, "2,000 lookups")
		cpu += cpuMany - cpuNone
		took += many.Elapsed - none.Elapsed
		calls += 2000 * (many.Schedules + 3) // and three undisturbed runs
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(calls), "ns/boundary")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(calls), "cpu-ns/boundary")
	b.ReportMetric(0, "ns/op")
}

const envStrace = "TMPPROOF_BENCH_STRACE"

// TestStraceVictim is what strace is given: the three-boundary victim once, or
// 2,000 lookups.
func TestStraceVictim(t *testing.T) {
	dir := os.Getenv(envStrace)
	if dir == "" {
		t.Skip("run by the benchmarks of strace, with " + envStrace)
	}
	if os.Getenv(envStrace+"_LOOKUPS") != "" {
		begin := time.Now()
		for range 2000 {
			_, _ = os.Lstat(dir + "/none")
		}
		fmt.Printf("took %d\n", time.Since(begin).Nanoseconds())
		return
	}
	_ = threeCalls(dir)
}

// BenchmarkStraceSchedule is one `strace -f -e inject` of the same victim: a
// process each time, since an injection is given at its start.
func BenchmarkStraceSchedule(b *testing.B) {
	strace := straceOrSkip(b)
	dir := b.TempDir()
	for b.Loop() {
		if err := reset(dir); err != nil {
			b.Fatal(err)
		}
		runStrace(b, strace, dir)
	}
}

// BenchmarkStraceBoundary is one call that strace stops at and lets go.
func BenchmarkStraceBoundary(b *testing.B) {
	strace := straceOrSkip(b)
	b.Setenv(envStrace+"_LOOKUPS", "1")
	dir := b.TempDir()
	var took, n int64
	for b.Loop() {
		var one int64
		out := runStrace(b, strace, dir)
		if _, err := fmt.Sscanf(out, "took %d", &one); err != nil {
			b.Fatal(err, out)
		}
		took, n = took+one, n+2000
	}
	b.ReportMetric(float64(took)/float64(n), "ns/boundary")
	b.ReportMetric(0, "ns/op")
}

func straceOrSkip(b *testing.B) string {
	b.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		b.Skip("strace is not installed (apt-get install strace)")
	}
	return strace
}

func runStrace(b *testing.B, strace, dir string) string {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-o", os.DevNull, "-e", "trace=%file", "-e", "inject=renameat,renameat2,rename:error=EACCES:when=1",
		exe, "-test.run=^TestStraceVictim$")
	cmd.Env = append(os.Environ(), envStrace+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
