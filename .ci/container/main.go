// container runs a program in a container, for `go test -exec`: under runc,
// with the system calls and capabilities that podman gives by default, an
// empty network and a root file system of a few files. -uid makes it another
// user than root. It needs root, runc, and of Debian's packages busybox-static
// and golang-github-containers-common, which has the profile.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	profile = "/usr/share/containers/seccomp.json"
	busybox = "/bin/busybox" // linked statically
)

func main() {
	uid := flag.Int("uid", 0, "run as this user and group")
	flag.Parse()
	if flag.NArg() == 0 {
		fail(errors.New("usage: container [-uid N] PROGRAM [ARG ...]"))
	}
	bundle, err := os.MkdirTemp("", "container-")
	if err != nil {
		fail(err)
	}
	code, err := run(bundle, *uid, flag.Args())
	if rerr := os.RemoveAll(bundle); err == nil {
		err = rerr
	}
	if err != nil {
		fail(err)
	}
	os.Exit(code)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "container:", err)
	os.Exit(125)
}

// run makes a bundle of the program and its directory, and runs it.
func run(bundle string, uid int, argv []string) (int, error) {
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	if err := rootfs(filepath.Join(bundle, "rootfs"), argv[0], dir); err != nil {
		return 0, err
	}
	calls, err := seccomp()
	if err != nil {
		return 0, err
	}
	argv[0] = "/bin/program"
	config, err := json.MarshalIndent(spec(uid, argv, dir, calls), "", "\t")
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o600); err != nil {
		return 0, err
	}
	cmd := exec.Command("runc", "--root", filepath.Join(bundle, "state"), "run", "--bundle", bundle, filepath.Base(bundle))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// rootfs has the program, the users, and the places where others are mounted.
func rootfs(root, program, dir string) error {
	for _, d := range []string{"bin", "dev", "etc", "proc", "sys", "tmp", "root", dir} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{program: "program", busybox: "busybox"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "bin", to), text, 0o755)
		}
		if err != nil {
			return err
		}
	}
	for _, applet := range []string{"sh", "mktemp", "rm", "cat", "mkdir", "mv", "chmod"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			return err
		}
	}
	return errors.Join(
		os.Chmod(filepath.Dir(root), 0o755),
		os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky), // which runc takes over to what is mounted there
		os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(root, "etc/group"), []byte("root:x:0:\nuser:x:1000:\n"), 0o644),
	)
}

// capabilities are podman's by default.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

type object = map[string]any

func spec(uid int, argv []string, dir string, calls object) object {
	caps := object{"bounding": capabilities}
	if uid == 0 {
		caps["effective"], caps["permitted"] = capabilities, capabilities
	}
	env := []string{"PATH=/bin", "HOME=/tmp"}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "TMPPROOF_") {
			env = append(env, e)
		}
	}
	mount := func(to, typ, from string, options ...string) object {
		return object{"destination": to, "type": typ, "source": from, "options": options}
	}
	return object{
		"ociVersion": "1.0.2",
		"process": object{
			"user": object{"uid": uid, "gid": uid}, "args": argv, "env": env, "cwd": dir, "capabilities": caps,
		},
		"root":     object{"path": "rootfs"},
		"hostname": "container",
		"mounts": []object{
			mount("/proc", "proc", "proc"),
			mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=65536k"),
			mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
			mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),
			mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
			mount(dir, "bind", dir, "rbind", "ro"),
		},
		"linux": object{
			"namespaces": []object{{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}},
			"maskedPaths": []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
				"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware", "/sys/fs/selinux"},
			"readonlyPaths": []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
			"seccomp":       calls,
		},
	}
}

// rule is a rule of the profile: which system calls, and when it holds.
type rule struct {
	Names    []string `json:"names"`
	Action   string   `json:"action"`
	Args     []object `json:"args"`
	ErrnoRet *uint    `json:"errnoRet"`
	Includes filter   `json:"includes"`
	Excludes filter   `json:"excludes"`
}

type filter struct {
	Caps   []string `json:"caps"`
	Arches []string `json:"arches"`
}

// meets reports whether the container has the capability or the machine is of
// the architecture that a filter names.
func (f filter) meets() bool {
	for _, c := range f.Caps {
		for _, own := range capabilities {
			if c == own {
				return true
			}
		}
	}
	for _, a := range f.Arches {
		if a == runtime.GOARCH {
			return true
		}
	}
	return false
}

func (f filter) empty() bool { return len(f.Caps)+len(f.Arches) == 0 }

// seccomp is the profile as podman resolves it for these capabilities.
func seccomp() (object, error) {
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	var p struct {
		DefaultAction   string `json:"defaultAction"`
		DefaultErrnoRet *uint  `json:"defaultErrnoRet"`
		Syscalls        []rule `json:"syscalls"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", profile, err)
	}
	var calls []object
	for _, r := range p.Syscalls {
		if !r.Includes.empty() && !r.Includes.meets() || r.Excludes.meets() {
			continue
		}
		call := object{"names": r.Names, "action": r.Action}
		if len(r.Args) > 0 {
			call["args"] = r.Args
		}
		if r.ErrnoRet != nil {
			call["errnoRet"] = *r.ErrnoRet
		}
		calls = append(calls, call)
	}
	arch := map[string]string{"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}[runtime.GOARCH]
	return object{"defaultAction": p.DefaultAction, "defaultErrnoRet": p.DefaultErrnoRet, "architectures": []string{arch}, "syscalls": calls}, nil
}
