package still

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const envHelper = "TMPPROOF_TEST_STILL"

// TestHelper is what the programs of these tests do.
func TestHelper(t *testing.T) {
	switch os.Getenv(envHelper) {
	case "":
		t.Skip("for other tests")
	case "time":
		var coarse, mono unix.Timespec
		begin, now := time.Now(), time.Now().UnixNano()
		require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono))
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &coarse)) // the system call, held by no one
		fmt.Printf("\nsaid %d %t %t\n", now, time.Now().UnixNano() == now, time.Since(begin) >= 20*time.Millisecond && mono.Sec < coarse.Sec)
	case "random":
		_, at, err := auxv(os.Getpid())
		require.NoError(t, err)
		b := make([]byte, 16)
		require.NoError(t, transfer(os.Getpid(), at, b))
		fmt.Printf("\nsaid %x\n", b)
	case "spin":
		at := time.Now().UnixNano()
		fmt.Println("\nready")
		for time.Now().UnixNano() == at {
		}
		fmt.Println("said", time.Now().UnixNano())
	case "cost":
		const n = 200000
		begin := time.Now()
		for range n {
			sink = time.Now()
		}
		fmt.Printf("\nsaid %d\n", time.Since(begin).Nanoseconds()/n)
	}
}

var sink time.Time

// helper starts this program as a held one; then is called when it has said
// something.
func helper(t *testing.T, do string, now int64, random []byte, then func(*Image)) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHelper$")
	cmd.Env = append(os.Environ(), envHelper+"="+do)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	im, held, err := Start(cmd, now, random)
	require.NoError(t, err)
	require.NoError(t, held)
	said, lines := "", bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			then(im)
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "said "); ok {
			said = rest
		}
	}
	require.NoError(t, cmd.Wait())
	return said
}

func TestHeldTime(t *testing.T) {
	for _, now := range []int64{1, 1e9, 1700000000123456789, 4102444800999999999} {
		assert.Equal(t, fmt.Sprintf("%d true true", now), helper(t, "time", now, nil, nil))
	}
}

// TestSet: a program that waits for the clock gets the time that is set.
func TestSet(t *testing.T) {
	assert.Equal(t, "1700000001000000000", helper(t, "spin", 1700000000e9, nil, func(im *Image) { require.NoError(t, im.Set(1700000001e9)) }))
}

// TestSample: one look in some thousand is the system call, which nobody
// answers here: it says the real time.
func TestSample(t *testing.T) {
	said := helper(t, "spin", 1700000000e9, nil, func(im *Image) { require.NoError(t, im.Sample()) })
	assert.NotEmpty(t, said)
}

// TestRandomBytes: Go's runtime has replaced the bytes, when it has used them,
// by others that follow from them.
func TestRandomBytes(t *testing.T) {
	one := NewTape(1, 0).Bytes(16)
	assert.Equal(t, helper(t, "random", 1e18, one, nil), helper(t, "random", 1e18, one, nil))
	assert.NotEqual(t, helper(t, "random", 1e18, one, nil), helper(t, "random", 1e18, NewTape(2, 0).Bytes(16), nil), "another tape")
	assert.NotEqual(t, helper(t, "random", 1e18, nil, nil), helper(t, "random", 1e18, nil, nil), "without, it is chance")
}

// TestCost: a look costs no system call.
func TestCost(t *testing.T) {
	ns, err := strconv.Atoi(helper(t, "cost", 1e18, nil, nil))
	require.NoError(t, err)
	t.Logf("time.Now takes %d ns", ns)
}

// TestOthers: a program in C, and one that it becomes.
func TestOthers(t *testing.T) {
	date, err := exec.LookPath("date")
	if err != nil {
		t.Skip(err)
	}
	if real, err := os.Readlink(date); err == nil && strings.HasSuffix(real, "busybox") {
		t.Skip("busybox is static, and makes the system call itself")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	said := func(argv ...string) string {
		var out bytes.Buffer
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stdout = &out
		_, held, err := Start(cmd, 1700000000e9, nil)
		require.NoError(t, err)
		require.NoError(t, held)
		require.NoError(t, cmd.Wait())
		return strings.TrimSpace(out.String())
	}
	assert.Equal(t, "1700000000", said(date, "+%s"))
	assert.NotEqual(t, "1700000000", said("/bin/sh", "-c", "exec date +%s"), "a new program is to be held anew")
}

// TestAgain: a program that is held already keeps what it has.
func TestAgain(t *testing.T) {
	assert.Equal(t, "5", helper(t, "spin", 1700000000e9, nil, func(im *Image) {
		again, err := Hold(im.pid, 5, nil)
		require.NoError(t, err)
		assert.True(t, im.Fresh)
		assert.False(t, again.Fresh)
		again.Fresh = true
		assert.Equal(t, im, again)
	}))
}

func TestHoldErrors(t *testing.T) {
	_, err := Hold(1<<22+1, 0, nil)
	require.ErrorContains(t, err, "the auxiliary vector")
	_, err = parseVDSO(bytes.Repeat([]byte{1}, 8192))
	require.ErrorContains(t, err, "the vDSO has 0 free bytes at its end")
	_, err = parseVDSO(make([]byte, 8192))
	require.ErrorContains(t, err, "the vDSO: ")
	_, err = parseVDSO(append([]byte(marked), make([]byte, 8192)...))
	require.ErrorContains(t, err, "own clock is held")
}
