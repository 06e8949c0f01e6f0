package attack_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// transfers are calls that write what they take from another descriptor. Each
// moves at most n bytes, and says how many it has.
var transfers = []struct {
	call string
	move func(to, from, n int) (int, error)
}{
	{"sendfile", func(to, from, n int) (int, error) { return unix.Sendfile(to, from, nil, n) }},
	{"copy_file_range", func(to, from, n int) (int, error) { return unix.CopyFileRange(from, nil, to, nil, n, 0) }},
	{"splice", func(to, from, n int) (int, error) {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return 0, err
		}
		defer unix.Close(p[0])
		defer unix.Close(p[1])
		filled, err := unix.Splice(from, nil, p[1], nil, n, 0)
		if err != nil || filled == 0 {
			return 0, err
		}
		moved, err := unix.Splice(p[0], nil, to, nil, int(filled), 0)
		moved = max(moved, 0)
		_, serr := unix.Seek(from, moved-filled, unix.SEEK_CUR) // the rest is in the pipe, and lost with it
		return int(moved), errors.Join(err, serr)
	}},
}

// byTransfer makes the target by a transfer from a file in Home.
func byTransfer(move func(to, from, n int) (int, error), whole, heeds bool) attack.Victim {
	return func(s *attack.Scene) (err error) {
		from, err := os.Open(s.Home + "/from")
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := os.CreateTemp(s.Dir, "out-")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				os.Remove(to.Name())
			}
		}()
		for left := 10; left > 0; {
			n, merr := move(int(to.Fd()), int(from.Fd()), left)
			if errors.Is(merr, unix.EINTR) {
				continue
			}
			if merr != nil && heeds {
				return errors.Join(merr, to.Close())
			}
			if left -= n; !whole || n <= 0 {
				break
			}
		}
		if err := to.Close(); err != nil {
			return err
		}
		return os.Rename(to.Name(), s.Path("out"))
	}
}

var fileAtHome = []attack.Option{attack.Target("out"), attack.Setup(func(s *attack.Scene) error {
	return os.WriteFile(s.Home+"/from", []byte("0123456789"), 0o600)
})}

// TestFaultsOfTransfers: the errors of each are tried, and its first half; code
// that leaves out one or the other is found, and code that heeds both is not.
func TestFaultsOfTransfers(t *testing.T) {
	for _, tt := range transfers {
		t.Run(tt.call, func(t *testing.T) {
			faults := func(whole, heeds bool) (found []string) {
				r := attack.Faults(t, byTransfer(tt.move, whole, heeds), append(fileAtHome, attack.ReportOnly())...)
				require.Empty(t, r.Problems)
				for _, f := range r.Findings {
					found = append(found, f.Rule.ID()+" "+regexp.MustCompile(`^(short|fail)[^@]*@\w+`).FindString(f.Schedule))
				}
				return found
			}
			assert.Empty(t, faults(true, true))
			assert.Contains(t, faults(false, true), "X05 short@"+tt.call)
			assert.True(t, slices.ContainsFunc(faults(true, false), func(f string) bool {
				return regexp.MustCompile(`^X05 fail-\w+@` + tt.call + `$`).MatchString(f)
			}))
		})
	}
}

// TestKillsOfCloseRange: the target is a part of itself where the descriptor is
// closed and opened again in the middle.
func TestKillsOfCloseRange(t *testing.T) {
	for name, whole := range map[string]bool{"in two parts": false, "whole": true} {
		t.Run(name, func(t *testing.T) {
			var tried []string
			r := attack.Kills(t, func(s *attack.Scene) error {
				first, second := "01234", "56789"
				if whole {
					first, second = first+second, ""
				}
				fd, err := unix.Open(s.Path("new"), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
				if err != nil {
					return err
				}
				_, err = unix.Write(fd, []byte(first))
				if err = errors.Join(err, os.Rename(s.Path("new"), s.Path("out")), unix.CloseRange(uint(fd), uint(fd), 0)); err != nil || whole {
					return err
				}
				f, err := os.OpenFile(s.Path("out"), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					return err
				}
				_, err = f.WriteString(second)
				return errors.Join(err, f.Close())
			}, attack.Target("out"), attack.ReportOnly(), attack.Told(func(schedule string) { tried = append(tried, schedule) }))
			assert.Equal(t, !whole, slices.ContainsFunc(r.Findings, func(f attack.Finding) bool {
				return f.Rule == rules.X05
			}))
			assert.True(t, slices.ContainsFunc(tried, func(s string) bool { return strings.HasPrefix(s, "SIGKILL@close_range:") }), tried)
		})
	}
}

// TestKillsOfTransfers: killed at the transfer, code that writes to the target
// in place leaves a part of it, or nothing.
func TestKillsOfTransfers(t *testing.T) {
	for _, tt := range transfers {
		t.Run(tt.call, func(t *testing.T) {
			r := attack.Kills(t, func(s *attack.Scene) error {
				from, err := os.Open(s.Home + "/from")
				if err != nil {
					return err
				}
				defer from.Close()
				to, err := os.OpenFile(s.Path("out"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return err
				}
				for range 2 {
					if _, err := tt.move(int(to.Fd()), int(from.Fd()), 5); err != nil {
						return errors.Join(err, to.Close(), os.Remove(to.Name()))
					}
				}
				return to.Close()
			}, append(fileAtHome, attack.ReportOnly())...)
			assert.True(t, slices.ContainsFunc(r.Findings, func(f attack.Finding) bool {
				return f.Rule == rules.X05 && regexp.MustCompile(`^SIGKILL@`+tt.call).MatchString(f.Schedule)
			}))
			attack.Kills(t, byTransfer(tt.move, true, true), fileAtHome...)
		})
	}
}
