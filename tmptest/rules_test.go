//go:build linux

package tmptest_test

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// ruleRow is a rule with a victim that breaks it and its nearest twin that
// does not.
type ruleRow struct {
	rule   rules.Rule
	name   string // what is broken
	skip   func() string
	broken func(tb testing.TB)
	sound  func(tb testing.TB)
}

// coveredElsewhere says for each rule that cannot be checked by looking at
// what is there where its program is: examples/rulebook holds to it.
func coveredElsewhere(t *testing.T) map[string]string {
	text, err := os.ReadFile("testdata/elsewhere.txt")
	require.NoError(t, err)
	places := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if id, where, ok := strings.Cut(strings.TrimSpace(line), " "); ok && id != "#" {
			assert.Empty(t, places[id], "%s is listed twice", id)
			places[id] = where
		}
	}
	return places
}

func needsRoot() string {
	if os.Geteuid() != 0 {
		return "only root can give a file away"
	}
	return ""
}

// inDir makes a directory of the mode and hands it to a body as temporary root.
func inDir(mode fs.FileMode, body func(tb testing.TB, dir string)) func(testing.TB) {
	return func(tb testing.TB) {
		dir := filepath.Join(tb.TempDir(), "root")
		noError(tb, os.Mkdir(dir, 0o700))
		noError(tb, os.Chmod(dir, mode))
		body(tb, dir)
	}
}

// audit reports what Audit finds as the assertions do.
func audit(tb testing.TB, path string, opts ...tmptest.Option) {
	found, err := tmptest.Audit(path, opts...)
	noError(tb, err)
	for _, v := range found {
		if v.Level() == rules.Fail {
			tb.Errorf("\n  %s", v)
		} else {
			tb.Logf("\n  %s", v)
		}
	}
}

// withDir is a body that gets a directory from Dir.
func withDir(body func(tb testing.TB, dir string), opts ...tmptest.Option) func(testing.TB) {
	return func(tb testing.TB) { body(tb, tmptest.Dir(tb, opts...)) }
}

func withShared(body func(tb testing.TB, dir string), opts ...tmptest.Option) func(testing.TB) {
	return func(tb testing.TB) { body(tb, tmptest.Shared(tb, opts...)) }
}

func setRoot(dir string) func(testing.TB) {
	return func(tb testing.TB) {
		tb.Setenv("GOTMPDIR", dir)
		tmptest.Dir(tb)
	}
}

func nothing(testing.TB, string) {}

// aclWith is a list (linux/posix_acl_xattr.h) that gives user 12345 these
// permissions through this mask.
func aclWith(perm, mask uint16) []byte {
	return aclOf(mask, aclEntry{2, perm, 12345}, aclEntry{4, 0, ^uint32(0)})
}

func aclForGroup(perm, mask uint16) []byte {
	return aclOf(mask, aclEntry{4, 0, ^uint32(0)}, aclEntry{8, perm, 12345})
}

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

func aclOf(mask uint16, entries ...aclEntry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range slices.Concat([]aclEntry{{1, 7, ^uint32(0)}}, entries, []aclEntry{{0x10, mask, ^uint32(0)}, {0x20, 0, ^uint32(0)}}) {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func setACL(tb testing.TB, dir, kind string, list []byte) {
	noError(tb, unix.Setxattr(dir, "system.posix_acl_"+kind, list, 0))
}

var ruleRows = slices.Concat(environmentRows, creationRows, useRows, removalRows)

// TestRules runs each victim and its twin.
func TestRules(t *testing.T) {
	for _, row := range ruleRows {
		t.Run(row.rule.ID()+" "+row.name, func(t *testing.T) {
			if row.skip != nil {
				if why := row.skip(); why != "" {
					t.Skip(why)
				}
			}
			named := (*recorder).broken
			if row.rule.Level() != rules.Fail {
				named = func(r *recorder) []string { return append(r.broken(), r.advised()...) }
			}
			t.Run("broken", func(t *testing.T) {
				r := observe(t, row.broken)
				assert.Contains(t, named(r), row.rule.ID(), r.text())
			})
			t.Run("sound", func(t *testing.T) {
				r := observe(t, row.sound)
				assert.NotContains(t, named(r), row.rule.ID(), r.text())
				assert.Empty(t, r.broken(), r.text())
			})
		})
	}
}

// TestEveryRuleIsCovered: each rule has a row here, or the place that has its
// program is named.
func TestEveryRuleIsCovered(t *testing.T) {
	elsewhere := coveredElsewhere(t)
	for _, r := range rules.All() {
		here := slices.ContainsFunc(ruleRows, func(row ruleRow) bool { return row.rule == r })
		assert.True(t, here || elsewhere[r.ID()] != "", "%s has no row and no other place", r.ID())
		assert.False(t, here && elsewhere[r.ID()] != "", "%s has a row and another place", r.ID())
		assert.False(t, elsewhere[r.ID()] == "other" && r.Level() == rules.Fail && r.ID()[0] != 'A', "%s fails tests, and no program shows it", r.ID())
	}
	for id := range elsewhere {
		assert.True(t, slices.ContainsFunc(rules.All(), func(r rules.Rule) bool { return r.ID() == id }), "%s is no rule", id)
	}
}

// TestGuidelineIDs: what the guideline refers to has a rule here that a victim
// breaks and its twin does not.
func TestGuidelineIDs(t *testing.T) {
	has := func(match func(r rules.Rule) bool) bool {
		return slices.ContainsFunc(ruleRows, func(row ruleRow) bool { return match(row.rule) })
	}
	for _, cwe := range []int{377, 379, 459} {
		assert.True(t, has(func(r rules.Rule) bool { return slices.Contains(r.CWE(), cwe) }), "CWE-%d", cwe)
	}
	for _, cert := range []string{"FIO21-C", "FIO03-J", "FIO15-C"} {
		assert.True(t, has(func(r rules.Rule) bool { return slices.Contains(r.CERT(), cert) }), cert)
	}
}

func TestRemoteTypes(t *testing.T) {
	tests := map[string]struct {
		kind           uint32
		remote, unsure bool
	}{
		"NFS": {0x6969, true, false}, "SMB": {0x517b, true, false}, "CIFS": {0xff534d42, true, false}, "SMB2": {0xfe534d42, true, false},
		"9p": {0x1021997, true, false}, "AFS": {0x5346414f, true, false}, "Ceph": {0xc36400, true, false},
		"Lustre": {0x0bd00bd0, true, false}, "GPFS": {0x47504653, true, false}, "FUSE": {0x65735546, false, true},
		"": {unix.OVERLAYFS_SUPER_MAGIC, false, false},
	}
	for want, tt := range tests {
		t.Run(want, func(t *testing.T) {
			name, remote, unsure := tmptest.RemoteType(tt.kind)
			assert.Equal(t, want, name)
			assert.Equal(t, tt.remote, remote)
			assert.Equal(t, tt.unsure, unsure)
		})
	}
	require.NotEmpty(t, tests)
}
