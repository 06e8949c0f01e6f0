package attack_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// shellIn runs a script in a new directory of its own; what it says must be
// what is wanted.
func shellIn(s *attack.Scene, script, want string) error {
	dir, err := os.MkdirTemp(s.Dir, "work-*")
	if err != nil {
		return err
	}
	cmd := exec.Command("sh", "-c", "umask 077; "+script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYENV_VERSION=system", "PATH=/usr/bin:/bin")
	out, err := cmd.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err == nil && got != want {
		err = fmt.Errorf("it says %q, and not %q", got, want)
	} else if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// behaviours must be as on the machine's own clock.
var behaviours = []struct {
	name  string
	needs string
	do    func(s *attack.Scene) error
}{
	{"the validity of a certificate", "", func(*attack.Scene) error {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer srv.Close()
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
		defer c.CloseIdleConnections()
		resp, err := c.Get(srv.URL)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}},
	{"the deadline of a request", "", func(*attack.Scene) error {
		stop := make(chan bool)
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}))
		defer srv.Close()
		defer close(stop)
		c := &http.Client{Timeout: 20 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
		_, err := c.Get(srv.URL)
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			return fmt.Errorf("no timeout: %v", err)
		}
		return nil
	}},
	{"timers, tickers, contexts", "", func(*attack.Scene) error {
		begin := time.Now()
		<-time.After(5 * time.Millisecond)
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		<-tick.C
		<-tick.C
		ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(5*time.Millisecond))
		defer cancel()
		<-ctx.Done()
		if d := time.Since(begin); d < 16*time.Millisecond || d > 20*time.Second {
			return fmt.Errorf("it took %v", d)
		}
		return nil
	}},
	{"a deadline without its monotonic part", "", func(*attack.Scene) error {
		ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(5*time.Millisecond).Round(0))
		defer cancel()
		<-ctx.Done()
		return nil
	}},
	{"the next second, in a loop", "", func(*attack.Scene) error {
		for begin := time.Now().Unix(); time.Now().Unix() == begin; {
		}
		return nil
	}},
	{"the next second, asleep", "", func(*attack.Scene) error {
		for begin := time.Now().Unix(); time.Now().Unix() == begin; time.Sleep(100 * time.Millisecond) {
		}
		return nil
	}},
	{"a lock with a process number", "", func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "lock-*")
		if err != nil {
			return err
		}
		name := filepath.Join(dir, "pid")
		err = os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())), 0o600)
		b, rerr := os.ReadFile(name)
		pid, cerr := strconv.Atoi(string(b))
		if err = errors.Join(err, rerr, cerr); err == nil {
			err = syscall.Kill(pid, 0)
		}
		return errors.Join(err, os.RemoveAll(dir))
	}},
	{"its own process in /proc", "", func(*attack.Scene) error {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", os.Getpid()))
		return err
	}},
	{"a child by its number", "", func(*attack.Scene) error {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		err := syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
		if werr := cmd.Wait(); werr == nil || werr.Error() != "signal: terminated" {
			err = errors.Join(err, fmt.Errorf("it ended otherwise: %v", werr))
		}
		return err
	}},
	{"a group of its own", "", func(*attack.Scene) error {
		cmd := exec.Command("sh", "-c", "sleep 60 & wait")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		return err
	}},
	{"sleep in a shell", "sh", func(s *attack.Scene) error { return shellIn(s, "sleep 0.01 && echo ok", "ok") }},
	{"kill, trap and wait in a shell", "sh", func(s *attack.Scene) error {
		// Without the trap: a child of dash that has not reset it yet loses the signal.
		return shellIn(s, `trap 'echo caught' TERM; kill $$; trap - TERM; sleep 60 & kill $!; wait $! 2>/dev/null; echo $?`, "caught\n143")
	}},
	{"jobs of a shell", "bash", func(s *attack.Scene) error {
		return shellIn(s, `bash -c 'set -m; sleep 60 & kill %1; wait %1 2>/dev/null; echo $?' 2>/dev/null`, "143")
	}},
	{"touch -r", "touch", func(s *attack.Scene) error {
		return shellIn(s, "echo >a; touch -d 2001-01-01 a; touch -r a b; [ ! a -nt b ] && [ ! b -nt a ] && echo ok", "ok")
	}},
	{"make", "make", func(s *attack.Scene) error {
		return shellIn(s, `printf 'a: b\n\t@echo made\n\t@touch a\n' >Makefile; echo >b; touch -d 2001-01-01 b; make -s a; make -s a`, "made")
	}},
	{"git commit", "git", func(s *attack.Scene) error {
		return shellIn(s, `HOME=$PWD; export HOME; git init -q . && echo x >f && git add f && git -c user.name=a -c user.email=a@b commit -q -m x && git log --format=%s`, "x")
	}},
	{"the time of a file", "", func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "timed-*")
		if err != nil {
			return err
		}
		of, ferr := f.Stat()
		at, err := os.Stat(f.Name())
		if err = errors.Join(err, ferr, f.Close(), os.Remove(f.Name())); err != nil {
			return err
		}
		if age := time.Since(at.ModTime()); age < 0 || age > 5*time.Second || !of.ModTime().Equal(at.ModTime()) {
			return fmt.Errorf("it is %v old, and of %v and %v", age, at.ModTime(), of.ModTime())
		}
		return nil
	}},
	{"much chance", "head", func(s *attack.Scene) error {
		return shellIn(s, "head -c 3000000 /dev/urandom | wc -c", "3000000")
	}},
	{"a filter of chance", "tr", func(s *attack.Scene) error {
		return shellIn(s, "tr -dc a-z </dev/urandom | head -c 8 | wc -c", "8")
	}},
	{"sqlite", "python3", func(s *attack.Scene) error {
		return shellIn(s, `python3 -c "import sqlite3; c = sqlite3.connect('db', timeout=5); c.execute('create table t(a)'); c.execute('insert into t values(1)'); c.commit(); print(c.execute('select a from t').fetchall())"`, "[(1,)]")
	}},
}

// TestHeldBehaviour: what is held still changes nothing of what the victim does.
func TestHeldBehaviour(t *testing.T) {
	for i, row := range behaviours {
		t.Run(row.name, func(t *testing.T) {
			if sample.Short() && i%2 != 0 {
				t.Skip("in the half of the table that this run leaves out")
			}
			if row.needs != "" {
				if _, err := exec.LookPath(row.needs); err != nil {
					t.Skip(err)
				}
			}
			rep := attack.Prove(t, func(s *attack.Scene) error {
				f, err := os.CreateTemp(s.Dir, "x-*")
				if err != nil {
					return err
				}
				return errors.Join(row.do(s), f.Close(), os.Remove(f.Name()))
			}, attack.ReportOnly(), attack.Depth(1), attack.Moves(attack.Symlink), attack.Schedules(4))
			for _, p := range rep.Problems {
				assert.Contains(t, p, "(Schedules)")
			}
			assert.Empty(t, rep.Findings)
		})
	}
}
