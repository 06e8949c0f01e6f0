//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewest(t *testing.T) {
	names := []string{"linux-image-5.10.0-9-cloud-amd64", "linux-image-5.10.0-46-cloud-amd64", "linux-image-5.10.0-10-cloud-amd64"}
	assert.Equal(t, names[1], slices.MaxFunc(names, compareVersions))
	assert.Negative(t, compareVersions("6.12.9+deb13", "6.12.117+deb13"))
	assert.Zero(t, compareVersions("6.1", "6.1"))
}

func TestDebianURIs(t *testing.T) {
	assert.Equal(t, []string{"http://deb.debian.org/debian", "http://deb.debian.org/debian-security"}, debianURIs(`Types: deb
# a comment: URIs: http://no.debian
URIs: http://deb.debian.org/debian
Suites: bookworm

URIs:	http://deb.debian.org/debian-security
`))
	assert.Equal(t, []string{"http://m.example/debian"}, debianURIs(`
deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main
# deb http://other/debian x main
deb-src http://m.example/debian bookworm main
deb https://other.example/apt stable main
`))
}

func TestModules(t *testing.T) {
	for path, want := range map[string]string{"/x/virtio-pci.ko": "virtio_pci", "/x/07-virtio_pci.ko": "virtio_pci", "ext4.ko.xz": "ext4", "9p.ko": "9p"} {
		assert.Equal(t, want, moduleName(path))
	}
	_, err := moduleNeeds([]byte("no module"))
	assert.Error(t, err)
}

// TestInGuest starts guests, where they can be had without a download.
func TestInGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("boots emulated machines: not with -short")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skipf("there is no emulator here; .ci/kernels installs it: %v", err)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no cache directory with kernels: %v", err)
	}
	cache := filepath.Join(user, "vmexec")
	for _, name := range []string{"5.10-amd64", "busybox-amd64"} {
		if _, err := os.Stat(filepath.Join(cache, name)); err != nil {
			t.Skipf("no kernel was downloaded yet; .ci/kernels does: %v", err)
		}
	}
	busybox := filepath.Join(cache, "busybox-amd64")
	here, err := os.Getwd()
	require.NoError(t, err)
	for _, tt := range []struct {
		name   string
		opt    options
		args   []string
		status int
		out    string
	}{
		{"root", options{}, []string{"sh", "-c", "echo $(id -u) $PWD $TMPDIR; cat go.mod ../../go.mod 2>/dev/null | grep -c ^module; exit 3"}, 3, "0 " + here + "\n1\n"},
		{"nobody, ext4, a setting", options{user: 65534, scene: "ext4", sysctls: []string{"kernel.yama.ptrace_scope=2"}},
			[]string{"sh", "-c", "id -u; stat -f -c %T /tmp; cat /proc/sys/kernel/yama/ptrace_scope; touch /tmp/x && echo made >&2; kill -KILL $$"}, 137, "65534\next2/ext3\n2\nmade\n"},
		{"another user, overlay", options{user: 1000, scene: "overlay"}, []string{"sh", "-c", "id -u; grep -c '^over /tmp overlay' /proc/mounts; (sleep 1000 &)"}, 0, "1000\n1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opt := tt.opt
			opt.series, opt.arch, opt.smp, opt.mem, opt.timeout, opt.cache = "5.10", "amd64", 1, 512, 4*time.Minute, cache
			opt.program, opt.args = busybox, tt.args
			if opt.scene == "" {
				opt.scene = "tmpfs"
			}
			var out bytes.Buffer
			status, err := run(&opt, &out, nil)
			require.NoError(t, err)
			assert.Equal(t, tt.out, out.String())
			assert.Equal(t, tt.status, status)
		})
	}
}
