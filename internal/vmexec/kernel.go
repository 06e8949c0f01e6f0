//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"syscall"
)

// A series is a line of kernels as Debian builds them for virtual machines.
type series struct {
	name   string
	suites []string // looked through in this order
	image  string   // pattern of the package's name; ARCH stands for the architecture
	parts  []string // further packages of the same version, by what stands in the place of linux-image
}

var table = []series{
	{"5.10", []string{"bullseye-security", "bullseye"}, `^linux-image-5\.10\.[0-9.-]+-cloud-ARCH$`, nil},
	{"6.1", []string{"bookworm-security", "bookworm"}, `^linux-image-6\.1\.[0-9.-]+-cloud-ARCH$`, nil},
	{"6.12", []string{"trixie"}, `^linux-image-6\.12\.[0-9.+a-z-]+-cloud-ARCH$`, nil},
	{"7", []string{"sid"}, `^linux-image-7\.[0-9.+a-z-]+-cloud-ARCH$`, []string{"linux-binary", "linux-modules", "linux-base"}},
}

var arches = []string{"amd64", "arm64"}

func allSeries() []string {
	var names []string
	for _, s := range table {
		names = append(names, s.name)
	}
	return names
}

// kernel is a downloaded kernel with the modules that a guest may need.
type kernel struct {
	name        string // of its package
	image       string
	modules     []string // files, in the order in which they are loaded
	filesystems []string // those of ext4 and overlay that it has
	busybox     string
	qemu        string
}

// wanted are the modules that a guest may need, by file name; built-in ones
// are not there and not missed.
var wanted = []string{"virtio_pci", "virtio_console", "virtio_blk", "ext4", "overlay"}

// fetchKernel gives the kernel, downloaded at its first use. What runs it is
// installed if it is not there: for that, root is needed.
func fetchKernel(opt *options) (*kernel, error) {
	qemu, pkg := "qemu-system-x86_64", "qemu-system-x86"
	if opt.arch == "arm64" {
		qemu, pkg = "qemu-system-aarch64", "qemu-system-arm"
	}
	if err := os.MkdirAll(opt.cache, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(opt.cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := installed(qemu, pkg); err != nil {
		return nil, err
	}
	dir := filepath.Join(opt.cache, opt.series+"-"+opt.arch)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		err = download(opt, dir)
		if err != nil {
			return nil, err
		}
	}
	busybox := filepath.Join(opt.cache, "busybox-"+opt.arch)
	if _, err := os.Stat(busybox); errors.Is(err, fs.ErrNotExist) {
		if err := downloadBusybox(opt, busybox); err != nil {
			return nil, err
		}
	}
	name, err := os.ReadFile(filepath.Join(dir, "name"))
	if err != nil {
		return nil, err
	}
	modules, err := filepath.Glob(filepath.Join(dir, "modules", "*.ko"))
	if err != nil {
		return nil, err
	}
	sort.Strings(modules)
	k := &kernel{name: strings.TrimSpace(string(name)), image: filepath.Join(dir, "vmlinuz"), modules: modules, busybox: busybox, qemu: qemu}
	builtin, err := os.ReadFile(filepath.Join(dir, "builtin"))
	if err != nil {
		return nil, err
	}
	for _, f := range []string{"ext4", "overlay"} {
		if strings.Contains(string(builtin), "/"+f+".ko") || slices.ContainsFunc(modules, func(m string) bool { return moduleName(m) == f }) {
			k.filesystems = append(k.filesystems, f)
		}
	}
	return k, nil
}

// lock keeps two from downloading the same.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// installed installs a program if it is not there.
func installed(program, pkg string) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("%s is not installed: apt-get install %s (as root this is done at the first use)", program, pkg)
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", pkg}} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil && args[0] == "install" {
			return fmt.Errorf("%s is not installed, and apt-get install %s failed: %w\n%s", program, pkg, err, out)
		}
	}
	_, err := exec.LookPath(program)
	return err
}

// download gets the newest kernel of the series that can be had.
func download(opt *options, dir string) error {
	s := table[slices.IndexFunc(table, func(s series) bool { return s.name == opt.series })]
	pattern := regexp.MustCompile(strings.ReplaceAll(s.image, "ARCH", opt.arch))
	return inScratch(opt.cache, func(scratch string) error {
		var errs []error
		for _, suite := range s.suites {
			a := apt{cache: opt.cache, suite: suite, arch: opt.arch}
			name, err := a.unpackNewest(pattern, scratch, s.parts)
			if err == nil {
				return arrange(filepath.Join(scratch, "x"), name, dir)
			}
			errs = append(errs, err)
		}
		return fmt.Errorf("no kernel of series %s for %s: %w", s.name, opt.arch, errors.Join(errs...))
	})
}

func downloadBusybox(opt *options, path string) error {
	return inScratch(opt.cache, func(scratch string) error {
		a := apt{cache: opt.cache, suite: "bookworm", arch: opt.arch}
		if _, err := a.unpackNewest(regexp.MustCompile(`^busybox-static$`), scratch, nil); err != nil {
			return err
		}
		found, err := find(filepath.Join(scratch, "x"), func(p string) bool { return strings.HasSuffix(p, "/bin/busybox") })
		if err != nil || len(found) == 0 {
			return errors.Join(errors.New("busybox-static has no bin/busybox"), err)
		}
		return os.Rename(found[0], path)
	})
}

// inScratch works in a directory beside the result, which is moved there whole.
func inScratch(cache string, work func(dir string) error) error {
	scratch, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return err
	}
	return errors.Join(work(scratch), os.RemoveAll(scratch))
}

// arrange takes what a guest needs out of an unpacked kernel package.
func arrange(x, name, dir string) error {
	images, err := find(x, func(p string) bool { return strings.HasPrefix(filepath.Base(p), "vmlinuz") })
	if err != nil || len(images) == 0 {
		return errors.Join(fmt.Errorf("%s has no vmlinuz", name), err)
	}
	all, err := find(x, func(p string) bool { return strings.Contains(filepath.Base(p), ".ko") })
	if err != nil {
		return err
	}
	builtin, err := find(x, func(p string) bool { return filepath.Base(p) == "modules.builtin" })
	if err != nil || len(builtin) == 0 {
		return errors.Join(fmt.Errorf("%s has no modules.builtin", name), err)
	}
	out := filepath.Join(filepath.Dir(x), "out")
	if err := os.MkdirAll(filepath.Join(out, "modules"), 0o755); err != nil {
		return err
	}
	err = errors.Join(os.Rename(images[0], filepath.Join(out, "vmlinuz")), os.Rename(builtin[0], filepath.Join(out, "builtin")),
		os.WriteFile(filepath.Join(out, "name"), []byte(name+"\n"), 0o644))
	byName := map[string]string{}
	for _, m := range all {
		byName[moduleName(m)] = m
	}
	n := 0
	done := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		file, ok := byName[name]
		if done[name] || !ok { // built in
			return nil
		}
		done[name] = true
		data, err := readModule(file)
		if err != nil {
			return err
		}
		needs, err := moduleNeeds(data)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, need := range needs {
			if err := add(need); err != nil {
				return err
			}
		}
		n++
		return os.WriteFile(filepath.Join(out, "modules", fmt.Sprintf("%02d-%s.ko", n, name)), data, 0o644)
	}
	for _, m := range wanted {
		err = errors.Join(err, add(m))
	}
	if err != nil {
		return err
	}
	return os.Rename(out, dir)
}

// moduleName is the name by which modules know each other.
func moduleName(path string) string {
	base, _, _ := strings.Cut(filepath.Base(path), ".ko")
	if n, rest, ok := strings.Cut(base, "-"); ok && len(n) == 2 && n[0] >= '0' && n[0] <= '9' {
		base = rest // as arrange numbers them
	}
	return strings.ReplaceAll(base, "-", "_")
}

func readModule(path string) ([]byte, error) {
	if !strings.HasSuffix(path, ".xz") {
		return os.ReadFile(path)
	}
	if err := installed("xz", "xz-utils"); err != nil {
		return nil, err
	}
	return exec.Command("xz", "-dc", path).Output()
}

// moduleNeeds are the modules that must be loaded before this one.
func moduleNeeds(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, errors.New("no .modinfo")
	}
	info, err := s.Data()
	if err != nil {
		return nil, err
	}
	var needs []string
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok {
			needs = append(needs, strings.FieldsFunc(list, func(r rune) bool { return r == ',' })...)
		}
		if list, ok := strings.CutPrefix(field, "softdep=pre: "); ok {
			needs = append(needs, strings.Fields(list)...)
		}
	}
	for i, n := range needs {
		needs[i] = strings.ReplaceAll(n, "-", "_")
	}
	return needs, nil
}

func find(root string, want func(path string) bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && want(p) {
			found = append(found, p)
		}
		return err
	})
	return found, err
}
