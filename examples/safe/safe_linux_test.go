package safe

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
)

// code is what a program could contain.
type code func(dir, home string) error

func (c code) victim(s *attack.Scene) error { return c(s.Dir, s.Home) }

// row is a function and how far its contract goes.
type row struct {
	name string
	code code
	opts []attack.Option
	// Why it cannot hold where others may remove and replace its names,
	// which is what a directory without the sticky bit lets them do. Empty:
	// it holds there as well.
	sticky string
}

const (
	byName  = "the file is closed, then renamed or linked by its name: the attacker's can stand there by then"
	refuses = "it refuses such a directory"
	byDir   = "its directory is used by name: the attacker's can stand there by then"
)

func target(names ...string) []attack.Option { return []attack.Option{attack.Target(names...)} }

// ownState is a file of an earlier run.
func ownState() []attack.Option {
	return []attack.Option{attack.Target("state"), attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(s.Path("state"), content, 0o600)
	})}
}

// uploads is a directory of strangers.
func uploads() []attack.Option {
	return []attack.Option{attack.Hostile("uploads"), attack.Setup(func(s *attack.Scene) error {
		if err := os.MkdirAll(s.Path("uploads", "album"), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(s.Path("uploads", "photo"), []byte("photo"), 0o666); err != nil {
			return err
		}
		return os.WriteFile(s.Path("uploads", "album", "photo"), []byte("photo"), 0o666)
	})}
}

// few moves for what starts programs in each schedule, which takes time.
var few = []attack.Option{attack.Moves(attack.Symlink, attack.Remove), attack.Depth(1)}

// safeRows: nothing may be said against these.
var safeRows = []row{
	{"CreateTemp, rename", createTempRename, target("out"), byName},
	{"CreateTemp, chmod, sync, rename", createTempSyncRename, target("out"), byName},
	{"CreateTemp, remove", createTempRemove, nil, ""},
	{"CreateTemp, unlink at once", createTempUnlink, nil, ""},
	{"spooled", spooled, nil, ""},
	{"memfd", code(func(dir, home string) error { _, _ = os.Stat(dir); return inMemory(dir, home) }), nil, ""},
	{"O_EXCL loop", exclusiveLoop, nil, ""},
	{"O_EXCL, numbered", exclusiveNumbered, target("report.*"), ""},
	{"O_TMPFILE, linkat", tmpfile, target("out"), ""},
	{"O_TMPFILE, never named", tmpfileHidden, nil, ""},
	{"RENAME_NOREPLACE", noReplace, target("out"), byName},
	{"link, remove", linkName, target("out"), byName},
	{"O_NOFOLLOW, fstat, read", readOwn, ownState(), ""},
	{"O_NOFOLLOW, fstat, append", appendOwn, ownState(), ""},
	{"lstat, open, fstat, read", readByRecheck, ownState(), ""},
	{"MkdirTemp, predictable names inside", predictableInside, nil, byDir},
	{"MkdirTemp, tree inside", treeInside, nil, byDir},
	{"MkdirTemp, archive inside", unpackInside, nil, byDir},
	{"MkdirTemp, unix socket inside", socketInside, nil, byDir},
	{"MkdirTemp, FIFO inside", fifoInside, nil, byDir},
	{"MkdirTemp, lock file inside", lockInside, nil, byDir},
	{"MkdirTemp, os.Root", rootInside, nil, byDir},
	{"os.Root at home", rootAtHome, nil, ""},
	{"at home", atHome, nil, ""},
	{"os.Root of uploads", rootOfUploads, uploads(), ""},
	{"secure_dir with st_uid", checkedDir, target("app"), refuses},
	{"pinned directory with st_uid", pinnedDir, target("app"), ""},
	{"sh: mktemp -d", shell, few, byDir},
	{"sh: mktemp", shellFile, few, byName},

	{"renameio v1", renameioV1, target("out"), byName},
	{"renameio v1 at home", renameioV1Home, nil, "it tries TMPDIR for its temporary file, and uses that by name"},
	{"renameio v1 symlink", renameioV1Symlink, nil, ""},
	{"renameio v2", renameioV2, target("out"), byName},
	{"renameio v2 pending file", renameioV2Pending, nil, byName},
	{"renameio v2 root", renameioV2Root, nil, byDir},
	{"moby atomicwriter", atomicwriterFile, target("out"), byName},
	{"moby atomicwriter set", atomicwriterSet, nil, byDir},
	{"natefinch/atomic at home", natefinchAtomic, nil, ""},
	{"tailscale atomicfile", tailscaleAtomicfile, target("out"), byName},
	{"containerd continuity atomic", continuityAtomic, nil, byDir},
	{"containerd continuity CopyDir", continuityCopyDir, nil, byDir},
	{"go-safetemp", safetempDir, nil, byDir},
	{"pathrs-lite of uploads", pathrsUploads, uploads(), ""},
	{"pathrs-lite MkdirAll", pathrsMkdirAll, nil, byDir},
	{"gofrs/flock", flockInside, nil, byDir},
	{"otiai10/copy", copyInside, nil, byDir},
	{"afero BasePathFs", aferoInside, nil, byDir},
	{"afero TempDir at home", aferoTempDir, nil, ""},
}

// TestSafe: nothing is said against safe code, and where the contract ends the
// attacker wins.
func TestSafe(t *testing.T) {
	for _, r := range safeRows {
		t.Run(r.name, func(t *testing.T) {
			attack.Prove(t, r.code.victim, r.opts...)
		})
		t.Run(r.name+", not sticky", func(t *testing.T) {
			switch r.sticky {
			case refuses:
				dir := t.TempDir()
				assert.NoError(t, os.Chmod(dir, 0o777))
				assert.Error(t, r.code(dir, t.TempDir()))
				return
			case "":
				attack.Prove(t, r.code.victim, append(r.opts, attack.Unsticky())...)
				return
			}
			report := attack.Prove(t, r.code.victim, append(r.opts, attack.Unsticky(), attack.ReportOnly(), attack.Depth(1))...)
			assert.True(t, exploited(report), "it holds, although it is said that %s", r.sticky)
		})
	}
}

func exploited(r *attack.Report) bool {
	return slices.ContainsFunc(r.Findings, func(f attack.Finding) bool { return f.Exploit })
}

// TestUnsafe: each of these is broken, by at least one of these rules.
func TestUnsafe(t *testing.T) {
	for _, r := range []struct {
		name  string
		code  code
		opts  []attack.Option
		rules []string
	}{
		{"fixed name", fixedName, nil, []string{"X01"}},
		{"stat, create", statThenCreate, target("out"), []string{"X01"}},
		{"pid in the name", pidName, nil, []string{"X01"}},
		{"time in the name", timeName, nil, []string{"X01"}},
		{"name, then open", nameThenOpen, nil, []string{"X01"}},
		{"adopted directory", adoptedDir, target("cache"), []string{"X01", "X06"}},
		{"umask", umaskMode, target("out"), []string{"X04"}},
		{"leak", leaks, nil, []string{"R01"}},
		{"read by name", reopened, ownState(), nil},
		{"unix socket", socketShared, nil, []string{"C03"}},
		{"sh: $$", shellPID, nil, []string{"X01"}},
		{"gofrs/flock", flockShared, target("app.lock"), []string{"X01"}},
		{"securejoin", secureJoined, uploads(), []string{"X02"}},
		{"otiai10/copy", copyShared, target("out"), []string{"X01"}},
		{"containerd continuity CopyFile", copyFileShared, target("out"), []string{"X01"}},
		{"chmod later", chmodLater, target("out"), []string{"X04"}},
		{"renameio v2, existing mode", renameioMode, target("out"), []string{"X04"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			opts := append(r.opts, attack.ReportOnly(), attack.Depth(1)) // one move is enough for each
			if r.rules == nil {                                          // safe as long as nobody else can take the name
				opts = append(opts, attack.Unsticky())
				r.rules = []string{"X03"}
			}
			report := attack.Prove(t, r.code.victim, opts...)
			var got []string
			for _, f := range report.Findings {
				got = append(got, f.Rule.ID())
			}
			for _, id := range r.rules {
				assert.Contains(t, got, id)
			}
			t.Logf("%s: %q", filepath.Base(t.Name()), got)
		})
	}
}
