//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// apt is a private view of one suite of the Debian archive, for any
// architecture: the machine's own package lists and sources stay as they are.
type apt struct {
	cache, suite, arch string
}

// dir holds the package lists; apt removes what else is in it.
func (a apt) dir() string { return filepath.Join(a.cache, "lists-"+a.suite+"-"+a.arch) }

// command is an apt program that sees this suite only.
func (a apt) command(name string, args ...string) *exec.Cmd {
	opts := []string{"-qq"}
	for _, o := range []string{"Dir::Etc::sourcelist=" + a.dir() + ".list", "Dir::Etc::sourceparts=/dev/null",
		"Dir::State::lists=" + a.dir(), "APT::Architecture=" + a.arch, "APT::Architectures=" + a.arch, "APT::Sandbox::User=root",
		"Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="} {
		opts = append(opts, "-o", o)
	}
	return exec.Command(name, append(opts, args...)...)
}

// update reads the suite's package list.
func (a apt) update() error {
	if err := os.MkdirAll(filepath.Join(a.dir(), "partial"), 0o755); err != nil {
		return err
	}
	uri, err := mirror(strings.HasSuffix(a.suite, "-security"))
	if err != nil {
		return err
	}
	line := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", uri, a.suite)
	if err := os.WriteFile(a.dir()+".list", []byte(line), 0o644); err != nil {
		return err
	}
	if out, err := a.command("apt-get", "update").CombinedOutput(); err != nil {
		return fmt.Errorf("reading the package list of %s: %w\n%s", a.suite, err, out)
	}
	return nil
}

// mirror is the archive that this machine uses itself.
func mirror(security bool) (string, error) {
	files, err := filepath.Glob("/etc/apt/sources.list.d/*")
	if err != nil {
		return "", err
	}
	var uris []string
	for _, f := range append(files, "/etc/apt/sources.list") {
		data, err := os.ReadFile(f)
		if err == nil {
			uris = append(uris, debianURIs(string(data))...)
		}
	}
	for _, u := range uris {
		if strings.Contains(u, "security") == security {
			return u, nil
		}
	}
	if len(uris) > 0 {
		return uris[0], nil
	}
	return "", errors.New("this machine has no Debian archive among its sources (/etc/apt): kernels are downloaded from there")
}

// debianURIs are the archives of Debian in a file of sources, of either form.
func debianURIs(sources string) []string {
	var uris []string
	for line := range strings.Lines(sources) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "URIs:":
			words = words[1:]
		case len(words) > 1 && words[0] == "deb":
			words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "[") || strings.HasSuffix(w, "]") })
			words = words[:min(1, len(words))]
		default:
			continue
		}
		for _, u := range words {
			if strings.Contains(u, "debian") {
				uris = append(uris, u)
			}
		}
	}
	return uris
}

// unpackNewest downloads the newest package whose name matches and that the
// archive still has, with its further parts, and unpacks them into scratch/x.
// It returns the name and the version.
func (a apt) unpackNewest(pattern *regexp.Regexp, scratch string, parts []string) (string, error) {
	if err := a.update(); err != nil {
		return "", err
	}
	out, err := a.command("apt-cache", "search", "--names-only", pattern.String()).Output()
	if err != nil {
		return "", fmt.Errorf("searching %s: %w", a.suite, err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if name, _, _ := strings.Cut(line, " "); pattern.MatchString(name) && !variant.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(x, y string) int { return -compareVersions(x, y) })
	for _, name := range names {
		var version string
		if version, err = a.unpack(name, scratch); err != nil {
			continue // built again meanwhile, and the old one is gone
		}
		for _, part := range parts {
			if _, err := a.unpack(strings.Replace(name, "linux-image", part, 1), scratch); err != nil {
				return "", err
			}
		}
		return name + " " + version, nil
	}
	return "", errors.Join(fmt.Errorf("%s has no package %s", a.suite, pattern), err)
}

// variant matches kernels of other kinds.
var variant = regexp.MustCompile(`-rt-|-unsigned|-dbg`)

// unpack downloads a package and unpacks it into scratch/x. It returns its
// version.
func (a apt) unpack(name, scratch string) (string, error) {
	get := a.command("apt-get", "download", name)
	get.Dir = scratch
	if out, err := get.CombinedOutput(); err != nil {
		return "", fmt.Errorf("downloading %s: %w\n%s", name, err, out)
	}
	debs, err := filepath.Glob(filepath.Join(scratch, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", errors.Join(fmt.Errorf("downloading %s gave %d files", name, len(debs)), err)
	}
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], filepath.Join(scratch, "x")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpacking %s: %w\n%s", name, err, out)
	}
	version := strings.Split(filepath.Base(debs[0]), "_")[1]
	return version, os.Remove(debs[0])
}

var digits = regexp.MustCompile(`\d+|\D+`)

// compareVersions orders names by the numbers in them.
func compareVersions(x, y string) int {
	xs, ys := digits.FindAllString(x, -1), digits.FindAllString(y, -1)
	for i := range min(len(xs), len(ys)) {
		n, err := strconv.Atoi(xs[i])
		m, err2 := strconv.Atoi(ys[i])
		switch {
		case err == nil && err2 == nil && n != m:
			return n - m
		case xs[i] != ys[i] && (err != nil || err2 != nil):
			return strings.Compare(xs[i], ys[i])
		}
	}
	return len(xs) - len(ys)
}
