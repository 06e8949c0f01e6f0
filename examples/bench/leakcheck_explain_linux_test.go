package bench

import (
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/tmpproof/tmpproof/leakcheck"
)

// sixVariable makes this binary a test run of six tests, two of which leak,
// checked by leakcheck: with an explanation, without ("plain"), or not at all
// ("unchecked").
const sixVariable = "BENCH_SIX"

func TestMain(m *testing.M) {
	flag.Parse()
	switch os.Getenv(sixVariable) {
	case "explained":
		leakcheck.Main(m)
	case "plain":
		leakcheck.Main(m, leakcheck.Explain(false))
	}
	os.Exit(m.Run())
}

func leaveFile(t *testing.T, leaks bool) {
	if os.Getenv(sixVariable) == "" {
		t.Skip("is a part of BenchmarkLeakcheckExplain")
	}
	t.Parallel()
	f, err := os.CreateTemp("", "upload-*.tmp")
	if err != nil {
		t.Fatal(err)
	}
	if f.Close(); !leaks {
		os.Remove(f.Name())
	}
}

func TestSixA(t *testing.T) { leaveFile(t, false) }
func TestSixB(t *testing.T) { leaveFile(t, true) }
func TestSixC(t *testing.T) { leaveFile(t, false) }
func TestSixD(t *testing.T) { leaveFile(t, false) }
func TestSixE(t *testing.T) { leaveFile(t, true) }
func TestSixF(t *testing.T) { leaveFile(t, false) }

// BenchmarkLeakcheckExplain is a run of six parallel tests of which two leave a
// file: the difference of the first two rows is what it takes to name test and
// line, that of the last two what a process that is checked takes more than one
// that is not.
func BenchmarkLeakcheckExplain(b *testing.B) {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, mode := range []string{"explained", "plain", "unchecked"} {
		b.Run(mode, func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				cmd := exec.Command(exe, "-test.run=^TestSix[A-F]$")
				cmd.Dir = dir // no sources to look through
				cmd.Env = append(os.Environ(), sixVariable+"="+mode, "TMPDIR="+dir)
				out, err := cmd.CombinedOutput()
				if mode != "unchecked" && cmd.ProcessState.ExitCode() != 1 || mode == "unchecked" && err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
