package attack

import (
	"fmt"
	"time"

	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// trace makes the steps of the attempt, for the judges and the report.
func (r *racer) trace(one *run, s *stage, all []done, end int64) {
	name := s.tactic.mark.name
	add := func(at string, moves ...string) {
		st := &step{boundary: boundary{call: at, line: r.line, chain: r.line}}
		for _, text := range moves {
			st.moves = append(st.moves, appliedMove{path: name, text: text})
		}
		one.steps = append(one.steps, st)
	}
	add("", s.before...)
	add("(starts)")
	begin := r.movers[0].begin.Load()
	over := false
	for _, d := range all {
		if d.at > end && !over {
			add("(is back)")
			over = true
		}
		add("", fmt.Sprintf("+%v %s", time.Duration(d.at-begin).Round(time.Microsecond), d.text))
	}
	if !over {
		add("(is back)")
	}
	one.next = len(s.before) + len(all)
}

// judgeUse sees a directory of the attacker's in which the victim made
// something, and reported success.
func (r *racer) judgeUse(one *run) {
	if !one.outcome.success() {
		return
	}
	for oid, p := range one.attacker.own {
		if !p.dir || one.scene.hostile[oid] || under(p.name, dirAttic) {
			continue
		}
		if n, at := one.find(oid, p.name); n.exists() && n.mtime != p.node.mtime && under(at, dirShared) {
			one.fact(fact{rule: rules.X06, exploit: true, path: at, name: at, step: len(one.steps) - 1,
				text: "the attacker's directory " + pretty(at) + " was used as the code's own: something was made in it, and the code reported success"})
		}
	}
}

// waitsAtFIFO gives the attacker's FIFO at which somebody waits for its other
// end.
func waitsAtFIFO(one *run) string {
	d := one.disk.(*osDisk)
	for oid, p := range one.attacker.own {
		if p.node.kindName() != "FIFO" {
			continue
		}
		n, at := one.find(oid, p.name)
		if !n.exists() {
			continue
		}
		if fd, err := d.open(at, unix.O_WRONLY, 0); err == nil {
			unix.Close(fd)
			return at
		}
		fd, err := d.open(at, unix.O_RDONLY, 0)
		if err != nil {
			continue
		}
		ready := readable(fd, glance)
		unix.Close(fd)
		if ready {
			return at
		}
	}
	return ""
}

// readable reports whether a descriptor can be read, or has lost its other end,
// before the time is over. A signal, such as the Go runtime's own by which it
// preempts, ends a poll: it is repeated.
func readable(fd int, within time.Duration) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(within); ; {
		left := max(0, time.Until(end))
		n, err := unix.Poll(poll, int((left+time.Millisecond-1)/time.Millisecond))
		if err != unix.EINTR || left == 0 {
			return err == nil && n > 0 && poll[0].Revents&(unix.POLLIN|unix.POLLHUP) != 0
		}
	}
}
