package leftover

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPattern: what looks random is left out as a whole, and a name that has
// nothing of the kind stays.
func TestPattern(t *testing.T) {
	for name, want := range map[string]string{
		"upload-1234567.tmp":                        "upload-*.tmp",
		"part-001":                                  "part-001",
		"TestLeaks1334565680/001/log":               "TestLeaks*/001/log",
		"hexlong-db2bbc6c12345deed224aea1":          "hexlong-*",
		"123e4567-e89b-12d3-a456-426614174000.json": "*.json",
		"cafe12345":                                 "*",
		"x86_64":                                    "x86_64",
		"sha256sum":                                 "sha256sum",
		"report.v1beta1.json":                       "report.v1beta1.json",
		"plain":                                     "plain",
		"":                                          "",
		"/tmp/tmpproof-1/tmp/x":                     "/tmp/tmpproof-1/tmp/x",
		"ü-12345":                                   "ü-*",
		"b.-*":                                      "b.*", // base64, of which a part has been seen to differ
		"b._*-.txt":                                 "b.*.txt",
		"work-*_x":                                  "work-*_x",
	} {
		assert.Equal(t, want, Pattern(name), name)
	}
}

// TestCompare: two names of one pattern, and a third one that fits it or not.
func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b, pattern string
		fits, not     []string
	}{
		{"a.txt", "a.txt", "a.txt", []string{"a.txt"}, []string{"b.txt", "a.tx"}},
		{"up-12.tmp", "up-13.tmp", "up-*.tmp", []string{"up-9.tmp", "up-xyz.tmp"}, []string{"up-.tmp", "up.tmp", "down-12.tmp", "up-12.log"}},
		{"job12", "job131", "job*", []string{"job9"}, []string{"job", "jo9"}},
		{"tmp.aXb9", "tmp.aYc1", "tmp.*", []string{"tmp.q"}, []string{"tmp.", "tmp"}},
		{"brave-turing.log", "happy-hopper.log", "*.log", []string{"calm-noether.log"}, []string{".log", "x.txt"}},
		{"same-a", "same-b-c", "same-*", []string{"same-d"}, []string{"other-a"}},
		{"aa", "aaa", "*", []string{"b"}, []string{""}},
	} {
		assert.Equal(t, tt.pattern, Common(tt.a, tt.b))
		assert.Equal(t, tt.pattern, Common(tt.b, tt.a))
		e := Compare(tt.a, tt.b)
		for _, name := range append(tt.fits, tt.a, tt.b) {
			assert.True(t, e.Match(name), "%s %s", tt.pattern, name)
		}
		for _, name := range tt.not {
			assert.False(t, e.Match(name), "%s %s", tt.pattern, name)
		}
	}
}
