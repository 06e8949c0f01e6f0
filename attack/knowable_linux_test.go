package attack_test

import (
	"crypto/md5"
	cryptorand "crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// A source is what a name is made of.
type nameSource struct {
	name string
	of   func(s *attack.Scene) uint64
	bits int // of chance; 0: it can be known
}

var made int // by the source "counter"

func hash64(text string) uint64 {
	h := sha256.Sum256([]byte(text))
	n := uint64(0)
	for _, b := range h[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}

var nameSources = []nameSource{
	{"pid", func(*attack.Scene) uint64 { return uint64(os.Getpid()) }, 0},
	{"ppid", func(*attack.Scene) uint64 { return uint64(os.Getppid()) }, 0},
	{"31*pid+7", func(*attack.Scene) uint64 { return uint64(31*os.Getpid() + 7) }, 0},
	{"pid xor constant", func(*attack.Scene) uint64 { return uint64(os.Getpid()) ^ 0x5bd1e995 }, 0},
	{"seconds", func(*attack.Scene) uint64 { return uint64(time.Now().Unix()) }, 0},
	{"milliseconds", func(*attack.Scene) uint64 { return uint64(time.Now().UnixMilli()) }, 0},
	{"nanoseconds", func(*attack.Scene) uint64 { return uint64(time.Now().UnixNano()) }, 0},
	{"rand of the pid", func(*attack.Scene) uint64 { return rand.New(rand.NewSource(int64(os.Getpid()))).Uint64() }, 0},
	{"rand of the seconds", func(*attack.Scene) uint64 { return rand.New(rand.NewSource(time.Now().Unix())).Uint64() }, 0},
	{"counter", func(*attack.Scene) uint64 { made++; return uint64(made) }, 0},
	{"hash of Dir", func(s *attack.Scene) uint64 { return hash64(s.Dir) }, 0},
	{"hash of Home", func(s *attack.Scene) uint64 { return hash64(s.Home) }, 0},
	{"hash of host and user", func(*attack.Scene) uint64 {
		host, _ := os.Hostname()
		who := strconv.Itoa(os.Getuid())
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
		return hash64(host + who)
	}, 0},
	{"inode of Dir", func(s *attack.Scene) uint64 {
		var st syscall.Stat_t
		_ = syscall.Stat(s.Dir, &st)
		return st.Ino
	}, 0},
	{"constant", func(*attack.Scene) uint64 { return 20240101 }, 0},
	{"one of ten", func(*attack.Scene) uint64 { return randv2.Uint64N(10) }, 4},
	{"16 bits", func(*attack.Scene) uint64 { return randv2.Uint64N(1 << 16) }, 16},
	{"64 bits", func(*attack.Scene) uint64 { return randv2.Uint64() }, 64},
	{"64 bits of the kernel", func(*attack.Scene) uint64 {
		var b [8]byte
		_, _ = cryptorand.Read(b[:])
		return hash64(string(b[:]))
	}, 64},
}

type nameNotation struct {
	name string
	of   func(n uint64) string
	hash bool
}

var nameNotations = []nameNotation{
	{"decimal", func(n uint64) string { return strconv.FormatUint(n, 10) }, false},
	{"padded", func(n uint64) string { return fmt.Sprintf("%020d", n) }, false},
	{"hex", func(n uint64) string { return strconv.FormatUint(n, 16) }, false},
	{"octal", func(n uint64) string { return strconv.FormatUint(n, 8) }, false},
	{"base 32", func(n uint64) string {
		return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(strconv.FormatUint(n, 10)))
	}, false},
	{"base 36", func(n uint64) string { return strconv.FormatUint(n, 36) }, false},
	{"base 64", func(n uint64) string { return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatUint(n, 10))) }, false},
	{"reversed", func(n uint64) string {
		b := []byte(strconv.FormatUint(n, 10))
		slices.Reverse(b)
		return string(b)
	}, false},
	{"dotted", func(n uint64) string { return strings.Join(strings.Split(strconv.FormatUint(n, 10), ""), ".") }, false},
	{"sha1", func(n uint64) string {
		h := sha1.Sum([]byte(strconv.FormatUint(n, 10)))
		return hex.EncodeToString(h[:])
	}, true},
	{"md5", func(n uint64) string {
		h := md5.Sum([]byte(strconv.FormatUint(n, 10)))
		return hex.EncodeToString(h[:])
	}, true},
	{"salted sha256", func(n uint64) string {
		h := sha256.Sum256([]byte("salt" + strconv.FormatUint(n, 10)))
		return hex.EncodeToString(h[:])
	}, true},
	{"a hash in a text", func(n uint64) string { return fmt.Sprintf("build-%x.d", hash64(strconv.FormatUint(n, 10))) }, true},
}

// nameUse is what a victim does with a name that it has made.
type nameUse struct {
	name string
	do   func(s *attack.Scene, name string) error
	sh   string // with $p for the path
	move attack.Move
	weak string // the rules that it breaks by any name
}

var nameUses = []nameUse{
	{"adopts", func(s *attack.Scene, name string) error {
		dir := filepath.Join(s.Dir, name)
		return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "out"), []byte("x"), 0o600), os.RemoveAll(dir))
	}, `mkdir -p "$p" && echo x > "$p/out" && rm -r "$p"`, attack.Dir, ""},
	{"creates", func(s *attack.Scene, name string) error {
		file := filepath.Join(s.Dir, name)
		return errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Remove(file))
	}, `echo x > "$p" && rm "$p"`, attack.Symlink, "C01"},
	{"reads", func(s *attack.Scene, name string) error {
		_, err := os.ReadFile(filepath.Join(s.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}, `[ ! -e "$p" ] || cat "$p"`, attack.File, ""},
	{"removes", func(s *attack.Scene, name string) error {
		err := os.Remove(filepath.Join(s.Dir, name, "cache"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}, `rm -f "$p/cache"`, attack.Symlink, ""},
}

// proveUse attacks a victim that uses a name. It says whether damage was done.
func proveUse(t *testing.T, use nameUse, do attack.Victim) (rep *attack.Report, harmed bool) {
	t.Helper()
	rep = attack.Prove(t, do, attack.ReportOnly(), attack.Depth(1), attack.Moves(use.move))
	assert.Empty(t, rep.Problems)
	assert.True(t, rep.Complete)
	return rep, slices.ContainsFunc(rep.Findings, func(f attack.Finding) bool { return f.Exploit })
}

// TestKnowable: a victim that uses a name is attacked wherever that can be known,
// and nowhere else.
func TestKnowable(t *testing.T) {
	for i, src := range nameSources {
		for j, notation := range nameNotations {
			for k, use := range nameUses {
				if src.bits == 16 && notation.hash {
					continue // cannot be told from many bits
				}
				t.Run(src.name+" "+notation.name+" "+use.name, func(t *testing.T) {
					part := 4
					if sample.Short() {
						part = 24
					}
					if !sample.Long() && (i+5*j+3*k)%part != 0 {
						t.Skip("in the part of the table that this run leaves out")
					}
					rep, harmed := proveUse(t, use, func(s *attack.Scene) error { return use.do(s, "app-"+notation.of(src.of(s))) })
					assert.Equal(t, src.bits < 32, harmed, "%v", rep.Findings)
					if src.bits == 64 {
						assert.Equal(t, use.weak, rulesOf(rep))
					}
				})
			}
		}
	}
}
