package attack_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	randv2 "math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// wholeText is all that a verdict says but how long it took.
func wholeText(rep *attack.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d boundaries, %d schedules, complete: %t\n", rep.Boundaries, rep.Schedules, rep.Complete)
	for _, p := range rep.Problems {
		fmt.Fprintln(&b, p)
	}
	for _, f := range rep.Findings {
		fmt.Fprintln(&b, f, f.Schedule)
	}
	for _, a := range rep.Assumptions {
		fmt.Fprintln(&b, a)
	}
	return b.String()
}

func uuid4() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// adopts makes a directory if it is not there, and works in it.
func adopts(dir string) error {
	return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(dir+"/out", []byte("x"), 0o600), os.RemoveAll(dir))
}

// unsteady are victims in which something differs from run to run on the
// machine's own clock and chance.
var unsteady = []struct {
	name   string
	victim attack.Victim
	opts   []attack.Option
	breaks bool
	order  bool // of its calls is Go's, which draws for each of its threads
}{
	{"one of ten", func(s *attack.Scene) error { return adopts(s.Path(fmt.Sprint("app-", randv2.IntN(10)))) }, nil, true, false},
	{"seconds in hexadecimal", func(s *attack.Scene) error { return adopts(s.Path(fmt.Sprintf("app-%x", time.Now().Unix()))) }, nil, true, false},
	{"the order of a map", func(s *attack.Scene) error {
		var errs []error
		for name := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true} {
			errs = append(errs, os.WriteFile(s.Path(name), []byte("x"), 0o600))
		}
		return errors.Join(errs...)
	}, []attack.Option{attack.Target("?")}, true, true},
	{"a target that is a uuid", func(s *attack.Scene) error { return os.WriteFile(s.Path("id"), []byte(uuid4()+"\n"), 0o600) }, []attack.Option{attack.Target("id")}, true, false},
	{"a uuid, written safely", func(s *attack.Scene) error {
		return writeSafely(s, "id", uuid4()+"\n")
	}, []attack.Option{attack.Target("id")}, false, false},
	{"a process number, written safely", func(s *attack.Scene) error {
		return writeSafely(s, "pid", strconv.Itoa(os.Getpid())+"\n")
	}, []attack.Option{attack.Target("pid")}, false, false},
	{"a process number", func(s *attack.Scene) error {
		return os.WriteFile(s.Path("pid"), []byte(strconv.Itoa(os.Getpid())), 0o600)
	}, []attack.Option{attack.Target("pid")}, true, false},
	{"lines of a log, with times", func(s *attack.Scene) error {
		f, err := os.OpenFile(s.Path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "%s begun\n%s done\n", time.Now().Format(time.RFC3339Nano), time.Now().Format(time.RFC3339Nano))
		return errors.Join(err, f.Close())
	}, []attack.Option{attack.Target("log")}, true, false},
	{"a byte of /dev/urandom, in a shell", func(s *attack.Scene) error {
		return exec.Command("sh", "-c", `d=$0/app-$(head -c 1 /dev/urandom | od -An -tu1 | tr -d ' '); mkdir -p "$d" && rm -r "$d"`, s.Dir).Run()
	}, nil, true, false},
}

// writeSafely makes a file by a name of chance and puts it in place.
func writeSafely(s *attack.Scene, name, content string) error {
	f, err := os.CreateTemp(s.Dir, "."+name+"-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.Path(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// TestStable: such verdicts say the same each time.
func TestStable(t *testing.T) {
	times := 3
	if sample.Long() {
		times = 50
	}
	for i, row := range unsteady {
		t.Run(row.name, func(t *testing.T) {
			if sample.Short() && i%3 != 0 {
				t.Skip("in the part of the table that this run leaves out")
			}
			first := ""
			for range times {
				rep := attack.Prove(t, row.victim, append(row.opts, attack.ReportOnly(), attack.Depth(1))...)
				assert.Empty(t, rep.Problems)
				assert.True(t, rep.Complete)
				assert.Equal(t, row.breaks, len(rep.Findings) > 0)
				text := wholeText(rep)
				if row.order {
					text = fmt.Sprint(rep.Boundaries, rulesOf(rep))
				}
				if first == "" {
					first = text
				}
				assert.Equal(t, first, text)
			}
		})
	}
}
