package fsfake_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSysIsTheSystemsType(t *testing.T) {
	_, v, f := scene(t)
	require.NoError(t, v.Link("/dir/file", "/dir/again"))
	require.NoError(t, v.Chown("/dir/file", 12, 34))
	fi, err := f.Stat()
	require.NoError(t, err)
	s, ok := fi.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	assert.EqualValues(t, 12, s.Uid)
	assert.EqualValues(t, 34, s.Gid)
	assert.EqualValues(t, 2, s.Nlink)
	assert.NotZero(t, s.Ino)
	assert.EqualValues(t, 8, s.Blocks)
	assert.EqualValues(t, syscall.S_IFREG|0o600, s.Mode)
}
