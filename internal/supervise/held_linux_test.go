//go:build amd64 || arm64

package supervise

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/still"
	"golang.org/x/sys/unix"
)

// say tells the test a line.
func say(format string, args ...any) {
	if _, err := child.Call(opMark, fmt.Appendf(nil, format, args...)); err != nil {
		os.Exit(6)
	}
}

// knowable are programs whose output follows from what can be known, by the
// program that they need.
var knowable = [][]string{
	{"date", "+%s.%N"},
	{"sh", "-c", "echo $$"},
	{"sh", "-c", "echo $PPID"},
	{"sh", "-c", "echo $$; sh -c 'echo $PPID $$'"},
	{"bash", "-c", "echo $EPOCHREALTIME $EPOCHSECONDS $BASHPID"},
	{"bash", "-c", "RANDOM=$$; echo $RANDOM$RANDOM"},
	{"python3", "-c", "import time, os; print(time.time_ns(), os.getpid(), os.getppid())"},
	{"python3", "-c", "import random, os; random.seed(os.getpid()); print(random.random())"},
	{"perl", "-MTime::HiRes", "-e", "print Time::HiRes::time(), ' ', time, ' ', $$; srand($$); print rand()"},
	{"node", "-e", "console.log(Date.now(), process.pid)"},
}

var chanceful = [][]string{
	{"mktemp", "-u", "XXXXXXXXXX"},
	{"python3", "-c", "import ctypes; f = ctypes.CDLL(None).getauxval; f.restype = ctypes.c_void_p; print(ctypes.string_at(f(25), 16).hex())"},
	{"head", "-c", "16", "/dev/urandom"},
	{"sh", "-c", "head -c 16 </dev/random"},
	{"sh", "-c", "cd /; tr -dc a-z <dev/urandom | head -c 16"},
	{"sh", "-c", "exec 3</dev/urandom; head -c 16 <&3; head -c 16 /dev/fd/3"},
	{"sh", "-c", "(mktemp -u XXXXXXXX; head -c 4 /dev/urandom) | cat; head -c 4 /dev/urandom | tr a b | mktemp -u XXXXXXXX"},
	{"cat", "/proc/sys/kernel/random/uuid"},
	{"python3", "-c", "print(open('/dev/urandom', 'rb').read(16).hex())"},
	{"perl", "-e", "print rand()"},
	{"python3", "-c", "import random, uuid, os; print(random.random(), uuid.uuid4(), os.urandom(8).hex(), hash('a'))"},
}

func init() {
	victims["knows"] = func(string) {
		say("%d", time.Now().UnixNano())
		say("%d %d", os.Getpid(), os.Getppid())
		say("%d", unix.Getpgrp())
		for _, argv := range knowable {
			if _, err := exec.LookPath(argv[0]); err == nil {
				out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
				say("%v: %s%v", argv, out, err)
			}
		}
	}
	victims["draws"] = func(string) {
		say("%s", rand.Text())
		for _, argv := range chanceful {
			if _, err := exec.LookPath(argv[0]); err == nil {
				out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
				say("%v: %s%v", argv, out, err)
			}
		}
	}
	victims["held devices"] = func(string) {
		for _, argv := range [][]string{
			{"sh", "-c", "[ -c /dev/fd/0 ] && stat -L -c %t,%T,%F - </dev/urandom"},
			{"sh", "-c", "head -c 1000000 /dev/urandom | wc -c; dd if=/dev/random bs=300000 count=3 2>/dev/null | wc -c"},
			{"sh", "-c", "cp /dev/null /dev/urandom && echo x >/dev/urandom && [ -r /dev/urandom ] && echo written"},
			{"sh", "-c", "head -c 9 /dev/zero | tr '\\0' z; wc -c </dev/null"},
			{"sh", "-c", "dd if=/dev/urandom iflag=directory count=1 2>&1 | head -n 1"},
			{"sh", "-c", "u=$(cat /proc/sys/kernel/random/uuid); echo ${#u}; stat -c %s /proc/sys/kernel/random/uuid; echo $u | cut -c15"},
		} {
			out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
			say("%s%v", out, err)
		}
		f, err := os.Open("/dev/urandom")
		var one, two [8]byte
		_, oerr := f.Read(one[:])
		again, aerr := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		_, terr := again.Read(two[:])
		st, serr := f.Stat()
		say("%v %t %v", errors.Join(err, oerr, aerr, terr, serr, f.Close(), again.Close()), one != two, st.Mode())
	}
	victims["drains"] = func(string) {
		out, err := exec.Command("sh", "-c", "head -c 1100000 /dev/urandom | wc -c").CombinedOutput()
		say("%s%v", out, err)
	}
	victims["held signals"] = func(string) {
		c := make(chan os.Signal, 8)
		signal.Notify(c, syscall.SIGUSR1)
		say("kill 0: %v", unix.Kill(os.Getpid(), 0))
		say("kill: %v", unix.Kill(os.Getpid(), syscall.SIGUSR1))
		say("came: %v", <-c)
		p, err := os.FindProcess(os.Getpid())
		say("find: %v", err)
		say("signal: %v %v", p.Signal(syscall.SIGUSR1), <-c)
		say("group: %v %v", unix.Kill(-unix.Getpgrp(), syscall.SIGUSR1), <-c)
		say("parent: %v", unix.Kill(os.Getppid(), 0))
		say("nobody: %v", unix.Kill(still.FirstNumber+4711, 0))
		out, err := exec.Command("sh", "-c", `trap 'echo got it' USR1; kill -USR1 $$; sh -c 'kill -USR1 $PPID'; kill -0 $$ && echo alive`).CombinedOutput()
		say("sh: %q %v", out, err)
		out, err = exec.Command("sh", "-c", `sleep 60 & kill -9 $!; wait $! 2>/dev/null; echo $?; kill -9 $$`).CombinedOutput()
		say("sh: %q %v", out, err)
	}
	victims["held preempts"] = func(string) {
		stop := make(chan bool)
		spins := func() {
			for n := 0; ; n++ {
				if n < 0 {
					stop <- true
				}
			}
		}
		go spins()
		for range 3 {
			runtime.GC()
		}
		debug.FreeOSMemory()
		say("collected")
	}
	victims["held waits"] = func(string) {
		begin, mono := time.Now().Unix(), time.Now()
		for time.Now().Unix() == begin {
		}
		say("%d %t", time.Now().Unix()-begin, time.Since(mono) < 10*time.Second)
		time.Sleep(time.Second)
		say("%d", time.Now().Unix()-begin)
		if _, err := exec.Command("sleep", "1.1").CombinedOutput(); err != nil {
			say("%v", err)
		}
		say("%d", time.Now().Unix()-begin)
		if out, err := exec.Command("sh", "-c", `s=$(date +%s); while [ $(date +%s) = $s ]; do :; done; echo $(($(date +%s) - s))`).CombinedOutput(); err != nil || string(out) != "1\n" {
			say("sh: %s%v", out, err)
		}
	}
	victims["misled"] = func(dir string) {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", os.Getpid()))
		say("%t", err != nil)
	}
}

// held runs a victim with its knowledge held, and returns what it said.
func heldVictim(t *testing.T, name string, know Knowledge, env ...string) (said []string, tree *Tree) {
	t.Helper()
	runtime.LockOSThread()
	cmd := victim(t, name, t.TempDir())
	cmd.Env = append(cmd.Env, env...)
	tree, err := StartHeld(cmd, Names, know, soon())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tree.Kill()) })
	require.Empty(t, tree.Unheld())
	watch(t, tree, func(ev *Event) bool {
		if ev.Type == Message && ev.Op == opMark {
			said = append(said, string(ev.Data))
		}
		return false
	})
	require.Empty(t, tree.Unheld())
	return said, tree
}

const heldAt = 1700000000123456789

// TestHeldKnowledge: what follows from what can be known is the same with
// another tape, and another with other knowledge.
func TestHeldKnowledge(t *testing.T) {
	know := Knowledge{At: heldAt, Numbers: 5, Tape: 1}
	first, _ := heldVictim(t, "knows", know)
	assert.Equal(t, fmt.Sprint(int64(heldAt)), first[0])
	assert.Equal(t, fmt.Sprintf("%d %d", still.FirstNumber+6, still.FirstNumber+5), first[1])
	assert.Equal(t, fmt.Sprint(still.FirstNumber+6), first[2])
	know.Tape = 2
	again, _ := heldVictim(t, "knows", know)
	assert.Equal(t, first, again)
	other, _ := heldVictim(t, "knows", Knowledge{At: heldAt + 3600e9, Numbers: 50, Tape: 1})
	for i, line := range other {
		assert.NotEqual(t, first[i], line)
	}
	t.Log(strings.Join(first, "\n"))
}

// TestHeldChance: what is drawn is the same with the same tape only.
func TestHeldChance(t *testing.T) {
	first, _ := heldVictim(t, "draws", Knowledge{At: heldAt, Tape: 1})
	again, _ := heldVictim(t, "draws", Knowledge{At: heldAt, Tape: 1})
	assert.Equal(t, first, again)
	other, _ := heldVictim(t, "draws", Knowledge{At: heldAt, Tape: 2})
	for i, line := range other {
		assert.NotEqual(t, first[i], line)
	}
}

// TestHeldDevices: what is given in the place of a random device looks and acts
// like it.
func TestHeldDevices(t *testing.T) {
	said, tree := heldVictim(t, "held devices", Knowledge{At: heldAt})
	assert.False(t, tree.Drained())
	assert.Equal(t, []string{
		"1,9,character special file\n<nil>", "1000000\n900000\n<nil>", "written\n<nil>", "zzzzzzzzz0\n<nil>",
		"dd: failed to open '/dev/urandom': Not a directory\n<nil>", "36\n0\n4\n<nil>", "<nil> true Dcrw-rw-rw-",
	}, said)
}

// TestDrained: that they end is noticed.
func TestDrained(t *testing.T) {
	said, tree := heldVictim(t, "drains", Knowledge{At: heldAt})
	assert.Equal(t, []string{"1048576\n<nil>"}, said)
	assert.True(t, tree.Drained())
	said, tree = heldVictim(t, "drains", Knowledge{At: heldAt, Devices: true})
	assert.Equal(t, []string{"1100000\n<nil>"}, said, "of the kernel's own")
	assert.False(t, tree.Drained())
}

// TestHeldSignals: a made-up number reaches the process that it means, or
// nobody.
func TestHeldSignals(t *testing.T) {
	said, tree := heldVictim(t, "held signals", Knowledge{At: heldAt})
	assert.Equal(t, []string{
		"kill 0: <nil>", "kill: <nil>", "came: user defined signal 1",
		"find: <nil>", "signal: <nil> user defined signal 1", "group: <nil> user defined signal 1", "parent: <nil>", "nobody: no such process",
		`sh: "got it\ngot it\nalive\n" <nil>`, `sh: "137\n" signal: killed`,
	}, said)
	assert.Empty(t, tree.Misled())
}

// TestHeldPreempts: Go stops a loop by a signal to a thread of its process.
func TestHeldPreempts(t *testing.T) {
	said, _ := heldVictim(t, "held preempts", Knowledge{At: heldAt}, "GODEBUG=asyncpreemptoff=0")
	assert.Equal(t, []string{"collected"}, said)
}

// TestHeldWaits: who waits for another second gets it.
func TestHeldWaits(t *testing.T) {
	said, _ := heldVictim(t, "held waits", Knowledge{At: heldAt})
	assert.Equal(t, []string{"1 true", "2", "3"}, said)
}

func TestMisled(t *testing.T) {
	said, tree := heldVictim(t, "misled", Knowledge{At: heldAt})
	assert.Equal(t, []string{"true"}, said)
	assert.Contains(t, tree.Misled(), "it looks at /proc/41943")
	said, tree = heldVictim(t, "misled", Knowledge{At: heldAt, Numbers: -1})
	assert.Equal(t, []string{"false"}, said, "with the real numbers")
	assert.Empty(t, tree.Misled())
}
