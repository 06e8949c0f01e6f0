package sweep

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// strayTime bounds how long the strays of one root are looked for: one that
// forks without end can be faster.
const strayTime = time.Second

// endStrays kills the programs that attacked code had started when its run was
// killed. Their parent goes with the run; they live on where they have a session
// of their own. It takes only what is surely one of them: a process of this user
// whose TMPDIR is the scene that is about to be removed, which only a scene's code
// is told, and under a seccomp filter, as everything is that it starts (in many
// containers everything else as well).
func endStrays(root string) {
	st, err := os.Stat(root)
	if err != nil {
		return
	}
	for end := time.Now().Add(strayTime); killStrays(st) && time.Now().Before(end); {
	}
}

// killStrays says whether it killed one.
func killStrays(root os.FileInfo) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	some := false
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		some = killStray(pid, root) || some
	}
	return some
}

func killStray(pid int, root os.FileInfo) bool {
	if !isStray(pid, root) {
		return false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	// Asked again: the number could have passed to another meanwhile.
	return isStray(pid, root) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

func isStray(pid int, root os.FileInfo) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	st, err := os.Stat(dir)
	if err != nil || !owned(st) {
		return false
	}
	env, err := os.ReadFile(dir + "/environ") // empty for one that is dead already
	if err != nil {
		return false
	}
	scene := sceneOf(env)
	if scene == "" || !in(scene, root) {
		return false
	}
	status, err := os.ReadFile(dir + "/status")
	return err == nil && bytes.Contains(status, []byte("\nSeccomp:\t2\n"))
}

// sceneOf is the scene that an environment's TMPDIR is in, "" for none. A scene
// lies below TMPDIR itself, or in the root that leakcheck gives a run.
func sceneOf(env []byte) string {
	for v := range bytes.SplitSeq(env, []byte{0}) {
		tmp, ok := strings.CutPrefix(string(v), "TMPDIR=")
		if !ok {
			continue
		}
		scene, name := filepath.Split(tmp)
		scene = filepath.Clean(scene)
		if name == SharedDir && filepath.IsAbs(scene) && strings.HasPrefix(filepath.Base(scene), Prefix) {
			return scene
		}
		return ""
	}
	return ""
}

// in says that a directory is root, or lies below it.
func in(dir string, root os.FileInfo) bool {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Lstat(dir); err == nil && os.SameFile(st, root) {
			return true
		}
	}
	return false
}
