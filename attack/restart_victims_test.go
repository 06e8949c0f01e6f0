package attack_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
)

// recordLog is an append-only log: each record has its length and a checksum
// before it.
type recordLog struct{ repair bool }

// open gives the whole records of the log, ready for the next. A torn one at the
// end is cut off, or an error.
func (l recordLog) open(s *attack.Scene) (afero.File, []string, error) {
	f, err := s.FS.OpenFile(s.Path("log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	records, err := l.read(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, records, nil
}

func (l recordLog) read(f afero.File) (records []string, err error) {
	all, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	for end := 0; end < len(all); {
		rest := all[end:]
		size := 5 + int(rest[0])
		if len(rest) < size || byte(crc32.ChecksumIEEE(rest[5:size])) != rest[1] {
			if !l.repair {
				return nil, fmt.Errorf("record %d is torn", len(records)+1)
			}
			return records, f.Truncate(int64(end))
		}
		records = append(records, string(rest[5:size]))
		end += size
	}
	return records, nil
}

func record(r string) []byte {
	return append([]byte{byte(len(r)), byte(crc32.ChecksumIEEE([]byte(r))), 0, 0, 0}, r...)
}

// records are those of the log at the start.
func (l recordLog) records(s *attack.Scene) ([]string, error) {
	f, records, err := l.open(s)
	if err != nil {
		return nil, err
	}
	return records, f.Close()
}

func (l recordLog) append(s *attack.Scene, records ...string) error {
	f, _, err := l.open(s)
	if err != nil {
		return err
	}
	for _, r := range records {
		if _, err := f.Write(record(r)); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// starts sees that the log opens, that its records are the first ones, and that
// the next one is found again.
func (l recordLog) starts(s *attack.Scene) error {
	was, err := l.records(s)
	if err != nil {
		return err
	}
	if !slices.Equal(was, []string{"zero", "one", "two"}[:len(was)]) {
		return fmt.Errorf("the log has %q", was)
	}
	if err := l.append(s, "next"); err != nil {
		return err
	}
	now, err := l.records(s)
	if err == nil && !slices.Equal(now, append(was, "next")) {
		err = fmt.Errorf("after %q and next the log has %q", was, now)
	}
	return err
}

// full is the promise of a log that has reported success.
func (l recordLog) full(s *attack.Scene) error {
	is, err := l.records(s)
	if err == nil && len(is) != 3 {
		err = fmt.Errorf("the log has %q", is)
	}
	return err
}

func (l recordLog) writer(s *attack.Scene) error { return l.append(s, "one", "two") }

func (l recordLog) opts(more ...attack.Option) []attack.Option {
	return append(more, attack.Target("log"), attack.Setup(func(s *attack.Scene) error { return l.append(s, "zero") }))
}

// rewriter adds the same records by writing all of the log anew.
func (l recordLog) rewriter(s *attack.Scene) error {
	all, err := afero.ReadFile(s.FS, s.Path("log"))
	if err != nil {
		return err
	}
	for _, r := range []string{"one", "two"} {
		all = append(all, record(r)...)
	}
	return replaceAs(s, "log", all)
}

// startsAs is the start of the code in its version: mended, it cuts off what is
// torn, and before it does something else, and returns the error.
func startsAs(torn func()) attack.Option {
	return attack.Restart(func(s *attack.Scene) error {
		l := recordLog{repair: exists(s, s.Home+"/mended")}
		if _, err := l.records(s); err != nil {
			torn()
			return err
		}
		return l.starts(s)
	})
}

// mended is the version of the code that repairs its log.
var mended = attack.Setup(func(s *attack.Scene) error {
	return errors.Join(repairs.append(s, "zero"), put(s.FS, s.Home+"/mended", newFile, 0o600, ""))
})

// walStore is two values that belong together, in two files: what is to be
// written is in a log first.
type walStore struct {
	ahead  bool // the log is whole before the files are touched
	replay bool // and is carried out at the next start
}

func (k walStore) set(s *attack.Scene, value string) error {
	log := func() error { return replaceAs(s, "wal", []byte(value)) }
	files := func() error {
		for _, name := range []string{"a", "b"} {
			if err := afero.WriteFile(s.FS, s.Path(name), []byte(value), 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	steps := []func() error{log, files}
	if !k.ahead {
		steps = []func() error{files, log}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return s.FS.Remove(s.Path("wal"))
}

// get is what the code does at its start.
func (k walStore) get(s *attack.Scene) (string, error) {
	if wal, err := afero.ReadFile(s.FS, s.Path("wal")); err == nil && k.replay {
		if err := k.set(s, string(wal)); err != nil {
			return "", err
		}
	} else if err != nil && !errors.Is(err, afero.ErrFileNotFound) {
		return "", err
	}
	a, err := afero.ReadFile(s.FS, s.Path("a"))
	if err != nil {
		return "", err
	}
	b, err := afero.ReadFile(s.FS, s.Path("b"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(a, b) {
		return "", errors.New("a and b do not belong together")
	}
	return string(a), nil
}

func (k walStore) opts(more ...attack.Option) []attack.Option {
	return append(more, attack.Target("a", "b", "wal", "wal.tmp"), mayBeKilled,
		attack.Setup(func(s *attack.Scene) error { return k.set(s, "the old value") }),
		attack.Restart(func(s *attack.Scene) error {
			value, err := k.get(s)
			if err == nil && value != "the old value" && value != "the new value, which is longer" {
				err = fmt.Errorf("the value is %q", value)
			}
			return err
		}))
}

func (k walStore) writer(s *attack.Scene) error { return k.set(s, "the new value, which is longer") }

// replaceAs writes a file aside and renames it.
func replaceAs(s *attack.Scene, name string, content []byte) error {
	tmp := s.Path(name + ".tmp")
	if err := put(s.FS, tmp, newFile, 0o600, string(content)); err != nil {
		return errors.Join(err, absentIsFine(s.FS.Remove(tmp)))
	}
	if err := s.FS.Rename(tmp, s.Path(name)); err != nil {
		return errors.Join(err, s.FS.Remove(tmp))
	}
	return nil
}

// spool is a queue: a job is a file, which is made under another name.
func spool(s *attack.Scene) error {
	f, err := afero.TempFile(s.FS, s.Dir, "job-*.part")
	if err != nil {
		return err
	}
	defer func() { _ = absentIsFine(s.FS.Remove(f.Name())) }()
	if err := errors.Join(writeNew(f), f.Close()); err != nil {
		return err
	}
	return s.FS.Rename(f.Name(), s.Path("job"))
}

// sweeps removes what an earlier process has left.
func sweeps(s *attack.Scene) error {
	list, err := afero.ReadDir(s.FS, s.Dir)
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".part") {
			err = errors.Join(err, s.FS.Remove(s.Path(e.Name())))
		}
	}
	return err
}

var (
	repairs = recordLog{repair: true}
	rejects = recordLog{}
)

// restartKills and restartFaults are stores that are no file that is old or new,
// each broken one beside its nearest safe twin.
var restartKills = []victimTest{{
	name:   "a log without Restart is compared",
	victim: repairs.writer,
	opts:   repairs.opts(),
	want:   "X05",
}, {
	name:   "a log whose records are whole when it is killed",
	victim: repairs.writer,
	opts:   repairs.opts(attack.Restart(repairs.starts)),
}, {
	name:   "a log that must not have its first record alone",
	victim: repairs.writer,
	opts: repairs.opts(attack.Restart(func(s *attack.Scene) error {
		is, err := repairs.records(s)
		if err == nil && len(is) == 2 {
			err = errors.New("two records")
		}
		return err
	})),
	want: "X05",
}, {
	name:   "a record that is written in two parts, and the rest is not cut off",
	victim: func(s *attack.Scene) error { return inTwo(s, rejects) },
	opts:   rejects.opts(attack.Restart(rejects.starts)),
	want:   "X05",
}, {
	name:   "a record that is written in two parts, and the rest is cut off",
	victim: func(s *attack.Scene) error { return inTwo(s, repairs) },
	opts:   repairs.opts(attack.Restart(repairs.starts)),
}, {
	name:   "a store with its log written ahead",
	victim: walStore{ahead: true, replay: true}.writer,
	opts:   walStore{ahead: true, replay: true}.opts(),
}, {
	name:   "a store with its log written behind",
	victim: walStore{replay: true}.writer,
	opts:   walStore{replay: true}.opts(),
	want:   "X05",
}, {
	name:   "a store that does not look at its log",
	victim: walStore{ahead: true}.writer,
	opts:   walStore{ahead: true}.opts(),
	want:   "X05",
}, {
	name:   "what SIGKILL leaves is swept at the start",
	victim: spool,
	opts:   []attack.Option{attack.Target("job"), attack.Restart(sweeps)},
}, {
	name:   "what SIGKILL leaves is not swept",
	victim: spool,
	opts:   []attack.Option{attack.Target("job"), attack.Restart(func(*attack.Scene) error { return nil })},
	want:   "R07",
}, {
	name: "a target that Restart does not speak of",
	victim: func(s *attack.Scene) error {
		return errors.Join(repairs.writer(s), afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600))
	},
	opts: repairs.opts(attack.Restart(repairs.starts, "log"), attack.Target("out")),
	want: "X05",
}, {
	name: "a target that Restart speaks of without a word",
	victim: func(s *attack.Scene) error {
		return errors.Join(repairs.writer(s), afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600))
	},
	opts: repairs.opts(attack.Restart(repairs.starts), attack.Target("out")),
}, {
	name: "what was acknowledged is lost",
	victim: func(s *attack.Scene) error {
		return errors.Join(afero.WriteFile(s.FS, s.Home+"/acknowledged", nil, 0o600), repairs.writer(s))
	},
	opts: repairs.opts(attack.Restart(keepsAcknowledged)),
	want: "X05",
}, {
	name: "what was acknowledged is there",
	victim: func(s *attack.Scene) error {
		return errors.Join(repairs.writer(s), afero.WriteFile(s.FS, s.Home+"/acknowledged", nil, 0o600))
	},
	opts: repairs.opts(attack.Restart(keepsAcknowledged)),
}}

// keepsAcknowledged is the promise of a log whose writer has told somebody.
func keepsAcknowledged(s *attack.Scene) error {
	if _, err := s.FS.Stat(s.Home + "/acknowledged"); errors.Is(err, afero.ErrFileNotFound) {
		return repairs.starts(s)
	} else if err != nil {
		return err
	}
	return repairs.full(s)
}

// inTwo writes a record with two calls.
func inTwo(s *attack.Scene, l recordLog) error {
	f, _, err := l.open(s)
	if err != nil {
		return err
	}
	one := record("one")
	_, err = f.Write(one[:5])
	if err == nil {
		_, err = f.Write(one[5:])
	}
	return errors.Join(err, f.Close())
}

// oneOrTwo writes one record more where it can look at its settings.
func oneOrTwo(s *attack.Scene) error {
	if _, err := s.FS.Stat(s.Home); err != nil {
		return repairs.append(s, "one")
	}
	return repairs.append(s, "one", "two")
}

var restartFaults = []victimTest{{
	name:   "a log without Restart is compared",
	victim: repairs.writer,
	opts:   repairs.opts(),
	want:   "X05",
}, {
	name:   "a torn record is cut off",
	victim: repairs.writer,
	opts:   repairs.opts(attack.Restart(repairs.starts)),
}, {
	name:   "a torn record is an error",
	victim: rejects.writer,
	opts:   rejects.opts(attack.Restart(rejects.starts)),
	want:   "X05",
}, {
	name: "an error is taken for success, which Restart cannot know",
	victim: func(s *attack.Scene) error {
		_ = repairs.writer(s)
		return nil
	},
	opts: repairs.opts(attack.Restart(repairs.starts)),
	want: "X05",
}, {
	name: "an error is taken for success, which Ensure knows",
	victim: func(s *attack.Scene) error {
		_ = repairs.writer(s)
		return nil
	},
	opts: repairs.opts(attack.Restart(repairs.starts), attack.Ensure(repairs.full)),
	want: "X05",
}, {
	name:   "an error is overcome in another way, which is fine by Ensure",
	victim: oneOrTwo,
	opts:   repairs.opts(attack.Restart(repairs.starts), attack.Ensure(func(s *attack.Scene) error { return nil })),
}, {
	name:   "an error is overcome in another way, of which nobody knows that it is fine",
	victim: oneOrTwo,
	opts:   repairs.opts(attack.Restart(repairs.starts)),
	want:   "X05",
}, {
	name:   "a store with its log written ahead",
	victim: walStore{ahead: true, replay: true}.writer,
	opts:   walStore{ahead: true, replay: true}.opts(),
}, {
	name:   "a store with its log written behind",
	victim: walStore{replay: true}.writer,
	opts:   walStore{replay: true}.opts(),
	want:   "X05",
}, {
	name: "what an error leaves is left until the next start",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "job-*.part")
		if err != nil {
			return err
		}
		if err := errors.Join(writeNew(f), f.Close()); err != nil {
			return err
		}
		return s.FS.Rename(f.Name(), s.Path("job"))
	},
	opts: []attack.Option{attack.Target("job"), attack.Restart(sweeps)},
	want: "R05",
}}

// TestFakeRestart: all of them, on the disk in memory.
func TestFakeRestart(t *testing.T) {
	for _, of := range restartTables {
		for _, tt := range of.table {
			t.Run(of.name+"/"+tt.name, func(t *testing.T) {
				r := of.by(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly(), attack.Fake())...)
				assert.Equal(t, tt.want, rulesOf(r), texts(r))
				assert.True(t, r.Complete, r.Problems)
			})
		}
	}
}

var restartTables = []struct {
	name  string
	by    verb
	table []victimTest
}{{"Kills", attack.Kills, restartKills}, {"Faults", attack.Faults, restartFaults}}
