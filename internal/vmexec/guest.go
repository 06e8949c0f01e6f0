//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

//go:embed init.sh
var initScript []byte

// guest is one emulated machine. What it needs lies in a directory of its
// own, so that any number can run at once.
type guest struct {
	opt *options
	k   *kernel
	dir string
}

// boots is how often a guest that dies before the program starts is started
// again. Nothing of the program has run then, so that nothing is hidden; CPUs
// emulated in parallel make it happen (QEMU 7.2: an int3 oops at boot).
const boots = 4

// begun is what the guest writes on its console right before the program.
const begun = "vmexec: begin"

// newGuest writes the guest's root file system.
func newGuest(opt *options, k *kernel, wd string, environ []string) (*guest, error) {
	dir, err := os.MkdirTemp("", "vmexec-")
	if err != nil {
		return nil, err
	}
	g := &guest{opt: opt, k: k, dir: dir}
	if err := g.prepare(wd, environ); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

func (g *guest) remove() { _ = os.RemoveAll(g.dir) }

func (g *guest) file(name string) string { return filepath.Join(g.dir, name) }

func (g *guest) prepare(wd string, environ []string) error {
	f, err := os.Create(g.file("root.cpio"))
	if err != nil {
		return err
	}
	opt, im := g.opt, newImage(f)
	im.data("init", 0o755, initScript)
	im.file("bin/busybox", g.k.busybox, 0o755)
	for _, m := range g.k.modules {
		im.file("vmexec/modules/"+filepath.Base(m), m, 0o644)
	}
	im.file("vmexec/bin/"+filepath.Base(opt.program), opt.program, 0o755)
	root := moduleRoot(wd)
	im.tree("vmexec/tree", root)
	for _, a := range opt.add {
		im.tree("vmexec/add"+a, a)
	}
	passwd, group := "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", "root:x:0:\nnogroup:x:65534:\n"
	if opt.user != 0 && opt.user != 65534 {
		passwd += fmt.Sprintf("user:x:%d:%d::/:/bin/sh\n", opt.user, opt.user)
		group += fmt.Sprintf("user:x:%d:\n", opt.user)
	}
	im.data("etc/passwd", 0o644, []byte(passwd))
	im.data("etc/group", 0o644, []byte(group))
	im.data("vmexec/setup", 0o644, fmt.Appendf(nil, "user=%d\nscene=%s\ntree=%s\nsysctls=%s\n", opt.user, opt.scene, quote(root), quote(strings.Join(opt.sysctls, " "))))
	im.data("vmexec/run", 0o755, []byte(script(opt, wd, environ)))
	var dirs, back string
	for _, b := range opt.back {
		back += b + "\n"
		if isDir(b) {
			dirs += b + "\n"
		} else {
			dirs += filepath.Dir(b) + "\n"
		}
	}
	im.data("vmexec/dirs", 0o644, []byte(dirs))
	im.data("vmexec/back", 0o644, []byte(back))
	if err := errors.Join(im.close(), f.Close()); err != nil {
		return err
	}
	if opt.scene == "ext4" {
		disk := g.file("disk")
		if err := errors.Join(os.WriteFile(disk, nil, 0o600), os.Truncate(disk, 1<<30)); err != nil {
			return err
		}
		mkfs, err := exec.LookPath("mke2fs")
		if err != nil {
			mkfs = "/usr/sbin/mke2fs" // not in everybody's PATH
		}
		if out, err := exec.Command(mkfs, "-q", "-t", "ext4", "-I", "256", "-E", "lazy_itable_init=1", disk).CombinedOutput(); err != nil {
			return fmt.Errorf("a file system for -fs ext4 (mke2fs of e2fsprogs): %w\n%s", err, out)
		}
	}
	return nil
}

// script runs the program in its directory with its environment.
func script(opt *options, wd string, environ []string) string {
	var b strings.Builder
	b.WriteString("unset IFS OLDPWD SHLVL cat out back user scene tree sysctls\n")
	if opt.user == 0 {
		b.WriteString("export HOME=/root USER=root")
	} else {
		b.WriteString("export HOME=/tmp/own TMPDIR=/tmp/own USER=nobody")
	}
	b.WriteString(" PATH=/bin:/sbin:/usr/bin:/usr/sbin\n")
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if handedOn(name) || slices.Contains(opt.env, name) {
			fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
		}
	}
	fmt.Fprintf(&b, "cd %s\nexec %s", quote(wd), quote("/vmexec/bin/"+filepath.Base(opt.program)))
	for _, a := range opt.args {
		b.WriteString(" " + quote(a))
	}
	return b.String() + "\n"
}

// handedOn says that the guest's program gets a variable of this name.
func handedOn(name string) bool {
	for _, prefix := range []string{"TMPPROOF_", "TEST_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"GORACE", "GODEBUG", "GOMAXPROCS", "GOTRACEBACK", "GOCOVERDIR", "GOGC", "GOMEMLIMIT"}, name)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// command is QEMU's: the program's output is a port that leads to
// descriptor 3, the kernel's messages and what comes back are files.
func (g *guest) command(ctx context.Context) *exec.Cmd {
	opt := g.opt
	console, thread := "ttyS0", "single"
	// Without rdrand, getrandom(2) waits long for a kernel without a past; the
	// other architecture's machine hands it a seed.
	args := []string{"-M", "q35", "-cpu", "qemu64,+rdrand"}
	if opt.arch == "arm64" {
		console = "ttyAMA0"
		args = []string{"-M", "virt", "-cpu", "cortex-a72"}
	}
	if opt.multi {
		thread = "multi"
	}
	args = append(args, "-accel", "tcg,thread="+thread, "-smp", strconv.Itoa(opt.smp), "-m", strconv.Itoa(opt.mem),
		"-nodefaults", "-nic", "none", "-display", "none", "-monitor", "none", "-no-reboot",
		"-kernel", g.k.image, "-initrd", g.file("root.cpio"), "-append", "console="+console+" quiet loglevel=3 panic=-1 random.trust_cpu=on random.trust_bootloader=on",
		"-serial", "file:"+g.file("console"),
		"-device", "virtio-serial-pci",
		"-chardev", "file,id=out,path=/proc/self/fd/3", "-device", "virtserialport,chardev=out,name=out",
		"-chardev", "file,id=back,path="+g.file("back.tar"), "-device", "virtserialport,chardev=back,name=back")
	if opt.scene == "ext4" {
		args = append(args, "-drive", "if=none,id=disk,format=raw,cache=unsafe,file="+g.file("disk"), "-device", "virtio-blk-pci,drive=disk")
	}
	cmd := exec.CommandContext(ctx, g.k.qemu, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// run starts the guest, hands the program's output on as it comes, and gives
// the program's exit status. An error says that there is none.
func (g *guest) run(stdout io.Writer, stop <-chan os.Signal) (int, error) {
	runtime.LockOSThread() // QEMU dies with the thread that started it
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(context.Background(), g.opt.timeout)
	defer cancel()
	var stopped error
	go func() {
		select {
		case sig := <-stop:
			stopped = fmt.Errorf("stopped by %v", sig)
			cancel()
		case <-ctx.Done():
		}
	}()
	var failed []string
	for range boots {
		complaint, err := g.boot(ctx, stdout)
		console, _ := os.ReadFile(g.file("console"))
		status, ok, berr := g.bringBack()
		switch {
		case berr != nil:
			return 0, berr
		case ok:
			return status, nil
		case ctx.Err() == context.DeadlineExceeded:
			return 0, fmt.Errorf("the guest (%s) did not end within %v%s", g.k.name, g.opt.timeout, lastWords(console))
		case ctx.Err() != nil:
			return 0, errors.Join(stopped, fmt.Errorf("the guest (%s) was killed%s", g.k.name, lastWords(console)))
		case bytes.Contains(console, []byte(begun)):
			return 0, fmt.Errorf("the guest (%s) died while the program ran%s", g.k.name, lastWords(console))
		}
		text := fmt.Sprintf("%v %s%s", err, complaint, lastWords(console))
		failed = append(failed, text)
		if bytes.Contains(console, []byte("\nvmexec: ")) || len(console) == 0 && err != nil {
			break // it says why, and would again
		}
	}
	return 0, fmt.Errorf("the guest (%s) did not come up, %d times:\n%s", g.k.name, len(failed), strings.Join(failed, "\n"))
}

// boot runs QEMU to its end, and gives what it complained of.
func (g *guest) boot(ctx context.Context, stdout io.Writer) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	var complaint bytes.Buffer
	cmd := g.command(ctx)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{w}, &complaint // descriptor 3: the program's output
	err = cmd.Start()
	if err = errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	_, copied := io.Copy(stdout, r)
	err = errors.Join(cmd.Wait(), copied) // only then has all of the complaint come
	return strings.TrimSpace(complaint.String()), err
}

// lastWords are the lines of the console that tell why a guest ended.
func lastWords(console []byte) string {
	var lines []string
	for line := range bytes.Lines(console) {
		text := strings.TrimSpace(string(line))
		if text != "" && text != begun {
			lines = append(lines, text)
		}
	}
	if len(lines) == 0 {
		return "; its console is empty"
	}
	const most = 12
	return "; its console:\n  " + strings.Join(lines[max(0, len(lines)-most):], "\n  ")
}

// bringBack reads the archive that the guest sent at its end: the exit status,
// then the files that were wanted. There is none when it did not get there.
func (g *guest) bringBack() (status int, ok bool, err error) {
	f, err := os.Open(g.file("back.tar"))
	if err != nil {
		return 0, false, nil
	}
	defer f.Close()
	r := tar.NewReader(f)
	head, err := r.Next()
	if err != nil || head.Name != "vmexec/status" {
		return 0, false, nil
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return 0, false, nil
	}
	if status, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return 0, false, nil
	}
	for {
		head, err := r.Next()
		if err == io.EOF {
			return status, true, nil
		}
		if err == nil {
			err = g.place(head, r)
		}
		if err != nil {
			return 0, false, fmt.Errorf("files of the guest: %w", err)
		}
	}
}

// place writes one file that came back, if it was asked for.
func (g *guest) place(head *tar.Header, r io.Reader) error {
	path := filepath.Clean("/" + head.Name)
	if !slices.ContainsFunc(g.opt.back, func(b string) bool { return path == b || strings.HasPrefix(path, b+"/") }) {
		return fmt.Errorf("%s comes back, but was not asked for", path)
	}
	switch head.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o755)
	case tar.TypeReg:
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	}
	return nil // links and special files stay there
}
