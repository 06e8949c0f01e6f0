package guideline

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// envRepeat is how often TestSameText takes the tour; if it is not given, twice
// with TMPPROOF_LONG=1 and else not at all. A hundred times, as it is done by hand, in all the ways that must
// make no difference:
//
//	export TMPPROOF_REPEAT=100
//	go test -v -run TestSameText ./examples/guideline
//	go test -v -run TestSameText -race ./examples/guideline
//	go test -v -run TestSameText -cpu=1 ./examples/guideline
//	TMPDIR=/dev/shm go test -v -run TestSameText ./examples/guideline    # tmpfs; /tmp is on a disk
//	TMPPROOF_HOG=1 go test -v -run TestSameText ./examples/guideline     # two busy loops for each CPU
//	go build -o /tmp/asuser ./.ci/asuser && go test -v -run TestSameText -exec /tmp/asuser ./examples/guideline
//
// Each prints the hash of the text, which is the same for all of them.
const (
	envRepeat = "TMPPROOF_REPEAT"
	envHog    = "TMPPROOF_HOG"
)

// elapsed matches what may differ between two runs: time, and the lines that
// a run prints while it takes its time.
var elapsed = regexp.MustCompile(`(?m), [0-9.]+[nµm]?s$| \([0-9.]+s\)$|^.* known schedules, .*\n|^(ok|PASS|coverage:).*\n`)

// TestSameText takes the whole tour again and again, each time in a process
// of its own: what it prints is the same to the byte.
func TestSameText(t *testing.T) { sameText(t, "^Test(Incorrect|Correct)$") }

// sameText runs tests again and again, each time in a process of its own.
func sameText(t *testing.T, tests string) {
	times := 2
	if v := os.Getenv(envRepeat); v != "" {
		n, err := strconv.Atoi(v)
		require.NoError(t, err, "%s is a number of repetitions", envRepeat)
		times = n
	} else if !sample.Long() {
		t.Skip("takes the whole tour twice: run with TMPPROOF_LONG=1, or " + envRepeat + "=n")
	}
	if os.Getenv(envHog) != "" {
		hog(t)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	var first string
	for i := range times {
		tour := exec.Command(self, "-test.v", "-test.run="+tests, "-test.cpu="+strconv.Itoa(runtime.GOMAXPROCS(0)))
		out, err := tour.CombinedOutput()
		text := elapsed.ReplaceAllString(string(out), "")
		require.NoError(t, err, "tour %d:\n%s", i+1, text)
		if i == 0 {
			first = text
		}
		if text != first {
			t.Fatalf("tour %d of %d differs from the first:\n%s", i+1, times, difference(first, text))
		}
	}
	t.Logf("%d tours, %d lines each, sha256 %x", times, strings.Count(first, "\n"), sha256.Sum256([]byte(first)))
}

// hog keeps all CPUs busy for the length of the test.
func hog(t *testing.T) {
	for range 2 * runtime.NumCPU() {
		loop := exec.Command("sh", "-c", "while :; do :; done")
		require.NoError(t, loop.Start())
		t.Cleanup(func() {
			_ = loop.Process.Kill()
			_ = loop.Wait()
		})
	}
}

// difference shows the first line that differs, with those around it.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < len(as) && i < len(bs) && as[i] == bs[i] {
		i++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(0, i-8):min(len(lines), i+8)], "\n")
	}
	return fmt.Sprintf("line %d\n--- first\n%s\n--- now\n%s", i+1, around(as), around(bs))
}
