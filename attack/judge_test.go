package attack

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestConditionsDescribe: how a report tells what stands in a target's place.
func TestConditionsDescribe(t *testing.T) {
	long := strings.Repeat("x", 41)
	for _, tt := range []struct {
		e    targetEntry
		want string
	}{
		{targetEntry{kind: "file", file: digest{size: 2, head: "a\n"}}, `2 bytes, "a\n"`},
		{targetEntry{kind: "file"}, `0 bytes, ""`},
		{targetEntry{kind: "file", file: digest{size: 41, head: long[1:]}}, `41 bytes, "` + long[1:] + `"...`},
		{targetEntry{kind: "directory", dir: "/a file\n/b file\n"}, "a directory with 2 entries"},
		{targetEntry{kind: "directory"}, "a directory"}, // or one that is too deep
		{targetEntry{kind: "symlink"}, "a symlink"},
	} {
		assert.Equal(t, tt.want, describe(tt.e))
	}
}
