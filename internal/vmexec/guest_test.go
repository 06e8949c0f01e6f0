//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeMachine stands for QEMU: what the script of a row does with out (the
// port of the output), console, back (the port of what comes back), boots (how
// often it has been started) and image is what a guest did.
const fakeMachine = `#!/bin/sh
for a; do case $a in
  file:*) console=${a#file:} ;;
  file,id=back,path=*) back=${a#file,id=back,path=} ;;
  */root.cpio) image=$a ;;
esac; done
out=/proc/self/fd/3
here=$(dirname "$0"); boots=$(cat "$here/boots" 2>/dev/null || echo 0); boots=$((boots + 1)); echo $boots >"$here/boots"
begin() { echo 'vmexec: begin' >"$console"; }
end() { mkdir -p "$here/r/vmexec"; echo "$1" >"$here/r/vmexec/status"; shift; tar -c -f "$back" -C "$here/r" vmexec/status "$@"; }
`

// machineThat gives options whose guest is a script.
func machineThat(t *testing.T, does string) *options {
	t.Helper()
	cache := t.TempDir()
	for _, name := range []string{"name", "vmlinuz", "builtin"} {
		path := filepath.Join(cache, "5.10-amd64", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("kernel/fs/ext4/ext4.ko\n"), 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(cache, "busybox-amd64"), nil, 0o755))
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "qemu-system-x86_64"), []byte(fakeMachine+does+"\n"), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", t.TempDir())
	t.Chdir(t.TempDir())
	return &options{series: "5.10", arch: "amd64", scene: "tmpfs", smp: 1, mem: 256, timeout: time.Minute, cache: cache, program: program(t, x86, false)}
}

func TestGuest(t *testing.T) {
	for _, tt := range []struct {
		name, does string
		status     int
		out        string
		err        string // a part of it
	}{
		{"passes", "begin; printf 'PASS\\n' >$out; end 0", 0, "PASS\n", ""},
		{"fails", "begin; printf 'FAIL\\n' >$out; end 1", 1, "FAIL\n", ""},
		{"says 125 itself", "begin; end 125", 125, "", ""},
		{"was killed", "begin; end 137", 137, "", ""},
		{"output is as it is", "begin; printf 'a\\r\\nvmexec: begin\\000\\377 no line end' >$out; end 0", 0, "a\r\nvmexec: begin\x00\xff no line end", ""},
		{"died at two boots", "[ $boots = 3 ] || { echo 'int3: 0000' >$console; exit 0; }; begin; printf ok >$out; end 0", 0, "ok", ""},
		{"dies at each boot", "echo 'Oops: 0000' >$console", 0, "", "did not come up, 4 times"},
		{"its last words", "echo 'Oops: 0000' >$console", 0, "", "Oops: 0000"},
		{"cannot be started", "echo 'no such machine' >&2; exit 1", 0, "", "did not come up, 1 times:\nexit status 1 no such machine"},
		{"refuses a setting", "printf '\\nvmexec: the kernel refuses sysctl a=1\\n' >$console", 0, "", "1 times:\n"},
		{"dies while the program runs", "begin; printf half >$out", 0, "half", "died while the program ran"},
		{"its answer is cut off", "begin; end 0; truncate -s 300 $back", 0, "", "died while the program ran"},
		{"does not end", "begin; sleep 100", 0, "", "did not end within 1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := machineThat(t, tt.does)
			if strings.Contains(tt.does, "sleep") {
				opt.timeout = time.Second
			}
			var out bytes.Buffer
			status, err := run(opt, &out, nil)
			assert.Equal(t, tt.out, out.String())
			assertNothingLeft(t)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.status, status)
		})
	}
}

// TestStopped: the signal by which go test ends a program ends the guest.
func TestStopped(t *testing.T) {
	opt := machineThat(t, "begin; sleep 100")
	stop := make(chan os.Signal, 1)
	stop <- syscall.SIGQUIT
	begin := time.Now()
	_, err := run(opt, new(bytes.Buffer), stop)
	require.ErrorContains(t, err, "stopped by quit")
	assert.Less(t, time.Since(begin), 50*time.Second)
	assertNothingLeft(t)
}

// assertNothingLeft: a guest's files go with it.
func assertNothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBroughtBack(t *testing.T) {
	dir := t.TempDir()
	put := func(path, text string) string {
		return fmt.Sprintf("mkdir -p $here/r/$(dirname %[1]s); printf %[2]q >$here/r/%[1]s; ", path, text)
	}
	profile, cover := filepath.Join(dir, "c.out"), filepath.Join(dir, "cover")
	does := "begin; " + put(profile[1:], "mode: set") + put(cover[1:]+"/meta", "m") + put("etc/x", "no")
	t.Run("what is wanted", func(t *testing.T) {
		opt := machineThat(t, does+"end 1 "+profile[1:]+" "+cover[1:])
		opt.back = []string{profile, cover}
		status, err := run(opt, new(bytes.Buffer), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, status)
		for path, want := range map[string]string{profile: "mode: set", cover + "/meta": "m"} {
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
		}
	})
	t.Run("nothing else", func(t *testing.T) {
		opt := machineThat(t, does+"end 0 etc/x")
		opt.back = []string{profile}
		_, err := run(opt, new(bytes.Buffer), nil)
		require.ErrorContains(t, err, "/etc/x comes back, but was not asked for")
	})
}

func TestSceneMissing(t *testing.T) {
	opt := machineThat(t, "begin; end 0")
	opt.scene = "overlay"
	_, err := run(opt, new(bytes.Buffer), nil)
	require.ErrorContains(t, err, "has no overlay, neither built in nor as a module")
}

// TestScript runs the guest's script in this machine's shell.
func TestScript(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's $HOME `here`\n")
	require.NoError(t, os.Mkdir(dir, 0o755))
	odd := "a 'b' \"c\" $PATH `id` \\ \n*;é"
	opt := &options{program: "/bin/prog", args: []string{odd, "", "-test.run=^Test$/^sub$"}, env: []string{"WANTED"}}
	text := script(opt, dir, []string{"TMPPROOF_X=" + odd, "WANTED=1=2", "SECRET=x", "TEST_A="})
	require.Contains(t, text, "exec '/vmexec/bin/prog'")
	show := `sh -c 'pwd; echo "$TMPPROOF_X"; echo "$WANTED $SECRET ${TEST_A-unset} $USER"; printf "<%s>" "$@"' x`
	out, err := exec.Command("sh", "-c", strings.Replace(text, "exec '/vmexec/bin/prog'", "exec "+show, 1)).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, dir+"\n"+odd+"\n1=2   root\n<"+odd+"><><-test.run=^Test$/^sub$>", string(out))
}

// TestImage reads an archive back: the names, modes and contents that the
// kernel will see.
func TestImage(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "sub", ".git"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "sub", "f"), []byte("text"), 0o640))
	require.NoError(t, os.Symlink("../gone", filepath.Join(root, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(root, "empty"), 0o700))
	require.NoError(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600)) // stays out
	var b bytes.Buffer
	im := newImage(&b)
	im.data("init", 0o755, []byte("#!/bin/sh"))
	im.tree("w/x", root)
	require.NoError(t, im.close())
	assert.Equal(t, []string{
		"init 100755 #!/bin/sh", "w 40755 ", "w/x 40755 ", "w/x/empty 40700 ", "w/x/link 120777 ../gone", "w/x/sub 40755 ", "w/x/sub/f 100640 text", "TRAILER!!! 0 ",
	}, readImage(t, b.Bytes()))
}

func readImage(t *testing.T, b []byte) []string {
	t.Helper()
	var list []string
	at := 0
	number := func(field int) int {
		n, err := strconv.ParseInt(string(b[at+6+8*field:at+14+8*field]), 16, 64)
		require.NoError(t, err)
		return int(n)
	}
	up := func(n int) int { return (n + 3) &^ 3 }
	for {
		require.Equal(t, "070701", string(b[at:at+6]))
		mode, size, length := number(1), number(6), number(11)
		name := string(b[at+110 : at+110+length-1])
		at = up(at + 110 + length)
		list = append(list, fmt.Sprintf("%s %o %s", name, mode, b[at:at+size]))
		if at = up(at + size); name == "TRAILER!!!" {
			return list
		}
	}
}
