package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The alternative to schedules is luck: a goroutine that plants and removes a
// symlink as fast as it can, beside a victim that is run again and again.

const (
	envRace    = "TMPPROOF_BENCH_RACE"
	raceTrials = 20
	raceLimit  = 5 * time.Second // of one trial
)

// TestRacer prints, for each trial, after how many runs of Stat; WriteFile the
// racer has won, 0 if it has not within the limit.
func TestRacer(t *testing.T) {
	if os.Getenv(envRace) == "" {
		t.Skip("run by BenchmarkRacer, with " + envRace)
	}
	for range raceTrials {
		fmt.Println("tries", triesUntilWin(t))
	}
}

func triesUntilWin(t *testing.T) int {
	dir, vault := t.TempDir(), filepath.Join(t.TempDir(), "canary")
	out := filepath.Join(dir, "out")
	if err := os.WriteFile(vault, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			_ = os.Symlink(vault, out)
			_ = os.Remove(out)
		}
	}()
	defer func() { stop.Store(true); <-done }()
	for tries, begin := 1, time.Now(); time.Since(begin) < raceLimit; tries++ {
		_ = statWrite(dir)
		if fi, err := os.Stat(vault); err == nil && fi.Size() != int64(len("canary")) {
			return tries
		}
		_ = os.Remove(out)
	}
	return 0
}

// BenchmarkRacer gives the median and the worst of the trials.
func BenchmarkRacer(b *testing.B) {
	for _, cpus := range []int{1, 2} {
		b.Run(strconv.Itoa(cpus)+"cpu", func(b *testing.B) {
			if runtime.NumCPU() < cpus {
				b.Skipf("%d CPUs are needed", cpus)
			}
			taskset, err := exec.LookPath("taskset")
			if err != nil {
				b.Skip("taskset is not installed (util-linux)")
			}
			for b.Loop() {
				race(b, taskset, cpus)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func race(b *testing.B, taskset string, cpus int) {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(taskset, "-c", fmt.Sprintf("0-%d", cpus-1), exe, "-test.run=^TestRacer$")
	cmd.Env = append(os.Environ(), envRace+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var tries []int
	lost := 0
	for text := string(out); ; {
		var n int
		if _, err := fmt.Sscanf(text, "tries %d\n", &n); err != nil {
			break
		}
		_, text, _ = strings.Cut(text, "\n")
		if n == 0 {
			lost++
			continue
		}
		tries = append(tries, n)
	}
	slices.Sort(tries)
	if len(tries) > 0 {
		b.ReportMetric(float64(tries[len(tries)/2]), "median-tries")
		b.ReportMetric(float64(tries[len(tries)-1]), "worst-tries")
	}
	b.ReportMetric(float64(lost), "trials-lost")
}
