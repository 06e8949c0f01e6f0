package service

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/examples/service/after"
	"github.com/tmpproof/tmpproof/examples/service/before"
	"github.com/tmpproof/tmpproof/leakcheck"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	bolt "go.etcd.io/bbolt"
)

// Nothing that these tests make may be left.
func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestPIDFile(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return before.WritePID(s.Path("app.pid")) },
			attack.Public("app.pid"), attack.Expect(rules.X01, rules.X04, rules.X05, rules.X07, rules.X10))
	})
	t.Run("after", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.WritePID(s.Path("app.pid")) },
			attack.Public("app.pid"))
	})
	t.Run("after, with errors", func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error { return after.WritePID(s.Path("app.pid")) },
			attack.Public("app.pid"))
	})
}

func TestPage(t *testing.T) {
	page := []byte("<p>All is well.</p>")
	t.Run("before", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return before.Publish(s.Path("index.html"), page) },
			attack.Public("index.html"), attack.Expect(rules.X01, rules.X04, rules.X05, rules.X07, rules.X10))
	})
	t.Run("after", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.Publish(s.Path("index.html"), page) },
			attack.Public("index.html"))
	})
	t.Run("before, killed", func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error { return before.Publish(s.Path("index.html"), page) },
			attack.Public("index.html"), attack.Expect(rules.X05))
	})
	t.Run("after, killed", func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error { return after.Publish(s.Path("index.html"), page) },
			attack.Public("index.html"))
	})
}

func TestLock(t *testing.T) {
	work := func() error { return nil }
	t.Run("before", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return before.Locked(s.Path("app.lock"), work) },
			attack.Expect(rules.X01, rules.X07))
	})
	t.Run("after", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.Locked(s.Path("app.lock"), work) })
	})
	t.Run("after, with errors", func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error { return after.Locked(s.Path("app.lock"), work) })
	})
	t.Run("after, killed", func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error { return after.Locked(s.Path("app.lock"), work) }, attack.Strict(),
			attack.Allow(rules.R07, "who was killed at work has left it half done, and the lock says so until somebody has looked"))
	})
}

// archive is what somebody has sent.
func archive(names ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.Create(name)
		if _, err2 := f.Write([]byte("content")); errors.Join(err, err2) != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestArchive(t *testing.T) {
	friendly, hostile := archive("a.html", "b.html"), archive("a.html", "../../home/settings")
	settings := attack.Setup(func(s *attack.Scene) error { return os.WriteFile(s.Home+"/settings", []byte("mine"), 0o600) })
	t.Run("before", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return before.Extract(s.Path("site"), hostile) },
			attack.Target("site"), settings, attack.Canary("settings"), attack.FirstFinding(), attack.Expect(rules.X01))
	})
	t.Run("after", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.Extract(s.Path("site"), hostile) },
			settings, attack.Canary("settings"), attack.Refuses())
	})
	t.Run("after, what is no attack", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.Extract(s.Path("site"), friendly) },
			attack.Target("site"))
	})
}

// listen is a server as the client finds it: what is sent to it waits.
func listen(s *attack.Scene) error {
	if server != nil {
		server.Close()
	}
	var err error
	server, err = net.Listen("unix", s.Path("app.sock"))
	return err
}

var server net.Listener // of the last run

func TestSocket(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return before.Send(s.Path("app.sock"), "secret") },
			attack.Setup(listen), attack.Unsticky(), attack.Expect(rules.X10))
	})
	t.Run("after", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.Send(s.Path("app.sock"), "secret") },
			attack.Setup(listen), attack.Unsticky())
	})
}

// sound says that the log has its first lines, and takes another.
func sound(lines func(name string) ([]string, error), add func(name string, lines ...string) error) attack.Option {
	return attack.Restart(func(s *attack.Scene) error {
		was, err := lines(s.Path("log"))
		if err == nil {
			err = add(s.Path("log"), "line 9")
		}
		now, err2 := lines(s.Path("log"))
		if err = errors.Join(err, err2); err == nil && len(now) != len(was)+1 {
			err = fmt.Errorf("a line was added to %q, and now there are %q", was, now)
		}
		return err
	})
}

func TestLog(t *testing.T) {
	first := attack.Setup(func(s *attack.Scene) error { return before.Append(s.Path("log"), "line 1") })
	t.Run("before", func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error { return before.Append(s.Path("log"), "line 2", "line 3") },
			attack.Target("log"), first, sound(before.Lines, before.Append), attack.Expect(rules.X05, rules.R03))
	})
	t.Run("after", func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error { return after.Append(s.Path("log"), "line 2", "line 3") },
			attack.Target("log"), first, sound(after.Lines, after.Append))
	})
	t.Run("after, killed", func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error { return after.Append(s.Path("log"), "line 2", "line 3") },
			attack.Target("log"), first, sound(after.Lines, after.Append))
	})
}

// visitors reads the store.
func visitors(s *attack.Scene) (n int, err error) {
	db, err := bolt.Open(s.Path("store"), 0o600, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return n, db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket([]byte("visitors")); b != nil {
			n = b.Stats().KeyN
		}
		return nil
	})
}

func TestStore(t *testing.T) {
	agree := attack.Restart(func(s *attack.Scene) error {
		n, err := visitors(s)
		total, _ := os.ReadFile(s.Path("total"))
		if told, _ := strconv.Atoi(string(total)); err == nil && told != n {
			err = fmt.Errorf("%d visitors are told of, and the store has %d", told, n)
		}
		return err
	})
	opens := attack.Restart(func(s *attack.Scene) error { _, err := visitors(s); return err })
	t.Run("before, killed", func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error { return before.Count(s.Path("store"), s.Path("total"), "ann") },
			attack.Target("store", "total"), agree, attack.Expect(rules.X05))
	})
	t.Run("after, killed", func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error { return after.Count(s.Path("store"), "ann") },
			attack.Target("store"), opens)
	})
	t.Run("after, with errors", func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error { return after.Count(s.Path("store"), "ann") },
			attack.Target("store"), opens)
	})
}

func TestScript(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return before.Report(filepath.Join(s.Home, "report")) },
			attack.FirstFinding(), attack.Expect(rules.X01, rules.X02, rules.X07, rules.X10))
	})
	t.Run("after", func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error { return after.Report(s.Path("report")) },
			attack.Target("report"), attack.Depth(1))
	})
	t.Run("after, with errors", func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error { return after.Report(s.Path("report")) },
			attack.Target("report"))
	})
}
