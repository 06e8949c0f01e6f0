package safe

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	contfs "github.com/containerd/continuity/fs"
	securejoin "github.com/cyphar/filepath-securejoin"
	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"github.com/otiai10/copy"
)

// What stands here is how not to do it.

// fixedName trusts a name that everybody knows.
func fixedName(dir, _ string) error {
	name := filepath.Join(dir, "myapp.tmp")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		return err
	}
	return os.Remove(name)
}

// statThenCreate checks a name, then uses whatever is there by then.
func statThenCreate(dir, _ string) error {
	name := filepath.Join(dir, "out")
	if _, err := os.Lstat(name); err == nil {
		return errors.New("it exists")
	}
	return os.WriteFile(name, content, 0o600)
}

// pidName is what attackers try first.
func pidName(dir, _ string) error {
	name := filepath.Join(dir, "app."+strconv.Itoa(os.Getpid()))
	return errors.Join(os.WriteFile(name, content, 0o600), os.Remove(name))
}

// timeName is no better.
func timeName(dir, _ string) error {
	name := filepath.Join(dir, fmt.Sprintf("app-%d", time.Now().Unix()))
	return errors.Join(os.WriteFile(name, content, 0o600), os.Remove(name))
}

// nameThenOpen gives the name away between the two.
func nameThenOpen(dir, _ string) error {
	f, err := os.CreateTemp(dir, "work-*")
	if err != nil {
		return err
	}
	name := f.Name()
	if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(name, content, 0o600), os.Remove(name))
}

// adoptedDir takes any directory of that name for its own.
func adoptedDir(dir, _ string) error {
	d := filepath.Join(dir, "cache")
	if err := os.MkdirAll(d, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d, "entry"), content, 0o600)
}

// umaskMode leaves the mode to the umask.
func umaskMode(dir, _ string) error {
	f, err := os.OpenFile(filepath.Join(dir, "out"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return finish(f)
}

// leaks forgets the file.
func leaks(dir, _ string) error {
	f, err := os.CreateTemp(dir, "work-*")
	if err != nil {
		return err
	}
	return finish(f)
}

// reopened closes the file and opens the name again.
func reopened(dir, _ string) error {
	name := filepath.Join(dir, "state")
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.ReadAll(f)
	return err
}

// socketShared listens where everybody can be first.
func socketShared(dir, _ string) error {
	l, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		return err
	}
	return l.Close()
}

// shellPID is the classic.
func shellPID(string, string) error {
	return exec.Command("sh", "-ec", `echo data > "$TMPDIR/app.$$"; rm "$TMPDIR/app.$$"`).Run()
}

// flockShared creates its lock file through whatever stands there.
func flockShared(dir, _ string) error {
	l := flock.New(filepath.Join(dir, "app.lock"))
	if ok, err := l.TryLock(); err != nil || !ok {
		return errors.Join(err, errors.New("not locked"))
	}
	return l.Unlock()
}

// secureJoined resolves in one step and opens in the next, as the module's own
// documentation warns.
func secureJoined(dir, home string) error {
	name, err := securejoin.SecureJoin(filepath.Join(dir, "uploads"), "album/photo")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "photo"), data, 0o600)
}

// renameioMode takes its mode over from what stands at the name: a hard link to
// somebody's readable file opens the new one to all.
func renameioMode(dir, _ string) error {
	return renameio.WriteFile(filepath.Join(dir, "out"), content, 0o600)
}

// copyShared and copyFileShared write to a name that others can take first.
func copyShared(dir, home string) error {
	from := filepath.Join(home, "from")
	if err := os.WriteFile(from, content, 0o600); err != nil {
		return err
	}
	return copy.Copy(from, filepath.Join(dir, "out"))
}

func copyFileShared(dir, home string) error {
	from := filepath.Join(home, "from")
	if err := os.WriteFile(from, content, 0o600); err != nil {
		return err
	}
	return contfs.CopyFile(filepath.Join(dir, "out"), from)
}

// chmodLater lets others open the file until then.
func chmodLater(dir, _ string) error {
	f, err := os.OpenFile(filepath.Join(dir, "out"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	return finish(f)
}
