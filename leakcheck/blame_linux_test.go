package leakcheck

import (
	"encoding/hex"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func inRoot(name string) string { return filepath.Join(os.TempDir(), name) }

// awaits is a test that goes on until a file is there, at most for a while.
func awaits(name string) func(t *testing.T) {
	return func(t *testing.T) {
		for end := time.Now().Add(2 * time.Second); !exists(inRoot(name)) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
}

func writes(name string) func(t *testing.T) {
	return func(t *testing.T) { must(t, os.WriteFile(inRoot(name), nil, 0o600)) }
}

// addBlame adds runs in which time alone would name the wrong test.
func addBlame(add func(string, fixture)) {
	add("late goroutine beside the next test", fixture{tests: tests(func(t *testing.T) {
		name := inRoot("late")
		go func() {
			time.Sleep(300 * time.Millisecond)
			_ = os.WriteFile(name, nil, 0o600)
		}()
	}, awaits("late"), nothing)})
	add("late child beside the next test", fixture{tests: tests(func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `(sleep 0.3; echo >"$TMPDIR/late") >/dev/null 2>&1 &`).Run())
	}, awaits("late"), nothing)})
	add("removed and made again", fixture{tests: tests(writes("state"), func(t *testing.T) {
		_ = os.Remove(inRoot("state"))
		must(t, os.WriteFile(inRoot("state"), nil, 0o600))
	}, nothing)})
	add("made again only where it was", fixture{tests: tests(writes("state"), func(t *testing.T) {
		if os.Remove(inRoot("state")) == nil {
			must(t, os.WriteFile(inRoot("state"), nil, 0o600))
		}
	}, nothing)})
	add("left by one, by the other open too", fixture{tests: tests(func(t *testing.T) { must(t, temp(t, "m-*").Close()) }, func(t *testing.T) {
		kept = append(kept, temp(t, "m-*"))
	})})
	hexName := func(t *testing.T) { must(t, os.WriteFile(inRoot(hex.EncodeToString(drawn(8))+".txt"), nil, 0o600)) }
	add("two with one pattern", fixture{tests: tests(parallel(hexName), parallel(nothing), parallel(hexName), parallel(nothing))})
	add("fixed names", fixture{tests: tests(parallel(writes("part-1")), parallel(writes("part-2")), parallel(nothing))})
	add("subtest", fixture{tests: tests(func(t *testing.T) {
		t.Run("x", func(t *testing.T) {
			t.Run("z", parallel(nothing))
			t.Run("y", parallel(leakFile))
		})
	})})
	add("renamed", fixture{tests: tests(func(t *testing.T) {
		f := temp(t, "tmp-")
		must(t, f.Close())
		must(t, os.Rename(f.Name(), inRoot("final")))
	})})
	addElsewhere(add)
	add("benchmark", fixture{tests: tests(nothing), main: func(m *testing.M) int {
		flag.Parse()
		_ = flag.Set("test.bench", ".")
		_ = flag.Set("test.benchtime", "29x")
		*field[testing.InternalBenchmark](m, "benchmarks") = []testing.InternalBenchmark{{Name: "BenchmarkA", F: func(b *testing.B) {
			for range b.N {
				f, _ := os.CreateTemp("", "bench-*")
				f.Close()
			}
		}}}
		return Run(m)
	}})
	add("fuzz seed", fixture{tests: tests(nothing), main: func(m *testing.M) int {
		*field[testing.InternalFuzzTarget](m, "fuzzTargets") = []testing.InternalFuzzTarget{{Name: "FuzzA", Fn: func(f *testing.F) {
			f.Add(0)
			f.Add(1)
			f.Fuzz(func(t *testing.T, n int) {
				if n == 1 {
					f, err := os.CreateTemp("", "seed-*")
					must(t, err)
					must(t, f.Close())
				}
			})
		}}}
		return Run(m)
	}})
}

// addElsewhere adds tests that leave open what is not in the root, and their
// twins.
func addElsewhere(add func(string, fixture)) {
	for name, open := range map[string]func(t *testing.T) []io.Closer{
		"pipe": func(t *testing.T) []io.Closer {
			r, w, err := os.Pipe()
			must(t, err)
			return []io.Closer{r, w}
		},
		"file": func(t *testing.T) []io.Closer {
			f, err := os.Open("/etc/passwd")
			must(t, err)
			return []io.Closer{f}
		},
		"TCP": func(t *testing.T) []io.Closer {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			return []io.Closer{l}
		},
		"Unix": func(t *testing.T) []io.Closer {
			l, err := net.Listen("unix", "@"+t.Name()+strconv.Itoa(os.Getpid()))
			must(t, err)
			return []io.Closer{l}
		},
	} {
		leaks := func(t *testing.T) { kept = append(kept, open(t)) }
		closes := func(t *testing.T) {
			for _, c := range open(t) {
				must(t, c.Close())
			}
		}
		late := func(t *testing.T) { // closed by a goroutine that is about to
			list := open(t)
			go func() {
				time.Sleep(20 * time.Millisecond)
				for _, c := range list {
					c.Close()
				}
			}()
		}
		add("elsewhere, "+name, fixture{tests: tests(checked(closes), checked(leaks), checked(late)), main: plainMain})
		add("elsewhere, "+name+", closed", fixture{tests: tests(checked(closes), checked(late), parallel(checked(closes))), main: plainMain})
		add("elsewhere, "+name+", parallel", fixture{tests: tests(parallel(checked(closes)), parallel(checked(leaks)), parallel(checked(closes))), main: plainMain})
		add("elsewhere, "+name+", allowed", fixture{tests: tests(checked(leaks, AllowElsewhere())), main: plainMain})
		add("elsewhere, "+name+", without Check", fixture{tests: tests(leaks)})
	}
}

// TestElsewhere: pipes, sockets and files that Check finds open, and those that
// it does not.
func TestElsewhere(t *testing.T) {
	for name, left := range map[string]string{"pipe": `left 2 times "pipe" open`, "file": `left "/etc/passwd" open`, "TCP": `left "socket" open`, "Unix": `left "socket" open`} {
		for arrangement, want := range map[string]string{"": "TestB " + left, ", parallel": "TestB " + left, ", closed": "", ", allowed": "", ", without Check": ""} {
			t.Run(name+arrangement, func(t *testing.T) {
				t.Parallel()
				r := runFixture(t, "elsewhere, "+name+arrangement)
				if want == "" {
					assert.Zero(t, r.code, r.out)
					assert.NotContains(t, r.out, "leakcheck")
					return
				}
				assert.Equal(t, 1, r.code, r.out)
				assert.Contains(t, r.out, want)
				assert.Equal(t, 1, strings.Count(r.out, " left "), r.out)
				requireNothingLeft(t, r)
			})
		}
	}
}
